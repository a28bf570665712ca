// Metric samples on the wire: each series once, its points as columns. Whole numbers travel as
// differences, everything else as doubles; repeated names and labels then cost nothing over an hour.
// No dictionary and no state between batches: any worker can decode any batch (research/mqtt.md 3.4).

import { type ColumnOptions, decodeMetricColumns } from './metric-columns.ts';
import { ok, type Result } from './result.ts';
import { encodeRaw } from './wire.ts';

export type Labels = Readonly<Record<string, string>>;
export type Sample = { readonly name: string; readonly labels: Labels; readonly value: number };
/** All samples that were taken at one instant. `timeMs`: corrected wall clock. */
export type Snapshot = { readonly timeMs: number; readonly samples: readonly Sample[] };

type Column = { name: string; labels: string[]; at: number[]; values: number[] };

const flatten = (labels: Labels): string[] =>
  Object.keys(labels)
    .sort()
    .flatMap((name) => [name, labels[name] ?? '']);

const isWhole = (value: number): boolean => Number.isSafeInteger(value) && !Object.is(value, -0);

function columnsOf(snapshots: readonly Snapshot[]): Column[] {
  const columns = new Map<string, Column>();
  snapshots.forEach((snapshot, index) => {
    for (const sample of snapshot.samples) {
      const labels = flatten(sample.labels);
      const key = `${sample.name}\0${labels.join('\0')}`;
      let column = columns.get(key);
      if (column === undefined) {
        column = { name: sample.name, labels, at: [], values: [] };
        columns.set(key, column);
      }
      column.at.push(index);
      column.values.push(sample.value);
    }
  });
  return [...columns.values()];
}

const differences = (values: readonly number[]): number[] =>
  values.map((value, index) => value - (index === 0 ? 0 : (values[index - 1] ?? 0)));

export function encodeMetricBody(snapshots: readonly Snapshot[]): Uint8Array {
  const series = columnsOf(snapshots).map((column) => {
    const whole = column.values.every(isWhole);
    return {
      name: column.name,
      labels: column.labels,
      at: column.at.length === snapshots.length ? [] : column.at,
      wholeDeltas: whole ? differences(column.values) : [],
      values: whole ? [] : column.values,
    };
  });
  const timeDeltasMs = differences(snapshots.map((snapshot) => snapshot.timeMs));
  return encodeRaw('MetricBody', { timeDeltasMs, series });
}

const labelsOf = (flat: readonly string[]): Labels => {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  // Not by assignment: a label may be called __proto__.
  return Object.fromEntries(pairs);
};

/** @returns snapshots in the order of the body; times and values exactly as they were taken. */
export function decodeMetricBody(data: Uint8Array, options?: ColumnOptions): Result<Snapshot[]> {
  const columns = decodeMetricColumns(data, options);
  if (!columns.ok) return columns;
  const { timesMs, series } = columns.value;
  const instants: Sample[][] = timesMs.map(() => []);
  for (const { name, labels: flat, at, values } of series) {
    const labels = labelsOf(flat);
    values.forEach((value, i) => {
      instants[at?.[i] ?? i]?.push({ name, labels, value });
    });
  }
  return ok(timesMs.map((timeMs, i) => ({ timeMs, samples: instants[i] ?? [] })));
}
