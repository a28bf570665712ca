// What goes when the quota is reached, in this order: letters the broker refused, unsealed samples,
// sealed metric batches, events, results; always the oldest first, and events never before metrics.
// Each drop takes a good piece at once, because it leaves a gap record, and a record for every sample
// would fill the room that was made.

import type { DropReason, Job } from './job.ts';
import * as rows from './rows.ts';

/** Dropped at once: this share of the quota. */
export const PIECE_RATIO = 1 / 64;
/** Samples may fill this share; the rest is for events, sealing and their overhead. */
export const METRIC_RATIO = 15 / 16;

type Why = { readonly drop: DropReason; readonly reason: string };
const QUOTA: Why = {
  drop: 'quota',
  reason: 'dropped for room: the outbox reached its quota',
};
const DISK: Why = { drop: 'disk', reason: 'dropped for room: the disk is nearly full' };

function dropLetters(job: Job): boolean {
  const gone = rows.clearDeadLetters(job.store);
  if (gone === 0) return false;
  job.tally.deadLetters -= gone;
  // Refused and counted when they were buried: no gap, the broker knows them.
  job.drops.push({ stream: 'metrics', reason: 'dead_letter_quota', count: gone });
  return true;
}

function dropSamples(job: Job, bytes: number, { drop, reason }: Why): boolean {
  const piece = rows.oldestBytes(job.store, 'sample', bytes);
  if (piece === undefined) return false;
  const before = job.tally.samples;
  rows.removeOldest(job.store, 'sample', piece.last);
  job.tally.samples = Math.max(0, before - piece.samples);
  job.tally.snapshots = Math.max(0, job.tally.snapshots - piece.snapshots);
  job.drops.push({ stream: 'metrics', reason: drop, count: piece.samples });
  job.gap({ stream: 'metrics', samples: piece.samples, reason });
  return true;
}

function dropSealedMetrics(job: Job, { drop, reason }: Why): boolean {
  const oldest = rows.sealedRows(job.store).find((row) => row.stream === 'metrics');
  if (oldest === undefined) return false;
  rows.removeBatch(job.store, 'metrics', oldest.seq);
  job.unsealed.push(oldest);
  job.drops.push({ stream: 'metrics', reason: drop, count: oldest.items });
  const { seq, items: samples } = oldest;
  job.gap({ stream: 'metrics', first: seq, last: seq, samples, reason });
  return true;
}

function dropTexts(job: Job, table: 'event' | 'result', bytes: number): boolean {
  const piece = rows.oldestBytes(job.store, table, bytes);
  if (piece === undefined) return false;
  const stream = table === 'event' ? 'events' : 'results';
  rows.removeOldest(job.store, table, piece.last);
  job.tally[stream] = Math.max(0, job.tally[stream] - piece.rows);
  job.drops.push({ stream, reason: 'quota', count: piece.rows });
  job.gap({ stream, [stream]: piece.rows, reason: QUOTA.reason });
  return true;
}

/** @returns false when nothing is left that may go. */
export function makeRoom(job: Job): boolean {
  const bytes = job.store.bytesMax * PIECE_RATIO;
  return (
    dropLetters(job) ||
    dropSamples(job, bytes, QUOTA) ||
    dropSealedMetrics(job, QUOTA) ||
    dropTexts(job, 'event', bytes) ||
    dropTexts(job, 'result', bytes)
  );
}

/** Room for samples only: never takes anything but samples. */
export const makeRoomForSamples = (job: Job): boolean =>
  dropLetters(job) ||
  dropSamples(job, job.store.bytesMax * PIECE_RATIO, QUOTA) ||
  dropSealedMetrics(job, QUOTA);

/** Of the waiting metrics, while the disk is short of room: about an hour of one terminal. */
export const METRICS_BYTES_LITTLE = 1024 * 1024;

/** A piece of the backlog, the oldest; what is sealed and on its way stays. @returns false when there is little. */
export const makeRoomOnDisk = (job: Job): boolean =>
  rows.sampleBytes(job.store) > METRICS_BYTES_LITTLE &&
  dropSamples(job, METRICS_BYTES_LITTLE / 2, DISK);

export const metricsTooBig = (job: Job): boolean =>
  job.store.usedBytes() > job.store.bytesMax * METRIC_RATIO;
