// Reads a metric body as the columns that it travels in: each series once, with its values in the order of
// the instants. What writes to a database or to blocks of an hour needs exactly this; turning it into
// snapshots first would make an object for each sample and take them apart again. Total and bounded:
// whatever bytes come, the answer is columns within the limits or a reason. Read by hand, not by the generated
// decoder, which the tests hold it against: a minute of a till takes 39 us instead of 210 with its checks.

import * as limits from './limits.ts';
import type { Entry, Numbers } from './metric-head.ts';
import { type RawBody, readRawBody } from './metric-raw.ts';
import { fail, ok, type Result } from './result.ts';

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

/** 10^15 and 2^53 meet there: with more places a double holds no further whole numbers. */
export const DECIMALS_MAX = 15;
/** Written out, because `10 ** d` need not be exact [ECMA-262: implementation-approximated]. */
export const POWERS_OF_TEN: readonly number[] = [
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];
/** MetricBody.forms: 0, 1 + decimals, and this. */
export const FORM_DOUBLES = DECIMALS_MAX + 2;

/** Appends the sums of so many differences. @returns false where one is not exact. */
function addUp(
  deltas: Numbers,
  from: number,
  count: number,
  divisor: number,
  into: Numbers,
): boolean {
  let sum = 0;
  for (let i = from; i < from + count; i += 1) {
    sum += deltas[i] ?? Number.NaN;
    if (!Number.isSafeInteger(sum)) return false;
    into.push(divisor === 1 ? sum : sum / divisor);
  }
  return true;
}

const TOO_LARGE = 'series has a number that is too large';
const MISCOUNTED = 'series has more or fewer values than instants';

/** Values that the series' own message carries, in whichever form; more than one is nobody's. */
function ownValues(entry: Entry, count: number): Result<Numbers> {
  const { whole, scaled, plain, decimals } = entry;
  const forms = [whole, scaled, plain].filter(({ length }) => length > 0);
  if (forms.length > 1) return fail('series has two kinds of values');
  if ((forms[0]?.length ?? 0) !== count) return fail(MISCOUNTED);
  if (plain.length > 0) return ok(plain);
  const divisor = scaled.length > 0 ? POWERS_OF_TEN[decimals] : 1;
  if (divisor === undefined) return fail('series has too many decimals');
  const values: Numbers = [];
  const exact = addUp(scaled.length > 0 ? scaled : whole, 0, count, divisor, values);
  return exact ? ok(values) : fail(TOO_LARGE);
}

/** Hands out the values that the body carries for all its series together. */
class Dealer {
  readonly #body: RawBody;
  #delta = 0;
  #double = 0;

  constructor(body: RawBody) {
    this.#body = body;
  }

  values(form: number, entry: Entry, count: number): Result<Numbers> {
    if (form === 0) return ownValues(entry, count);
    if (entry.whole.length + entry.scaled.length + entry.plain.length > 0) {
      return fail('series has two kinds of values');
    }
    const { deltas, doubles } = this.#body;
    if (form === FORM_DOUBLES) {
      this.#double += count;
      if (this.#double > doubles.length) return fail(MISCOUNTED);
      return ok(doubles.slice(this.#double - count, this.#double));
    }
    const divisor = POWERS_OF_TEN[form - 1];
    if (divisor === undefined) return fail('series has values of an unknown form');
    const from = this.#delta;
    this.#delta += count;
    if (this.#delta > deltas.length) return fail(MISCOUNTED);
    const values: Numbers = [];
    return addUp(deltas, from, count, divisor, values) ? ok(values) : fail(TOO_LARGE);
  }

  isEmpty(): boolean {
    const { deltas, doubles } = this.#body;
    return this.#delta === deltas.length && this.#double === doubles.length;
  }
}

function checkPlaces(at: Numbers, instants: number): string | undefined {
  let before = -1;
  for (const index of at) {
    if (index >= instants) return 'series has a value at an instant that does not exist';
    if (index <= before) return 'series has two values at one instant';
    before = index;
  }
  return undefined;
}

/** @returns times and values exactly as they were taken, series in the order of the body. */
export function decodeMetricColumns(
  data: Uint8Array,
  { ownLabels = false }: ColumnOptions = {},
): Result<MetricColumns> {
  if (data.length > limits.BODY_BYTES_MAX) return fail('MetricBody is larger than allowed');
  const read = readRawBody(data);
  if (!read.ok) return read;
  const { timeDeltas, entries, forms } = read.value;
  if (timeDeltas.length > limits.INSTANTS_PER_BODY_MAX) return fail('body has too many instants');
  const timesMs: Numbers = [];
  if (!addUp(timeDeltas, 0, timeDeltas.length, 1, timesMs) || timesMs.some((time) => time < 0)) {
    return fail('body has an instant that is no time');
  }
  if (forms.length > 0 && forms.length !== entries.length) return fail('body has other series');
  const dealer = new Dealer(read.value);
  const series: SeriesColumn[] = [];
  let samples = 0;
  for (const [i, entry] of entries.entries()) {
    const { head, at } = entry;
    // A body never says whose it is: the broker knows from the session (design.md, section 6).
    if (head.own !== undefined && !ownLabels) return fail(`series carries the label ${head.own}`);
    const count = at.length === 0 ? timesMs.length : at.length;
    samples += count;
    if (samples > limits.SAMPLES_PER_BODY_MAX) return fail('body has too many samples');
    const misplaced = checkPlaces(at, timesMs.length);
    if (misplaced !== undefined) return fail(misplaced);
    const values = dealer.values(forms[i] ?? 0, entry, count);
    if (!values.ok) return values;
    const { name, labels } = head;
    series.push({ name, labels, at: at.length === 0 ? undefined : at, values: values.value });
  }
  if (!dealer.isEmpty()) return fail('body has values of no series');
  return ok({ timesMs, series });
}
