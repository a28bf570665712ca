// The outbox's tables as typed functions; every SQL statement about queued data stands here. Each row
// carries a CRC of what it holds, because SQLite's own check sees the structure of its pages and not a
// flipped bit inside a blob. All run inside the caller's transaction.

import { crc32 } from 'node:zlib';
import type { TerminalEvent } from '../../protocol/events.ts';
import type { Encoding, Stream } from '../../protocol/wire.ts';
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
export type SealedRow = {
  readonly stream: Stream;
  readonly seq: number;
  readonly live: boolean;
  /** Samples, events or results inside. */
  readonly items: number;
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

/** @returns the row's id. */
export function addSample(store: Store, s: NewSample): number {
  const added = store
    .sql('insert into sample values (null, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(s.timeMs, s.untilMs, s.snapshots, s.samples, s.mono, s.encoding, crc32(s.body), s.body);
  return Number(added.lastInsertRowid);
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

export function sampleBody(store: Store, id: number): SampleBody {
  const raw = store.sql('select encoding, crc, body from sample where id = ?').get(id);
  const body = raw?.['body'] instanceof Uint8Array ? raw['body'] : new Uint8Array(0);
  const encoding = raw?.['encoding'] === 'gzip' ? 'gzip' : 'identity';
  return { encoding, body, intact: crc32(body) === raw?.['crc'] };
}

export function removeSamples(store: Store, first: number, last: number): void {
  store.sql('delete from sample where id between ? and ?').run(first, last);
}

/** Of all samples that wait unsealed. */
export function sampleBytes(store: Store): number {
  const found = store.sql('select sum(length(body)) as bytes from sample').get();
  return Number(found?.['bytes'] ?? 0);
}

export type Piece = {
  readonly last: number;
  readonly rows: number;
  readonly samples: number;
  readonly snapshots: number;
};

/** @returns the oldest rows that together hold at least `bytes`, or all; undefined: there is none. */
export function oldestBytes(
  store: Store,
  table: 'sample' | 'event' | 'result',
  bytes: number,
): Piece | undefined {
  const counts = table === 'sample' ? 'samples, snapshots' : '0 as samples, 0 as snapshots';
  // A gap record is never dropped: it is the only trace of what it names.
  const kept = table === 'event' ? "where kind <> 'gap'" : '';
  const query = `select id, length(body) as bytes, ${counts} from ${table} ${kept} order by id`;
  let sum = 0;
  let piece: Piece | undefined;
  for (const raw of store.sql(query).iterate()) {
    piece = {
      last: Number(raw['id']),
      rows: (piece?.rows ?? 0) + 1,
      samples: (piece?.samples ?? 0) + Number(raw['samples']),
      snapshots: (piece?.snapshots ?? 0) + Number(raw['snapshots']),
    };
    sum += Number(raw['bytes']);
    if (sum >= bytes) break;
  }
  return piece;
}

export function removeOldest(
  store: Store,
  table: 'sample' | 'event' | 'result',
  last: number,
): void {
  const kept = table === 'event' ? " and kind <> 'gap'" : '';
  store.sql(`delete from ${table} where id <= ?${kept}`).run(last);
}

export function addEventRow(store: Store, event: TerminalEvent, mono: number | null): void {
  const body = JSON.stringify(event);
  store.sql('insert into event values (null, ?, ?, ?, ?)').run(event.kind, mono, crc32(body), body);
}

export function addResultRow(store: Store, body: string): void {
  store.sql('insert into result values (null, ?, ?)').run(crc32(body), body);
}

/** The oldest waiting texts; a damaged one comes with an empty body. */
export function oldestTexts(store: Store, table: 'event' | 'result', rowsMax: number): TextRow[] {
  const mono = table === 'event' ? 'mono' : 'null as mono';
  return store
    .sql(`select id, crc, body, ${mono} from ${table} order by id limit ?`)
    .all(rowsMax)
    .map((raw) => {
      const body = String(raw['body']);
      return {
        id: Number(raw['id']),
        body: crc32(body) === raw['crc'] ? body : '',
        mono: raw['mono'] === null ? null : Number(raw['mono']),
      };
    });
}

export function removeTexts(store: Store, table: 'event' | 'result', last: number): void {
  store.sql(`delete from ${table} where id <= ?`).run(last);
}

/** The next seq of a stream, from 1 and without holes: taken and kept in the same transaction. */
export function nextSeq(store: Store, stream: Stream): number {
  const taken = store
    .sql('insert into lane values (?, 1) on conflict do update set seq = seq + 1 returning seq')
    .get(stream);
  return Number(taken?.['seq']);
}

export function addBatch(store: Store, sealed: SealedRow, bytes: Uint8Array): void {
  store
    .sql('insert into batch values (null, ?, ?, ?, ?, ?, ?)')
    .run(sealed.stream, sealed.seq, sealed.live ? 1 : 0, sealed.items, crc32(bytes), bytes);
}

export const sealedRows = (store: Store): SealedRow[] =>
  store
    .sql('select stream, seq, live, items from batch order by id')
    .all()
    .map((raw) => ({
      stream: String(raw['stream']) as Stream,
      seq: Number(raw['seq']),
      live: raw['live'] === 1,
      items: Number(raw['items']),
    }));

/** @returns undefined when the stored bytes are no longer what they were. */
export function batchBytes(store: Store, stream: Stream, seq: number): Uint8Array | undefined {
  const raw = store
    .sql('select crc, bytes from batch where stream = ? and seq = ?')
    .get(stream, seq);
  const bytes = raw?.['bytes'];
  return bytes instanceof Uint8Array && crc32(bytes) === raw?.['crc'] ? bytes : undefined;
}

export function removeBatch(store: Store, stream: Stream, seq: number): void {
  store.sql('delete from batch where stream = ? and seq = ?').run(stream, seq);
}

/** Moves a refused batch; keeps the newest `rowsMax`. @returns how many old letters were dropped. */
export function bury(
  store: Store,
  letter: { stream: Stream; seq: number; reason: string; timeMs: number; rowsMax: number },
): number {
  const { stream, seq, reason, timeMs, rowsMax } = letter;
  store
    .sql(
      `insert into dead_letter
       select null, stream, seq, ?, ?, bytes from batch where stream = ? and seq = ?`,
    )
    .run(reason, timeMs, stream, seq);
  removeBatch(store, stream, seq);
  const old = store
    .sql(
      `delete from dead_letter where id not in
       (select id from dead_letter order by id desc limit ?)`,
    )
    .run(rowsMax);
  return Number(old.changes);
}

export const clearDeadLetters = (store: Store): number =>
  Number(store.sql('delete from dead_letter').run().changes);

/** Counted once at opening; the outbox keeps count from there. */
export function countWaiting(store: Store): {
  snapshots: number;
  samples: number;
  events: number;
  results: number;
  deadLetters: number;
  foldedTo: number;
  liveTo: number;
} {
  const one = (text: string): number => Number(Object.values(store.sql(text).get() ?? {})[0] ?? 0);
  return {
    snapshots: one('select total(snapshots) from sample'),
    samples: one('select total(samples) from sample'),
    events: one('select count(*) from event'),
    results: one('select count(*) from result'),
    deadLetters: one('select count(*) from dead_letter'),
    foldedTo: one('select max(id) from sample where snapshots > 1'),
    liveTo: 0,
  };
}
