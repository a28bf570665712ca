// Fewer samples of a long time: of each series the last one in every window stays, with its own time, so that
// a counter still goes from one true value to the next and nothing is made up. Pure, and by columns: taking
// samples apart one by one would hold up the loop of a till for a tenth of a second.

import type { Labels, Sample, Snapshot } from '../../protocol/metric-body.ts';
import type { MetricColumns } from '../../protocol/metric-columns.ts';

type Kept = { readonly timeMs: number; readonly value: number };
type Series = { readonly name: string; readonly labels: Labels; readonly kept: Kept[] };

const labelsOf = (flat: readonly string[]): Labels =>
  Object.fromEntries(
    Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] ?? '', flat[2 * i + 1] ?? '']),
  );

function put(series: Series, next: Kept, everyMs: number): void {
  const last = series.kept.at(-1);
  const windowOf = ({ timeMs }: Kept): number => Math.floor(timeMs / everyMs);
  if (last !== undefined && windowOf(last) === windowOf(next)) series.kept.pop();
  series.kept.push(next);
}

/** @param bodies one after the other in time. @returns what stays, the oldest first. */
export function thin(bodies: readonly MetricColumns[], everyMs: number): Snapshot[] {
  const all = new Map<string, Series>();
  for (const { timesMs, series } of bodies) {
    for (const { name, labels, at, values } of series) {
      const key = `${name}\0${labels.join('\0')}`;
      let found = all.get(key);
      if (found === undefined) {
        found = { name, labels: labelsOf(labels), kept: [] };
        all.set(key, found);
      }
      for (const [index, value] of values.entries()) {
        put(found, { timeMs: timesMs[at?.[index] ?? index] ?? 0, value }, everyMs);
      }
    }
  }
  const snapshots = new Map<number, Sample[]>();
  for (const { name, labels, kept } of all.values()) {
    for (const { timeMs, value } of kept) {
      const samples = snapshots.get(timeMs);
      const sample = { name, labels, value };
      if (samples === undefined) snapshots.set(timeMs, [sample]);
      else samples.push(sample);
    }
  }
  return [...snapshots].sort(([a], [b]) => a - b).map(([timeMs, samples]) => ({ timeMs, samples }));
}
