// Reads a metric body as the columns that it travels in: each series once, with its values in the order of
// the instants. What writes to a database or to blocks of an hour needs exactly this; turning it into
// snapshots first would make an object for each sample and take them apart again. Total and bounded:
// whatever bytes come, the answer is columns within the limits or a reason.

import * as limits from './limits.ts';
import { fail, ok, type Result } from './result.ts';
import { decodeRaw, list, num, text } from './wire.ts';

export type SeriesColumn = {
  readonly name: string;
  /** name, value, name, value ... sorted by name, each name once. */
  readonly labels: readonly string[];
  /** Places in `timesMs` that have a value, ascending; undefined: every one. */
  readonly at: readonly number[] | undefined;
  readonly values: readonly number[];
};
export type MetricColumns = {
  readonly timesMs: readonly number[];
  readonly series: readonly SeriesColumn[];
};
export type ColumnOptions = {
  /** Series may say whose they are: only what the broker recorded itself may (ledger.ts, OWN). */
  readonly ownLabels?: boolean;
};

type Raw = Readonly<Record<string, unknown>>;

/** 10^15 and 2^53 meet there: with more places a double holds no further whole numbers. */
export const DECIMALS_MAX = 15;
/** Written out, because `10 ** d` need not be exact [ECMA-262 6.1.6.1.3: implementation-approximated]. */
export const POWERS_OF_TEN: readonly number[] = [
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

const numbers = (value: unknown): number[] => (list(value) as readonly unknown[]).map(num);

/** The sums up to each; undefined when one is not exact. */
function sums(deltas: readonly number[]): number[] | undefined {
  let sum = 0;
  const all = deltas.map((delta) => {
    sum += delta;
    return sum;
  });
  return all.every(Number.isSafeInteger) ? all : undefined;
}

function readLabels(flat: readonly string[], own: boolean): Result<readonly string[]> {
  if (flat.length % 2 !== 0) return fail('series has a label without a value');
  if (flat.length / 2 > limits.LABELS_PER_SERIES_MAX) return fail('series has too many labels');
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const [name = '', value = ''] = flat.slice(i, i + 2);
    if (!LABEL_NAME.test(name)) return fail('series has an invalid label name');
    // A body never says whose it is: the broker knows from the session (design.md, section 6).
    if (!own && (name === 'store' || name === 'terminal')) {
      return fail(`series carries the label ${name}`);
    }
    if (value.length > limits.LABEL_CHARS_MAX) return fail('series has a label that is too long');
    pairs.push([name, value]);
  }
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.some(([name], i) => name === pairs[i + 1]?.[0])) {
    return fail('series has a label twice');
  }
  return ok(pairs.flat());
}

/** Values in whichever of the three forms they are in; more than one form is nobody's. */
function readValues(raw: Raw): Result<readonly number[]> {
  const whole = numbers(raw['wholeDeltas']);
  const scaled = numbers(raw['scaledDeltas']);
  const plain = numbers(raw['values']);
  const forms = [whole, scaled, plain].filter(({ length }) => length > 0);
  if (forms.length > 1) return fail('series has two kinds of values');
  if (plain.length > 0 || forms.length === 0) return ok(plain);
  const exact = sums(whole.length > 0 ? whole : scaled);
  if (exact === undefined) return fail('series has a number that is too large');
  if (whole.length > 0) return ok(exact);
  const divisor = POWERS_OF_TEN[num(raw['decimals'])];
  if (divisor === undefined) return fail('series has too many decimals');
  return ok(exact.map((value) => value / divisor));
}

function readSeries(raw: Raw, instants: number, own: boolean): Result<SeriesColumn> {
  const name = text(raw['name']);
  if (name.length > limits.NAME_CHARS_MAX || !NAME.test(name)) {
    return fail('series has an invalid name');
  }
  const labels = readLabels((list(raw['labels']) as readonly unknown[]).map(text), own);
  if (!labels.ok) return labels;
  const values = readValues(raw);
  if (!values.ok) return values;
  const at = numbers(raw['at']);
  if (values.value.length !== (at.length === 0 ? instants : at.length)) {
    return fail('series has more or fewer values than instants');
  }
  let before = -1;
  for (const index of at) {
    if (!(index < instants)) return fail('series has a value at an instant that does not exist');
    if (!(index > before)) return fail('series has two values at one instant');
    before = index;
  }
  return ok({
    name,
    labels: labels.value,
    at: at.length === 0 ? undefined : at,
    values: values.value,
  });
}

/** @returns times and values exactly as they were taken, series in the order of the body. */
export function decodeMetricColumns(
  body: Uint8Array,
  { ownLabels = false }: ColumnOptions = {},
): Result<MetricColumns> {
  const raw = decodeRaw('MetricBody', body, limits.BODY_BYTES_MAX);
  if (!raw.ok) return raw;
  const timesMs = sums(numbers(raw.value['timeDeltasMs']));
  const entries = list(raw.value['series']);
  if (timesMs === undefined || timesMs.some((time) => time < 0)) {
    return fail('body has an instant that is no time');
  }
  if (timesMs.length > limits.INSTANTS_PER_BODY_MAX) return fail('body has too many instants');
  if (entries.length > limits.SERIES_PER_BODY_MAX) return fail('body has too many series');
  const series: SeriesColumn[] = [];
  let samples = 0;
  for (const entry of entries) {
    const one = readSeries(entry, timesMs.length, ownLabels);
    if (!one.ok) return one;
    samples += one.value.values.length;
    if (samples > limits.SAMPLES_PER_BODY_MAX) return fail('body has too many samples');
    series.push(one.value);
  }
  return ok({ timesMs, series });
}
