// Metric samples on the wire: each series once, its points as columns. Whole numbers travel as
// differences, everything else as doubles; repeated names and labels then cost nothing over an hour.
// No dictionary and no state between batches: any worker can decode any batch (research/mqtt.md 3.4).

import * as limits from './limits.ts';
import { fail, ok, type Result } from './result.ts';
import { decodeRaw, encodeRaw, list, num, text } from './wire.ts';

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

const sums = (deltas: readonly unknown[]): number[] => {
  let sum = 0;
  return deltas.map((delta) => {
    sum += num(delta);
    return sum;
  });
};

function readLabels(flat: readonly unknown[]): Result<Labels> {
  if (flat.length % 2 !== 0) return fail('series has a label without a value');
  if (flat.length / 2 > limits.LABELS_PER_SERIES_MAX) return fail('series has too many labels');
  const labels: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) {
    const name = text(flat[i]);
    const value = text(flat[i + 1]);
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) return fail('series has an invalid label name');
    // A body never says whose it is: the broker knows from the session (design.md, section 6).
    if (name === 'store' || name === 'terminal') return fail(`series carries the label ${name}`);
    if (value.length > limits.LABEL_CHARS_MAX) return fail('series has a label that is too long');
    labels[name] = value;
  }
  return ok(labels);
}

/** Puts one series' values into the snapshots it has them for. @returns how many, or why not. */
function spread(raw: Record<string, unknown>, into: Sample[][]): Result<number> {
  const name = text(raw['name']);
  if (name.length > limits.NAME_CHARS_MAX || !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) {
    return fail('series has an invalid name');
  }
  const labels = readLabels(list(raw['labels']) as readonly unknown[]);
  if (!labels.ok) return labels;
  const whole = list(raw['wholeDeltas']) as readonly unknown[];
  const plain = list(raw['values']) as readonly unknown[];
  if (whole.length > 0 && plain.length > 0) return fail('series has two kinds of values');
  const values = whole.length > 0 ? sums(whole) : plain.map(num);
  const at = (list(raw['at']) as readonly unknown[]).map(num);
  if (values.length !== (at.length === 0 ? into.length : at.length)) {
    return fail('series has more or fewer values than instants');
  }
  for (const [index, value] of values.entries()) {
    const slot = into[at[index] ?? index];
    if (slot === undefined) return fail('series has a value at an instant that does not exist');
    slot.push({ name, labels: labels.value, value });
  }
  return ok(values.length);
}

/** @returns snapshots in the order of the body; times and values exactly as they were taken. */
export function decodeMetricBody(data: Uint8Array): Result<Snapshot[]> {
  const raw = decodeRaw('MetricBody', data, limits.BODY_BYTES_MAX);
  if (!raw.ok) return raw;
  const times = sums(list(raw.value['timeDeltasMs']) as readonly unknown[]);
  const series = list(raw.value['series']);
  if (times.length > limits.INSTANTS_PER_BODY_MAX) return fail('body has too many instants');
  if (series.length > limits.SERIES_PER_BODY_MAX) return fail('body has too many series');
  if (!times.every((time) => Number.isSafeInteger(time) && time >= 0)) {
    return fail('body has an instant that is no time');
  }
  const columns: Sample[][] = times.map(() => []);
  let samples = 0;
  for (const entry of series) {
    const added = spread(entry, columns);
    if (!added.ok) return added;
    samples += added.value;
    if (samples > limits.SAMPLES_PER_BODY_MAX) return fail('body has too many samples');
  }
  return ok(times.map((timeMs, index) => ({ timeMs, samples: columns[index] ?? [] })));
}
