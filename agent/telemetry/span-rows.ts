// Spans that wait unsealed: one row for what was added at once, as the packed body that goes on the wire, so
// that the lane holds many of them in its 4 MB. The oldest go first when it is full, counted and named by a
// gap record; nothing else is ever dropped for a span. Sealing puts rows together up to the limits of a body.

import { crc32 } from 'node:zlib';
import { packBody, unpackBody } from '../../protocol/body.ts';
import * as limits from '../../protocol/limits.ts';
import {
  type Attributes,
  decodeTraces,
  encodeTraces,
  type SpanGroup,
} from '../../protocol/traces.ts';
import { ENCODINGS, type Encoding } from '../../protocol/wire.ts';
import type { Job } from './job.ts';
import type { Why } from './room.ts';
import type { Packed } from './seal.ts';
import type { Store } from './store.ts';

/** Of the outbox, at most, for spans that wait. */
export const SPANS_BYTES_MAX = 4 * 1024 * 1024;
/** Dropped at once when the lane is full. */
const PIECE_BYTES = 64 * 1024;
/** Rows that are looked at for one body. */
const ROWS_AT_ONCE = 64;

const FULL: Why = { drop: 'quota', reason: 'dropped for room: the lane of spans is full' };

export type NewSpans = {
  readonly spans: number;
  readonly timeMs: number;
  readonly untilMs: number;
  readonly encoding: Encoding;
  readonly body: Uint8Array;
};
type SpanRow = NewSpans & {
  readonly id: number;
  readonly mono: number | null;
  readonly intact: boolean;
};

const countOf = (groups: readonly SpanGroup[]): number =>
  groups.reduce((sum, { spans }) => sum + spans.length, 0);

/** Bodies of at most SEAL_BYTES and SPANS_PER_BODY_MAX; a group that is larger is halved. */
export function packSpans({ resource, spans }: SpanGroup): NewSpans[] {
  if (spans.length === 0) return [];
  const plain = encodeTraces([{ resource, spans }]);
  const isSmall = plain.length <= limits.SEAL_BYTES && spans.length <= limits.SPANS_PER_BODY_MAX;
  if (!isSmall && spans.length > 1) {
    const middle = spans.length >>> 1;
    return [
      ...packSpans({ resource, spans: spans.slice(0, middle) }),
      ...packSpans({ resource, spans: spans.slice(middle) }),
    ];
  }
  const timeMs = Math.min(...spans.map((span) => span.startMs));
  const untilMs = Math.max(...spans.map((span) => span.endMs));
  return [{ spans: spans.length, timeMs, untilMs, ...packBody(plain) }];
}

const row = (raw: Record<string, unknown>): SpanRow => {
  const body = raw['body'] instanceof Uint8Array ? raw['body'] : new Uint8Array(0);
  const encoding = ENCODINGS.find((known) => known === raw['encoding']);
  return {
    id: Number(raw['id']),
    timeMs: Number(raw['time_ms']),
    untilMs: Number(raw['until_ms']),
    spans: Number(raw['spans']),
    mono: raw['mono'] === null ? null : Number(raw['mono']),
    encoding: encoding ?? 'identity',
    body,
    intact: encoding !== undefined && crc32(body) === raw['crc'],
  };
};

function remove(job: Job, gone: SpanRow): void {
  job.store.sql('delete from span where id = ?').run(gone.id);
  job.tally.spans -= gone.spans;
  job.tally.spanBytes -= gone.body.length;
}

const oldest = (store: Store, rowsMax: number): SpanRow[] =>
  store.sql('select * from span order by id limit ?').all(rowsMax).map(row);

/** The oldest, at least so many bytes. @returns false when there is none. */
export function dropSpans(job: Job, bytes: number, { drop, reason }: Why): boolean {
  const gone: SpanRow[] = [];
  let freed = 0;
  while (freed < bytes) {
    const [next] = oldest(job.store, 1);
    if (next === undefined) break;
    remove(job, next);
    gone.push(next);
    freed += next.body.length;
  }
  const [first] = gone;
  if (first === undefined) return false;
  const spans = gone.reduce((sum, each) => sum + each.spans, 0);
  const shiftMs = (each: SpanRow): number => job.recordMs(each.untilMs, each.mono) - each.untilMs;
  const fromMs = Math.floor(Math.min(...gone.map((each) => each.timeMs + shiftMs(each))));
  const untilMs = Math.ceil(Math.max(...gone.map((each) => each.untilMs + shiftMs(each))));
  job.drops.push({ stream: 'traces', reason: drop, count: spans });
  const areFinal = first.mono === null;
  job.gap({ stream: 'traces', spans, fromMs: Math.max(0, fromMs), untilMs, reason }, areFinal);
  return true;
}

export function addSpanRow(job: Job, added: NewSpans, mono: number | null): void {
  const { timeMs, untilMs, spans, encoding, body } = added;
  if (job.tally.spanBytes + body.length > SPANS_BYTES_MAX) dropSpans(job, PIECE_BYTES, FULL);
  job.store
    .sql('insert into span values (null, ?, ?, ?, ?, ?, ?, ?)')
    .run(timeMs, untilMs, spans, mono, encoding, crc32(body), body);
  job.tally.spans += spans;
  job.tally.spanBytes += body.length;
}

function shifted(groups: SpanGroup[], ms: number): SpanGroup[] {
  if (ms === 0) return groups;
  const move = (timeMs: number): number => Math.max(0, timeMs + ms);
  return groups.map(({ resource, spans }) => ({
    resource,
    spans: spans.map((span) => ({
      ...span,
      startMs: move(span.startMs),
      endMs: move(span.endMs),
      events: span.events.map((event) => ({ ...event, timeMs: move(event.timeMs) })),
    })),
  }));
}

type Opened = { readonly groups: SpanGroup[]; readonly bytes: number };

/** Reads a row at its corrected time; a damaged one leaves a gap record. */
function read(job: Job, from: SpanRow): Opened {
  const plain = from.intact ? unpackBody(from) : undefined;
  const groups = plain?.ok ? decodeTraces(plain.value) : undefined;
  if (plain?.ok && groups?.ok) {
    const ms = Math.round(job.resolve(from.untilMs, from.mono) - from.untilMs);
    return { groups: shifted(groups.value, ms), bytes: plain.value.length };
  }
  const { spans } = from;
  job.drops.push({ stream: 'traces', reason: 'damaged', count: spans });
  job.gap({ stream: 'traces', spans, reason: 'stored spans were damaged' });
  return { groups: [], bytes: 0 };
}

/** One group for each source, so that its name travels once. */
function joined(groups: readonly SpanGroup[]): SpanGroup[] {
  const all = new Map<string, { resource: Attributes; spans: SpanGroup['spans'][number][] }>();
  for (const { resource, spans } of groups) {
    const key = JSON.stringify(resource);
    const found = all.get(key);
    if (found === undefined) all.set(key, { resource, spans: [...spans] });
    else found.spans.push(...spans);
  }
  return [...all.values()];
}

/** Takes the oldest spans that go into one body. */
export function takeSpans(job: Job): (Packed & { readonly spans: number }) | undefined {
  if (job.tally.spans <= 0) return undefined;
  const groups: SpanGroup[] = [];
  let bytes = 0;
  let spans = 0;
  for (const next of oldest(job.store, ROWS_AT_ONCE)) {
    if (spans + next.spans > limits.SPANS_PER_BODY_MAX) break;
    const opened = read(job, next);
    // Joining makes it smaller, never larger.
    if (bytes + opened.bytes > limits.SEAL_BYTES && spans > 0) break;
    remove(job, next);
    groups.push(...opened.groups);
    bytes += opened.bytes;
    spans += countOf(opened.groups);
  }
  if (spans === 0) return undefined;
  return { ...packBody(encodeTraces(joined(groups))), taken: spans, spans };
}
