// The outbox's tables as typed functions; every SQL statement about queued data stands here. Each row
// carries a CRC of what it holds, because SQLite's own check sees the structure of its pages and not a
// flipped bit inside a blob. All run inside the caller's transaction.

import { crc32 } from 'node:zlib';
import type { TerminalEvent } from '../../protocol/events.ts';
import { ENCODINGS, type Encoding } from '../../protocol/wire.ts';
import type { Tally } from './job.ts';
import type { Store } from './store.ts';

/** One or more snapshots that wait unsealed. `mono`: set while the broker's time was not known. */
export type SampleRow = {
  readonly id: number;
  readonly timeMs: number;
  readonly untilMs: number;
  readonly snapshots: number;
  readonly samples: number;
  readonly mono: number | null;
};
export type SampleBody = {
  readonly encoding: Encoding;
  readonly body: Uint8Array;
  readonly intact: boolean;
};
export type TextRow = { readonly id: number; readonly body: string; readonly mono: number | null };

const row = (raw: Record<string, unknown>): SampleRow => ({
  id: Number(raw['id']),
  timeMs: Number(raw['time_ms']),
  untilMs: Number(raw['until_ms']),
  snapshots: Number(raw['snapshots']),
  samples: Number(raw['samples']),
  mono: raw['mono'] === null ? null : Number(raw['mono']),
});
const COLUMNS = 'id, time_ms, until_ms, snapshots, samples, mono';

export type NewSample = Omit<SampleRow, 'id'> & {
  readonly encoding: Encoding;
  readonly body: Uint8Array;
};

/** @param after an id that was used before: SQLite would give that of a removed last row again. @returns the row's id. */
export function addSample(store: Store, after: number, s: NewSample): number {
  const id = Math.max(after, newestSamples(store, 1)[0]?.id ?? 0) + 1;
  addSampleAt(store, id, s);
  return id;
}

/** Puts a folded body in the place of its first row: the order of ids stays the order of time. */
export function addSampleAt(store: Store, id: number, s: NewSample): void {
  store
    .sql('insert into sample values (?, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(
      id,
      s.timeMs,
      s.untilMs,
      s.snapshots,
      s.samples,
      s.mono,
      s.encoding,
      crc32(s.body),
      s.body,
    );
}

export const newestSamples = (store: Store, rowsMax: number): SampleRow[] =>
  store.sql(`select ${COLUMNS} from sample order by id desc limit ?`).all(rowsMax).map(row);

/** The oldest rows from id `from` on. */
export const oldestSamples = (store: Store, rowsMax: number, from = 0): SampleRow[] =>
  store
    .sql(`select ${COLUMNS} from sample where id >= ? order by id limit ?`)
    .all(from, rowsMax)
    .map(row);

/** One after the other from id `from` on, the oldest first; not into memory. */
export function* eachSample(store: Store, from: number, rowsMax: number): Generator<SampleRow> {
  const query = `select ${COLUMNS} from sample where id >= ? order by id limit ?`;
  for (const raw of store.sql(query).iterate(from, rowsMax)) yield row(raw);
}

export function sampleBody(store: Store, id: number): SampleBody {
  const raw = store.sql('select encoding, crc, body from sample where id = ?').get(id);
  const body = raw?.['body'] instanceof Uint8Array ? raw['body'] : new Uint8Array(0);
  const encoding = ENCODINGS.find((known) => known === raw?.['encoding']);
  const intact = encoding !== undefined && crc32(body) === raw?.['crc'];
  return { encoding: encoding ?? 'identity', body, intact };
}

export function removeSamples(store: Store, first: number, last: number): void {
  store.sql('delete from sample where id between ? and ?').run(first, last);
}

/** Of all samples that wait unsealed. */
export function sampleBytes(store: Store): number {
  const found = store.sql('select sum(length(body)) as bytes from sample').get();
  return Number(found?.['bytes'] ?? 0);
}

export type Texts = 'event' | 'result';

/** Records of a loss are never dropped: they are the only trace of what they name. */
const keptOf = (table: Texts): string =>
  table === 'event' ? "kind not in ('gap', 'thinned')" : 'true';

/** The oldest rows that together hold at least `bytes`, or all. */
export function oldestSampleBytes(store: Store, bytes: number): SampleRow[] {
  const query = `select ${COLUMNS}, length(body) as bytes from sample order by id`;
  const found: SampleRow[] = [];
  let sum = 0;
  for (const raw of store.sql(query).iterate()) {
    found.push(row(raw));
    sum += Number(raw['bytes']);
    if (sum >= bytes) break;
  }
  return found;
}

export type Piece = { readonly first: number; readonly last: number; readonly rows: number };

/** @returns the oldest texts that together hold at least `bytes`, or all; undefined: there is none. */
export function oldestTextBytes(store: Store, table: Texts, bytes: number): Piece | undefined {
  const query = `select id, length(body) as bytes from ${table} where ${keptOf(table)} order by id`;
  let sum = 0;
  let piece: Piece | undefined;
  for (const raw of store.sql(query).iterate()) {
    const last = Number(raw['id']);
    piece = { first: piece?.first ?? last, last, rows: (piece?.rows ?? 0) + 1 };
    sum += Number(raw['bytes']);
    if (sum >= bytes) break;
  }
  return piece;
}

export function removeOldest(store: Store, table: Texts, last: number): void {
  store.sql(`delete from ${table} where id <= ? and ${keptOf(table)}`).run(last);
}

export function addEventRow(store: Store, event: TerminalEvent, mono: number | null): void {
  const body = JSON.stringify(event);
  store.sql('insert into event values (null, ?, ?, ?, ?)').run(event.kind, mono, crc32(body), body);
}

export function addResultRow(store: Store, body: string): void {
  store.sql('insert into result values (null, ?, ?)').run(crc32(body), body);
}

/** The oldest waiting texts; a damaged one comes with an empty body. */
export function oldestTexts(store: Store, table: Texts, rowsMax: number): TextRow[] {
  const mono = table === 'event' ? 'mono' : 'null as mono';
  return store
    .sql(`select id, crc, body, ${mono} from ${table} order by id limit ?`)
    .all(rowsMax)
    .map(text);
}

const text = (raw: Record<string, unknown>): TextRow => {
  const body = String(raw['body']);
  return {
    id: Number(raw['id']),
    body: crc32(body) === raw['crc'] ? body : '',
    mono: raw['mono'] === null ? null : Number(raw['mono']),
  };
};

/** One event that waits; a damaged one comes with an empty body. */
export function eventAt(store: Store, id: number): TextRow | undefined {
  const raw = store.sql('select id, crc, body, mono from event where id = ?').get(id);
  return raw === undefined ? undefined : text(raw);
}

/** The newest events of a kind that wait, the newest first. */
export const newestEvents = (store: Store, kind: string, rowsMax: number): TextRow[] =>
  store
    .sql('select id, crc, body, mono from event where kind = ? order by id desc limit ?')
    .all(kind, rowsMax)
    .map(text);

export function rewriteEvent(store: Store, id: number, event: TerminalEvent): void {
  const body = JSON.stringify(event);
  store.sql('update event set crc = ?, body = ? where id = ?').run(crc32(body), body, id);
}

export function removeTexts(store: Store, table: Texts, last: number): void {
  store.sql(`delete from ${table} where id <= ?`).run(last);
}

/** Counted once at opening; the outbox keeps count from there. */
export function countWaiting(store: Store): Tally {
  const one = (text: string): number => Number(Object.values(store.sql(text).get() ?? {})[0] ?? 0);
  return {
    snapshots: one('select total(snapshots) from sample'),
    samples: one('select total(samples) from sample'),
    events: one('select count(*) from event'),
    results: one('select count(*) from result'),
    spans: one('select total(spans) from span'),
    spanBytes: one('select total(length(body)) from span'),
    deadLetters: one('select count(*) from dead_letter'),
    kept: one('select total(length(bytes)) from batch where id in (select id from kept)'),
    foldedTo: one('select max(id) from sample where snapshots > 1'),
    liveTo: 0,
    thinnedTo: [0, 0],
  };
}
