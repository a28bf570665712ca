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

export const compact = ({ timeMs, samples }: Snapshot): Compact => ({
  timeMs,
  series: samples.map(shared),
  values: Float64Array.from(samples, ({ value }) => value),
});

export const expand = ({ series, values }: Compact, timeMs: number): Snapshot => ({
  timeMs,
  samples: series.map((one, at) => ({ ...one, value: values[at] ?? 0 })),
});
