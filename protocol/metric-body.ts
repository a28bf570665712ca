// Metric samples on the wire: each series once, its points as columns. Whole numbers and decimal
// fractions travel as differences, everything else as doubles; repeated names and labels then cost nothing
// over an hour. Every value comes back as the very same double: what is measured is never rounded here.
// No dictionary of series and no state between batches: any worker can decode any batch
// (research/mqtt.md 3.4).

import { ByteWriter } from './metric-bytes.ts';
import {
  type ColumnOptions,
  DECIMALS_MAX,
  decodeMetricColumns,
  FORM_DOUBLES,
  POWERS_OF_TEN,
} from './metric-columns.ts';
import { ok, type Result } from './result.ts';

export type Labels = Readonly<Record<string, string>>;
export type Sample = { readonly name: string; readonly labels: Labels; readonly value: number };
/** All samples that were taken at one instant. `timeMs`: corrected wall clock. */
export type Snapshot = { readonly timeMs: number; readonly samples: readonly Sample[] };

/** What a series is called, as it is written. */
type Head = {
  readonly key: string;
  readonly name: string;
  readonly flat: readonly string[];
  /** The message of a series that has a value at every instant: made once. */
  bytes: Uint8Array | undefined;
};
type Column = {
  readonly head: Head;
  readonly labels: Labels;
  readonly at: number[];
  readonly values: number[];
};
/** `form` as in MetricBody.forms: differences, or the doubles themselves. */
type Values = { readonly form: number; readonly numbers: readonly number[] };

const DOUBLE_BYTES = 8;
const WRITER_BYTES = 64 * 1024;

const flatten = (labels: Labels): string[] =>
  Object.keys(labels)
    .sort()
    .flatMap((name) => [name, labels[name] ?? '']);

/** Whether a sample is of this series: the common case, told without making a key. */
function isOf({ name, flat }: Head, sample: Sample): boolean {
  const { labels } = sample;
  if (name !== sample.name) return false;
  for (let i = 0; i < flat.length; i += 2) {
    if (labels[flat[i] as string] !== flat[i + 1]) return false;
  }
  let left = flat.length / 2;
  for (const _ in labels) left -= 1;
  return left === 0;
}

function headOf({ name, labels }: Sample): Head {
  const flat = flatten(labels);
  return { key: `${name}\0${flat.join('\0')}`, name, flat, bytes: undefined };
}

/**
 * The series of the last body, in the order of its last sweep. Only a shortcut: an agent sends the same series all day,
 * and a series that is not at its place is made anew.
 */
let lately: readonly Head[] = [];

function columnsOf(snapshots: readonly Snapshot[]): Column[] {
  const known = new Map<string, Column>();
  // A sweep looks like the one before it: the series at the same place is nearly always the same.
  let before: Column[] = [];
  snapshots.forEach(({ samples }, index) => {
    const order: Column[] = [];
    for (const sample of samples) {
      let column = before[order.length];
      if (column === undefined || !(isSame(column, sample) || isOf(column.head, sample))) {
        const guess = lately[order.length];
        const head = guess !== undefined && isOf(guess, sample) ? guess : headOf(sample);
        column = known.get(head.key) ?? { head, labels: sample.labels, at: [], values: [] };
        known.set(head.key, column);
      }
      order.push(column);
      // An instant has one value of a series; a second one is not a later one.
      if (column.at.at(-1) === index) continue;
      column.at.push(index);
      column.values.push(sample.value);
    }
    before = order;
  });
  if (before.length > 0) lately = before.map(({ head }) => head);
  return [...known.values()];
}

const isSame = ({ head, labels }: Column, sample: Sample): boolean =>
  labels === sample.labels && head.name === sample.name;

/** @returns the first value and what each adds to the one before; undefined where a step is not exact. */
function differences(values: readonly number[]): number[] | undefined {
  const deltas: number[] = [];
  let before = 0;
  for (const value of values) {
    const delta = value - before;
    if (!Number.isSafeInteger(delta)) return undefined;
    deltas.push(delta);
    before = value;
  }
  return deltas;
}

const isWhole = (value: number): boolean => Number.isSafeInteger(value) && !Object.is(value, -0);

/** Fewest decimal places, at least `from`, that give back this very double; undefined: none do. */
function decimalsOf(value: number, from: number): number | undefined {
  for (let decimals = from; decimals <= DECIMALS_MAX; decimals += 1) {
    const power = POWERS_OF_TEN[decimals] ?? 1;
    const scaled = Math.round(value * power);
    if (!Number.isSafeInteger(scaled)) return undefined;
    // Both are exact and the division rounds correctly [ECMA-262 6.1.6.1.5]: what holds here holds there.
    if (Object.is(scaled / power, value)) return decimals;
  }
  return undefined;
}

/** Bytes of a difference as a zigzag varint, seven bits each. */
function varintBytes(delta: number): number {
  let bytes = 1;
  for (let rest = Math.abs(delta) * 2; rest >= 128; rest /= 128) bytes += 1;
  return bytes;
}

/** Differences of value * 10^decimals; undefined where no number of places is exact, or doubles are smaller. */
function scaledOf(values: readonly number[]): Values | undefined {
  let decimals: number | undefined = 0;
  for (const value of values) {
    decimals = decimalsOf(value, decimals);
    if (decimals === undefined) return undefined;
  }
  const power = POWERS_OF_TEN[decimals] ?? 1;
  // With more places than it needs a large value may no longer be exact: each is looked at again.
  const scaled = values.map((value) => Math.round(value * power));
  if (!scaled.every((whole, i) => isWhole(whole) && Object.is(whole / power, values[i]))) {
    return undefined;
  }
  const deltas = differences(scaled);
  if (deltas === undefined) return undefined;
  const bytes = deltas.reduce((sum, delta) => sum + varintBytes(delta), 0);
  if (bytes >= values.length * DOUBLE_BYTES) return undefined;
  return { form: decimals + 1, numbers: deltas };
}

function valuesOf(values: readonly number[]): Values {
  const deltas = values.every(isWhole) ? differences(values) : undefined;
  if (deltas !== undefined) return { form: 1, numbers: deltas };
  return scaledOf(values) ?? { form: FORM_DOUBLES, numbers: values };
}

/** Kept between bodies: an agent seals one a minute, and an hour of a till fits. */
const writer = new ByteWriter(WRITER_BYTES);

function writeHead({ name, flat }: Head): void {
  writer.varint(10);
  writer.text(name);
  for (const text of flat) {
    writer.varint(18);
    writer.text(text);
  }
}

function writeSeries({ head, at }: Column, instants: number): void {
  if (at.length < instants) {
    writer.part(18, () => {
      writeHead(head);
      writer.part(26, () => {
        for (const index of at) writer.varint(index);
      });
    });
    return;
  }
  if (head.bytes !== undefined) {
    writer.raw(head.bytes);
    return;
  }
  const from = writer.length;
  writer.part(18, () => writeHead(head));
  head.bytes = writer.bytes(from);
}

const writeAll = (numbers: readonly number[]) => (): void => {
  for (const number of numbers) writer.signed(number);
};

/** Series are sorted: what belongs together is then together, and lies as in the dictionary (dictionary.ts). */
export function encodeMetricBody(snapshots: readonly Snapshot[]): Uint8Array {
  const columns = columnsOf(snapshots).sort((a, b) => (a.head.key < b.head.key ? -1 : 1));
  const values = columns.map((column) => valuesOf(column.values));
  const timeDeltasMs = differences(snapshots.map(({ timeMs }) => Math.round(timeMs))) ?? [];
  writer.clear();
  if (timeDeltasMs.length > 0) writer.part(10, writeAll(timeDeltasMs));
  for (const column of columns) writeSeries(column, snapshots.length);
  if (columns.length > 0) {
    writer.part(26, () => {
      for (const { form } of values) writer.varint(form);
    });
  }
  const deltas = values.filter(({ form }) => form !== FORM_DOUBLES);
  if (deltas.length > 0) {
    writer.part(34, () => {
      for (const { numbers } of deltas) for (const number of numbers) writer.signed(number);
    });
  }
  const doubles = values.filter(({ form }) => form === FORM_DOUBLES);
  if (doubles.length > 0) {
    writer.part(42, () => {
      for (const { numbers } of doubles) for (const number of numbers) writer.double(number);
    });
  }
  return writer.bytes();
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
