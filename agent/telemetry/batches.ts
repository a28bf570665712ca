// Sealed batches in the outbox's file as typed functions, those that the broker refused, and those that
// are kept after their acknowledgement (kept.ts decides which and how long). A kept batch stays where it
// lies and is only named in a table beside it: copying its bytes would wear the flash twice, and an agent
// of an earlier version that finds the file sends it once more, harmlessly. All run inside the caller's
// transaction.

import { crc32 } from 'node:zlib';
import type { Stream } from '../../protocol/wire.ts';
import type { Store } from './store.ts';

export type SealedRow = {
  readonly id: number;
  readonly stream: Stream;
  readonly seq: number;
  readonly live: boolean;
  /** Samples, events, results or spans inside. */
  readonly items: number;
  /** Acknowledged by an earlier ledger, and sent once more to this one. */
  readonly again?: boolean;
};
export type NewBatch = Omit<SealedRow, 'id' | 'again'>;

const COLUMNS = 'batch.id as id, stream, seq, live, items';

const row = (raw: Record<string, unknown>): SealedRow => ({
  id: Number(raw['id']),
  stream: String(raw['stream']) as Stream,
  seq: Number(raw['seq']),
  live: raw['live'] === 1,
  items: Number(raw['items']),
});

/** The next seq of a stream, from 1 and without holes: taken and kept in the same transaction. */
export function nextSeq(store: Store, stream: Stream): number {
  const taken = store
    .sql('insert into lane values (?, 1) on conflict do update set seq = seq + 1 returning seq')
    .get(stream);
  return Number(taken?.['seq']);
}

/** The highest seq taken of each stream. */
export const lanes = (store: Store): Map<Stream, number> =>
  new Map(
    store
      .sql('select stream, seq from lane')
      .all()
      .map((raw) => [String(raw['stream']) as Stream, Number(raw['seq'])]),
  );

/** The numbers up to `seq` are never used (again). */
export function skipTo(store: Store, stream: Stream, seq: number): void {
  store
    .sql('insert into lane values (?, ?) on conflict do update set seq = max(seq, excluded.seq)')
    .run(stream, seq);
}

export function addBatch(store: Store, batch: NewBatch, bytes: Uint8Array): SealedRow {
  const { stream, seq, live, items } = batch;
  const added = store
    .sql('insert into batch values (null, ?, ?, ?, ?, ?, ?)')
    .run(stream, seq, live ? 1 : 0, items, crc32(bytes), bytes);
  return { ...batch, id: Number(added.lastInsertRowid) };
}

/** Not acknowledged, in the order of sealing. */
export const sealedRows = (store: Store): SealedRow[] =>
  store
    .sql(`select ${COLUMNS} from batch where id not in (select id from kept) order by id`)
    .all()
    .map(row);

/** @returns undefined when the stored bytes are no longer what they were. */
export function batchBytes(store: Store, id: number): Uint8Array | undefined {
  const raw = store.sql('select crc, bytes from batch where id = ?').get(id);
  const bytes = raw?.['bytes'];
  return bytes instanceof Uint8Array && crc32(bytes) === raw?.['crc'] ? bytes : undefined;
}

export function removeBatch(store: Store, id: number): void {
  store.sql('delete from batch where id = ?').run(id);
}

export type Letter = { readonly reason: string; readonly timeMs: number; readonly rowsMax: number };

/** Moves a refused batch; keeps the newest `rowsMax`. @returns how many old letters were dropped. */
export function bury(store: Store, { id, stream, seq }: SealedRow, letter: Letter): number {
  const { reason, timeMs, rowsMax } = letter;
  store
    .sql(
      `insert into dead_letter
       select null, ?, ?, ?, ?, bytes from batch where id = ?`,
    )
    .run(stream, seq, reason, timeMs, id);
  removeBatch(store, id);
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

/** Who has acknowledged a kept batch is one bit for each ledger. @returns its bytes if it was not kept before. */
export function keep(store: Store, id: number, atMs: number, bit: number): number {
  const found = store
    .sql(
      `select length(bytes) as bytes, kept.id as known from batch left join kept on kept.id = batch.id
       where batch.id = ?`,
    )
    .get(id);
  if (found === undefined) return 0;
  store
    .sql('insert into kept values (?, ?, ?) on conflict do update set mask = mask | excluded.mask')
    .run(id, Math.round(atMs), bit);
  return found['known'] === null ? Number(found['bytes']) : 0;
}

/** To be called before the batch itself is removed. @returns its bytes if it was kept. */
export function unkeep(store: Store, id: number): number {
  const query = 'select length(bytes) as bytes from kept join batch using (id) where id = ?';
  const found = store.sql(query).get(id);
  store.sql('delete from kept where id = ?').run(id);
  return Number(found?.['bytes'] ?? 0);
}

export type KeptRow = SealedRow & { readonly atMs: number; readonly bytes: number };

export function oldestKept(store: Store): KeptRow | undefined {
  const raw = store
    .sql(
      `select ${COLUMNS}, at_ms, length(bytes) as bytes from kept join batch on batch.id = kept.id
       order by kept.id limit 1`,
    )
    .get();
  if (raw === undefined) return undefined;
  return { ...row(raw), atMs: Number(raw['at_ms']), bytes: Number(raw['bytes']) };
}

/** Kept, and not acknowledged by the ledger of this bit; the oldest above id `after`. */
export const notAcknowledgedBy = (
  store: Store,
  bit: number,
  after: number,
  rowsMax: number,
): SealedRow[] =>
  store
    .sql(
      `select ${COLUMNS} from kept join batch on batch.id = kept.id
       where kept.id > ? and mask & ? = 0 order by kept.id limit ?`,
    )
    .all(after, bit, rowsMax)
    .map((raw) => ({ ...row(raw), live: false, again: true }));

/** The bit is about to stand for another ledger, which has acknowledged nothing. */
export function clearBit(store: Store, bit: number): void {
  store.sql('update kept set mask = mask & ~?').run(bit);
}
