// What goes when the quota is reached, in this order: what is kept after its acknowledgement, letters the
// broker refused, detail of old samples (thinning.ts), the oldest samples, sealed metric batches, spans,
// events, results; always the oldest first, and events never before metrics. Each drop takes a good piece at
// once, because it leaves a gap record, and a record for every sample would fill the room that was made.

import { unpackBody } from '../../protocol/body.ts';
import { decodeMetricColumns } from '../../protocol/metric-columns.ts';
import { decodeBatch } from '../../protocol/wire.ts';
import * as batches from './batches.ts';
import type { DropReason, Job } from './job.ts';
import { dropKept } from './kept.ts';
import { noteSamples } from './notes.ts';
import * as rows from './rows.ts';
import { dropSpans } from './span-rows.ts';
import { thinOldest } from './thinning.ts';

/** Dropped at once: this share of the quota. */
export const PIECE_RATIO = 1 / 64;
/** Samples may fill this share; the rest is for events, sealing and their overhead. */
export const METRIC_RATIO = 15 / 16;

export type Why = { readonly drop: DropReason; readonly reason: string };
const QUOTA: Why = {
  drop: 'quota',
  reason: 'dropped for room: the outbox reached its quota',
};
const DISK: Why = { drop: 'disk', reason: 'dropped for room: the disk is nearly full' };

function dropLetters(job: Job): boolean {
  const gone = batches.clearDeadLetters(job.store);
  if (gone === 0) return false;
  job.tally.deadLetters -= gone;
  // Refused and counted when they were buried: no gap, the broker knows them.
  job.drops.push({ stream: 'metrics', reason: 'dead_letter_quota', count: gone });
  return true;
}

function dropSamples(job: Job, bytes: number, { drop, reason }: Why): boolean {
  const oldest = rows.oldestSampleBytes(job.store, bytes);
  const [first] = oldest;
  const last = oldest.at(-1);
  if (first === undefined || last === undefined) return false;
  rows.removeSamples(job.store, first.id, last.id);
  const sum = (of: 'samples' | 'snapshots'): number => oldest.reduce((n, row) => n + row[of], 0);
  job.tally.samples = Math.max(0, job.tally.samples - sum('samples'));
  job.tally.snapshots = Math.max(0, job.tally.snapshots - sum('snapshots'));
  job.drops.push({ stream: 'metrics', reason: drop, count: sum('samples') });
  noteSamples(job, oldest, { stream: 'metrics', reason });
  return true;
}

/** From when until when the samples of a sealed batch were taken; nothing where it cannot be read. */
export function timesOf(bytes: Uint8Array | undefined): { fromMs?: number; untilMs?: number } {
  const batch = bytes === undefined ? undefined : decodeBatch(bytes);
  const plain = batch?.ok ? unpackBody(batch.value) : undefined;
  const columns = plain?.ok ? decodeMetricColumns(plain.value) : undefined;
  if (!columns?.ok || columns.value.timesMs.length === 0) return {};
  const { timesMs } = columns.value;
  return { fromMs: Math.min(...timesMs), untilMs: Math.max(...timesMs) };
}

function dropSealedMetrics(job: Job, { drop, reason }: Why): boolean {
  const oldest = batches.sealedRows(job.store).find((row) => row.stream === 'metrics');
  if (oldest === undefined) return false;
  const times = timesOf(batches.batchBytes(job.store, oldest.id));
  batches.removeBatch(job.store, oldest.id);
  job.unsealed.push(oldest);
  job.drops.push({ stream: 'metrics', reason: drop, count: oldest.items });
  const { seq, items: samples } = oldest;
  job.gap({ stream: 'metrics', first: seq, last: seq, samples, ...times, reason }, true);
  return true;
}

function dropTexts(job: Job, table: rows.Texts, bytes: number): boolean {
  const piece = rows.oldestTextBytes(job.store, table, bytes);
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
    makeRoomForSamples(job) ||
    dropSpans(job, bytes, QUOTA) ||
    dropTexts(job, 'event', bytes) ||
    dropTexts(job, 'result', bytes)
  );
}

/** Room for samples only: never takes anything that waits but samples. */
export const makeRoomForSamples = (job: Job): boolean => {
  const bytes = job.store.bytesMax * PIECE_RATIO;
  return (
    dropKept(job, bytes) ||
    dropLetters(job) ||
    thinOldest(job) ||
    dropSamples(job, bytes, QUOTA) ||
    dropSealedMetrics(job, QUOTA)
  );
};

/** Of the waiting metrics, while the disk is short of room: about an hour of one terminal. */
export const METRICS_BYTES_LITTLE = 1024 * 1024;

/** What is kept first, then the oldest backlog; what is sealed and on its way stays. @returns false when there is little. */
export const makeRoomOnDisk = (job: Job): boolean =>
  dropKept(job, METRICS_BYTES_LITTLE / 2) ||
  (rows.sampleBytes(job.store) > METRICS_BYTES_LITTLE &&
    dropSamples(job, METRICS_BYTES_LITTLE / 2, DISK));

export const metricsTooBig = (job: Job): boolean =>
  job.store.usedBytes() > job.store.bytesMax * METRIC_RATIO;
