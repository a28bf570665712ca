// What is remembered after its acknowledgement: events and results of the last 72 hours, 8 MB at most and the
// first to go when room is needed. A ledger that was made anew or restored from a backup says so by another
// generation; whatever it has not acknowledged itself is then sent once more, the very same bytes under the
// same number. Which of the last ledgers has acknowledged what is one bit each, so that two brokers behind one
// address, which a terminal meets in turn, cost one resend and not one at each change. A ledger whose file was
// put back without a new generation cannot be told from one that never went back: restoring makes a new one.

import type { SealedRow } from './batches.ts';
import * as batches from './batches.ts';
import type { Drop, Job } from './job.ts';
import type { Store } from './store.ts';

export const KEPT_MS = 72 * 3_600_000;
export const KEPT_BYTES_MAX = 8 * 1024 * 1024;
/** Ledgers that are told apart; one more takes the place of the one met longest ago. */
export const LEDGERS_MAX = 8;

/** Generations in hex, in the place of their bit, and the place of the present one (-1: none was met). */
export type Ledgers = { readonly known: readonly string[]; readonly present: number };

const NONE: Ledgers = { known: [], present: -1 };
export const bitOf = ({ present }: Ledgers): number => (present < 0 ? 0 : 1 << present);
export const generationOf = ({ known, present }: Ledgers): string => known[present] ?? '';

export function readLedgers(store: Store): Ledgers {
  const raw = store.sql("select value from meta where key = 'ledgers'").get()?.['value'];
  const [present, ...known] = typeof raw === 'string' ? raw.split(' ') : [];
  const place = Number(present);
  return Number.isInteger(place) && place < known.length ? { known, present: place } : NONE;
}

/** From here on this ledger's acknowledgements count; on disk with the rest of the transaction. */
export function meet(job: Job, before: Ledgers, generation: string): Ledgers {
  const place = before.known.indexOf(generation);
  const isFull = before.known.length >= LEDGERS_MAX;
  const free = isFull ? (before.present + 1) % LEDGERS_MAX : before.known.length;
  const present = place < 0 ? free : place;
  const known = before.known.toSpliced(present, 1, generation);
  if (place < 0) batches.clearBit(job.store, 1 << present);
  job.store
    .sql("insert into meta values ('ledgers', ?1) on conflict do update set value = ?1")
    .run([present, ...known].join(' '));
  return { known, present };
}

const isKept = ({ stream }: SealedRow): boolean => stream === 'events' || stream === 'results';

function giveUp(job: Job, row: batches.KeptRow): void {
  job.tally.kept -= batches.unkeep(job.store, row.id);
  batches.removeBatch(job.store, row.id);
  // It may be on its way once more.
  job.unsealed.push(row);
}

/** Too old or too much: nobody was promised more, so it is no loss and not counted as one. */
function trim(job: Job, nowMs: number): void {
  for (;;) {
    const oldest = batches.oldestKept(job.store);
    if (oldest === undefined) return;
    if (job.tally.kept <= KEPT_BYTES_MAX && nowMs - oldest.atMs <= KEPT_MS) return;
    giveUp(job, oldest);
  }
}

export type Settled = { readonly row: SealedRow; readonly bit: number; readonly atMs: number };

/** What an acknowledgement does to the file. */
export function settle(job: Job, all: readonly Settled[]): void {
  for (const { row, bit, atMs } of all) {
    if (isKept(row)) job.tally.kept += batches.keep(job.store, row.id, atMs, bit);
    else batches.removeBatch(job.store, row.id);
  }
  const newest = all.findLast(({ row }) => isKept(row));
  if (newest !== undefined) trim(job, newest.atMs);
}

/** Of the kept ones, at least so many bytes. @returns false when there is none. */
export function dropKept(job: Job, bytes: number): boolean {
  let freed = 0;
  const gone: Partial<Record<Drop['stream'], number>> = {};
  while (freed < bytes) {
    const oldest = batches.oldestKept(job.store);
    if (oldest === undefined) break;
    giveUp(job, oldest);
    freed += oldest.bytes;
    gone[oldest.stream] = (gone[oldest.stream] ?? 0) + 1;
  }
  for (const [stream, count] of Object.entries(gone)) {
    job.drops.push({ stream: stream as Drop['stream'], reason: 'kept', count });
  }
  return freed > 0;
}
