// Rows of the ledger as series with their samples, in requests of a few thousand samples: the same series
// of several rows is one, its samples ascend, and each keeps the time at which it was taken. What must not
// reach the database is buried here: the future (one such sample makes Prometheus 2.42 refuse everybody's
// present, research/mqtt.md 0.8), series over the budget, and what cannot be read.

import { unpackBody } from '../../protocol/body.ts';
import { decodeMetricColumns, type SeriesColumn } from '../../protocol/metric-columns.ts';
import { decodeBatch } from '../../protocol/wire.ts';
import { OWN } from '../ledger.ts';
import type { LedgerRow } from '../ledger-reader.ts';
import type { Budget } from './budget.ts';
import type { Place, Template, Templates } from './templates.ts';
import type { Buried } from './types.ts';

/** The broker's own clock and the database's may differ by this much; more in the future is a wrong clock. */
export const FUTURE_MS_MAX = 5 * 60_000;

/** Samples of one series, ascending in time. */
export type Part = {
  readonly place: Place;
  readonly template: Template;
  readonly timesMs: readonly number[];
  readonly values: readonly number[];
};

export type PartsOptions = {
  readonly templates: Templates;
  readonly budget: Budget;
  readonly storeOf: (terminal: string) => string;
  readonly nowMs: () => number;
  /** A request is closed once it holds this many. */
  readonly samplesMax: number;
};

type Growing = Part & { timesMs: number[]; values: number[]; ragged: boolean };

export const countSamples = (parts: readonly Part[]): number =>
  parts.reduce((sum, { timesMs }) => sum + timesMs.length, 0);

/** For a person: whose, what, when, how much. */
export const showSample = ({ place, template, timesMs, values }: Part): string =>
  `${place.terminal} ${template.text} ${values[0]} @${timesMs[0]}`;

export type Bury = (one: Buried) => void;

/** Adds up what is buried for the same reason; a body of 200 000 bad samples is one line. */
export function createGrave(): { readonly bury: Bury; readonly all: () => readonly Buried[] } {
  const found = new Map<string, Buried>();
  return {
    bury: (one) => {
      const key = `${one.terminal}\0${one.reason}`;
      const known = found.get(key);
      found.set(key, known === undefined ? one : { ...known, count: known.count + one.count });
    },
    all: () => [...found.values()],
  };
}

function readColumns(row: LedgerRow) {
  const batch = decodeBatch(row.bytes);
  if (!batch.ok) return batch;
  const body = unpackBody(batch.value);
  if (!body.ok) return body;
  return decodeMetricColumns(body.value, { ownLabels: row.terminal === OWN });
}

/** Of a series that the broker recorded itself: whose it is stands in its labels. */
function labelOf(labels: readonly string[], wanted: string): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === wanted) return labels[i + 1] ?? '';
  return '';
}

/** Ascending, each instant once: two rows may hold the same one, and clocks are put right. */
function tidy(part: Growing, bury: Bury): Part {
  if (!part.ragged) return part;
  const order = part.timesMs.map((_, i) => i);
  // Stable, so that of two at one instant the one that was recorded first stays, at each try.
  order.sort((a, b) => (part.timesMs[a] ?? 0) - (part.timesMs[b] ?? 0));
  const timesMs: number[] = [];
  const values: number[] = [];
  for (const i of order) {
    const timeMs = part.timesMs[i] ?? 0;
    const value = part.values[i] ?? 0;
    if (timeMs !== timesMs.at(-1)) {
      timesMs.push(timeMs);
      values.push(value);
    } else if (!Object.is(value, values.at(-1))) {
      const sentence = 'a series has two values at one instant; the first is kept';
      const sample = showSample({ ...part, timesMs: [timeMs], values: [value] });
      bury({ terminal: part.place.terminal, reason: 'duplicate', sentence, count: 1, sample });
    }
  }
  return { ...part, timesMs, values };
}

function createRequest() {
  const byPlace = new Map<Place, Map<Template, Growing>>();
  let samples = 0;
  return {
    size: () => samples,
    add: (
      place: Place,
      template: Template,
      timesMs: readonly number[],
      values: readonly number[],
    ) => {
      let series = byPlace.get(place);
      if (series === undefined) {
        series = new Map();
        byPlace.set(place, series);
      }
      let part = series.get(template);
      if (part === undefined) {
        part = { place, template, timesMs: [], values: [], ragged: false };
        series.set(template, part);
      }
      let last = part.timesMs.at(-1) ?? -1;
      for (let i = 0; i < timesMs.length; i += 1) {
        const timeMs = timesMs[i] ?? 0;
        if (timeMs <= last) part.ragged = true;
        last = timeMs;
        part.timesMs.push(timeMs);
        part.values.push(values[i] ?? 0);
      }
      samples += timesMs.length;
    },
    take: (bury: Bury): Part[] => {
      const parts: Part[] = [];
      for (const series of byPlace.values()) {
        for (const part of series.values()) parts.push(tidy(part, bury));
      }
      byPlace.clear();
      samples = 0;
      return parts;
    },
  };
}

/** The samples of one series that are not in the future. */
function presentOf(
  column: SeriesColumn,
  timesMs: readonly number[],
  untilMs: number,
): {
  readonly timesMs: readonly number[];
  readonly values: readonly number[];
  readonly future: number;
} {
  const { at, values } = column;
  const all = at === undefined ? timesMs : at.map((index) => timesMs[index] ?? 0);
  if (!all.some((timeMs) => timeMs > untilMs)) return { timesMs: all, values, future: 0 };
  const kept = all.map((timeMs, i) => [timeMs, values[i] ?? 0] as const);
  const present = kept.filter(([timeMs]) => timeMs <= untilMs);
  return {
    timesMs: present.map(([timeMs]) => timeMs),
    values: present.map(([, value]) => value),
    future: kept.length - present.length,
  };
}

/** Why a whole series is not sent, if so. */
function refusalOf(
  { budget }: Pick<PartsOptions, 'budget'>,
  own: boolean,
  terminal: string,
  template: Template | undefined,
): Pick<Buried, 'reason' | 'sentence'> | undefined {
  if (template === undefined) {
    return { reason: 'invalid', sentence: 'a label has a name that begins with two underscores' };
  }
  if (own || budget.admits(terminal, template.hash)) return undefined;
  return {
    reason: 'budget',
    sentence: `over the budget of series: ${template.text}`.slice(0, 300),
  };
}

/** Hands out the rows' samples request by request; a request is made when it is asked for. */
export function* requestsOf(
  rows: readonly LedgerRow[],
  options: PartsOptions,
  bury: Bury,
): Generator<readonly Part[]> {
  const { templates, storeOf, nowMs, samplesMax } = options;
  const request = createRequest();
  for (const row of rows) {
    const columns = readColumns(row);
    if (!columns.ok) {
      bury({ terminal: row.terminal, reason: 'unreadable', sentence: columns.reason, count: 1 });
      continue;
    }
    const own = row.terminal === OWN;
    const untilMs = nowMs() + FUTURE_MS_MAX;
    for (const column of columns.value.series) {
      const { name, labels } = column;
      const terminal = own ? labelOf(labels, 'terminal') : row.terminal;
      const template = templates.templateOf(name, own ? withoutOwn(labels) : labels);
      const refusal = refusalOf(options, own, terminal, template);
      if (template === undefined || refusal !== undefined) {
        const sentence = refusal?.sentence ?? '';
        const reason = refusal?.reason ?? 'invalid';
        bury({ terminal, reason, sentence, count: column.values.length, sample: name });
        continue;
      }
      const place = templates.placeOf(terminal, own ? labelOf(labels, 'store') : storeOf(terminal));
      const { timesMs, values, future } = presentOf(column, columns.value.timesMs, untilMs);
      if (future > 0) {
        const sentence = `more than ${FUTURE_MS_MAX / 60_000} min in the future of the broker's clock`;
        const sample = `${template.text} @${Math.max(...columns.value.timesMs)}`;
        bury({ terminal, reason: 'future', sentence, count: future, sample });
      }
      if (timesMs.length > 0) request.add(place, template, timesMs, values);
      if (request.size() >= samplesMax) yield request.take(bury);
    }
  }
  if (request.size() > 0) yield request.take(bury);
}

const withoutOwn = (labels: readonly string[]): readonly string[] =>
  labels.filter((_, i) => !['store', 'terminal'].includes(labels[i - (i % 2)] ?? ''));
