// What becomes of batches that the broker refused: they move to the dead letters, for a person to look at. One
// that was refused because its number is taken (this outbox is older than the ledger remembers it: a disk that
// lost its last minutes, a copy put back) is sealed once more under a number far beyond, so that nothing in it
// is lost; the numbers between are named by a gap record.

import * as limits from '../../protocol/limits.ts';
import {
  CONFLICT_REASON,
  decodeBatch,
  encodeBatch,
  type Refusal,
  type Stream,
} from '../../protocol/wire.ts';
import type { SealedRow } from './batches.ts';
import * as batches from './batches.ts';
import { keyOf } from './desk-items.ts';
import type { OutboxFile } from './file.ts';
import type { Job } from './job.ts';

/** Refused batches kept for a person to look at. */
export const DEAD_LETTERS_MAX = 32;
/** More than a log of 1 MB can hold commits, which is what an honest disk can lose at most. */
export const NUMBERS_SKIPPED = 4_096;

const TAKEN = 'their numbers were taken: this outbox is older than the ledger remembers it';

type Stamp = { readonly timeMs: number; readonly clockOffsetMs: number };
export type Buried = { readonly stream: Stream; readonly seq: number; readonly again: boolean };
export type Burial = {
  readonly file: OutboxFile;
  readonly refused: readonly Refusal[];
  readonly stamp: Stamp;
  readonly forget: (buried: Buried) => void;
};

/** @returns false when its bytes can no longer be read: only the letter is left then. */
function sealAnew(job: Job, row: SealedRow, stamp: Stamp): boolean {
  const bytes = batches.batchBytes(job.store, row.id);
  const old = bytes === undefined ? undefined : decodeBatch(bytes);
  if (!old?.ok) return false;
  const { stream, live, items } = row;
  const taken = batches.lanes(job.store).get(stream) ?? row.seq;
  // Several are refused at once: only the first of them skips.
  if (taken - row.seq < NUMBERS_SKIPPED) {
    const last = taken + NUMBERS_SKIPPED;
    batches.skipTo(job.store, stream, last);
    job.lanesMoved = true;
    job.gap({ stream, first: taken + 1, last, reason: TAKEN });
  }
  const seq = batches.nextSeq(job.store, stream);
  const { timeMs: createdMs, clockOffsetMs } = stamp;
  const anew = encodeBatch({ ...old.value, seq, createdMs, clockOffsetMs });
  job.sealed.push(batches.addBatch(job.store, { stream, seq, live, items }, anew));
  return true;
}

function buryOne(job: Job, row: SealedRow, reason: string, stamp: Stamp): boolean {
  const again = reason.startsWith(CONFLICT_REASON) && sealAnew(job, row, stamp);
  const { stream } = row;
  const letter = { reason, timeMs: stamp.timeMs, rowsMax: DEAD_LETTERS_MAX };
  job.tally.kept -= batches.unkeep(job.store, row.id);
  const count = batches.bury(job.store, row, letter);
  job.tally.deadLetters += 1 - count;
  if (count > 0) job.drops.push({ stream, reason: 'dead_letter_quota', count });
  job.unsealed.push(row);
  return again;
}

/** @returns how many were buried. */
export function buryRefused({ file, refused, stamp, forget }: Burial): number {
  let buried = 0;
  for (const { stream, seq, reason: why } of refused) {
    const row = file.sealed.get(keyOf({ stream, seq }));
    if (row === undefined) continue;
    const reason = why.slice(0, limits.REASON_CHARS_MAX);
    const done = file.run((job) => buryOne(job, row, reason, stamp));
    if (!done.ok) continue;
    forget({ stream, seq, again: done.value });
    buried += 1;
  }
  return buried;
}
