// A snapshot as little as it can be: names and labels are shared by all terminals of a simulator, each value
// is eight bytes. Two thousand terminals that wait a minute would else hold a hundred megabytes of labels.

import type { Labels, Sample, Snapshot } from '../../protocol/metric-body.ts';

type Series = { readonly name: string; readonly labels: Labels };
export type Compact = {
  readonly timeMs: number;
  readonly series: readonly Series[];
  readonly values: Float64Array;
};

/** Series known by name; beyond this a new one is simply not shared. */
const SERIES_MAX = 50_000;
const known = new Map<string, Series>();

function shared({ name, labels }: Sample): Series {
  let key = name;
  for (const label in labels) key += `\0${label}\0${labels[label]}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const series = { name, labels };
  if (known.size < SERIES_MAX) known.set(key, series);
  return series;
}

function isOf({ name, labels }: Series, sample: Sample): boolean {
  if (name !== sample.name) return false;
  for (const label in sample.labels) if (labels[label] !== sample.labels[label]) return false;
  // One that has fewer labels than before is another series.
  for (const label in labels) if (sample.labels[label] === undefined) return false;
  return true;
}

/** @param before the one before of the same terminal: nearly always the same series in the same order. */
export function compact({ timeMs, samples }: Snapshot, before?: Compact): Compact {
  const values = Float64Array.from(samples, ({ value }) => value);
  const last = before?.series ?? [];
  const same = last.length === samples.length && samples.every((one, i) => isAt(last, i, one));
  return { timeMs, series: same ? last : samples.map(shared), values };
}

function isAt(series: readonly Series[], i: number, sample: Sample): boolean {
  const one = series[i];
  return one !== undefined && isOf(one, sample);
}

export const expand = ({ series, values }: Compact, timeMs: number): Snapshot => ({
  timeMs,
  samples: series.map((one, at) => ({ ...one, value: values[at] ?? 0 })),
});
