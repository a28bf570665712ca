// Samples that wait unsealed. Each snapshot is its own row until a live batch takes the newest minute;
// while the line is down older rows are folded, ten minutes into one compressed body, because a
// snapshot alone repeats every name and label (30 days in 64 MB need two bytes a sample). Backlog is
// taken from the oldest end and never from the minute that is live.

import { packBody, unpackBody } from '../../protocol/body.ts';
import * as limits from '../../protocol/limits.ts';
import { decodeMetricBody, encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import type { Job } from './job.ts';
import { noteSamples } from './notes.ts';
import type { SampleRow } from './rows.ts';
import * as rows from './rows.ts';
import { type Packed, packSnapshots, splitSnapshot } from './seal.ts';

/** A minute has four snapshots by default; at one a second it has sixty. */
const LIVE_ROWS_MAX = 100;
/** Timers are late: a live batch may span this much more than asked for. */
const LIVE_SLACK_RATIO = 1.25;
/** Folded at the latest at this many single rows, whatever their times say. */
const FOLD_ROWS = 240;

export type Shelved = Packed & { readonly samples: number };

/** @returns how many samples were put on the shelf. */
export function shelve(job: Job, snapshot: Snapshot, mono: number | null): number {
  const timeMs = Math.max(0, Math.round(snapshot.timeMs));
  const whole = { timeMs, samples: snapshot.samples };
  const plain = encodeMetricBody([whole]);
  const isSmall =
    plain.length <= limits.SEAL_BYTES && whole.samples.length <= limits.SERIES_PER_BODY_MAX;
  const parts = isSmall ? [whole] : splitSnapshot(whole);
  for (const part of parts) {
    const { encoding, body } = packBody(isSmall ? plain : encodeMetricBody([part]));
    const samples = part.samples.length;
    const times = { timeMs, untilMs: timeMs };
    const row = { ...times, snapshots: 1, samples, mono, encoding, body };
    // An id is never used twice, so that a place in the ids is left where samples went out live.
    rows.addSample(job.store, Math.max(job.tally.foldedTo, job.tally.liveTo), row);
  }
  job.tally.snapshots += parts.length;
  job.tally.samples += snapshot.samples.length;
  return snapshot.samples.length;
}

/** The rows of the newest minute, oldest first. */
function liveRows(job: Job, sendMs: number): SampleRow[] {
  const newest = rows.newestSamples(job.store, LIVE_ROWS_MAX);
  const endMs = newest[0]?.timeMs ?? 0;
  const from = Math.max(job.tally.foldedTo, job.tally.liveTo);
  const end = newest.findIndex(
    (row) => row.id <= from || Math.abs(endMs - row.timeMs) > sendMs * LIVE_SLACK_RATIO,
  );
  return newest.slice(0, end === -1 ? newest.length : end).reverse();
}

/** Reads a row at its corrected time; a damaged one is taken out and leaves a gap record. */
function read(job: Job, row: SampleRow): Snapshot[] {
  const stored = rows.sampleBody(job.store, row.id);
  const plain = stored.intact ? unpackBody(stored) : undefined;
  const decoded = plain?.ok ? decodeMetricBody(plain.value) : undefined;
  if (!decoded?.ok) {
    job.drops.push({ stream: 'metrics', reason: 'damaged', count: row.samples });
    const { samples } = row;
    noteSamples(job, [row], { stream: 'metrics', samples, reason: 'stored samples were damaged' });
    remove(job, [row]);
    return [];
  }
  const shiftMs = Math.round(job.resolve(row.timeMs, row.mono) - row.timeMs);
  if (shiftMs === 0) return decoded.value;
  return decoded.value.map(({ timeMs, samples }) => ({
    timeMs: Math.max(0, timeMs + shiftMs),
    samples,
  }));
}

function remove(job: Job, gone: readonly SampleRow[]): void {
  for (const row of gone) {
    rows.removeSamples(job.store, row.id, row.id);
    job.tally.snapshots -= row.snapshots;
    job.tally.samples -= row.samples;
  }
}

const countSamples = (snapshots: readonly Snapshot[]): number =>
  snapshots.reduce((sum, snapshot) => sum + snapshot.samples.length, 0);

/** A folded row whose times are right is a whole body as it lies there; undefined: it must be read. */
function asItIs(job: Job, row: SampleRow): { shelved: Shelved; taken: SampleRow[] } | undefined {
  if (row.snapshots <= 1 || job.resolve(row.timeMs, row.mono) !== row.timeMs) return undefined;
  const { encoding, body, intact } = rows.sampleBody(job.store, row.id);
  if (!intact) return undefined;
  const { snapshots: taken, samples } = row;
  return { shelved: { encoding, body, taken, samples }, taken: [row] };
}

/** Packs as many of the rows as fit, from the first. @returns them, and the rows they were in. */
function pack(
  job: Job,
  from: readonly SampleRow[],
): { shelved: Shelved; taken: SampleRow[] } | undefined {
  const intact = from
    .map((row) => ({ row, snapshots: read(job, row) }))
    .filter((entry) => entry.snapshots.length > 0);
  const first = intact[0];
  if (first === undefined) return undefined;
  if (first.row.snapshots > 1) {
    const packed = packBody(encodeMetricBody(first.snapshots));
    const samples = countSamples(first.snapshots);
    return {
      shelved: { ...packed, taken: first.snapshots.length, samples },
      taken: [first.row],
    };
  }
  const snapshots = intact.flatMap((entry) => entry.snapshots);
  const packed = packSnapshots(snapshots);
  const samples = countSamples(snapshots.slice(0, packed.taken));
  const taken = intact.slice(0, packed.taken).map((entry) => entry.row);
  return { shelved: { ...packed, samples }, taken };
}

/** Takes the newest minute off the shelf. */
export function takeLive(job: Job, sendMs: number): Shelved | undefined {
  const packed = pack(job, liveRows(job, sendMs));
  if (packed === undefined) return undefined;
  remove(job, packed.taken);
  job.tally.liveTo = packed.taken.at(-1)?.id ?? job.tally.liveTo;
  return packed.shelved;
}

/** Wall clocks that are set meanwhile move by more than timers are late. */
const CLOCK_JUMP_MS = 1_000;

/**
 * Whether the times of both are corrected by the same amount once the broker's time is known: a folded body keeps
 * one anchor only.
 */
export const sameClock = (a: SampleRow, b: SampleRow): boolean => {
  if (a.mono === null || b.mono === null) return a.mono === b.mono;
  return Math.abs(a.timeMs - a.mono - (b.timeMs - b.mono)) < CLOCK_JUMP_MS;
};

/** The oldest rows that may share one body: a folded one alone, or singles of at most the span. */
function oldestGroup(job: Job, before: number, from: number): SampleRow[] {
  const oldest = rows.oldestSamples(job.store, FOLD_ROWS, from).filter((row) => row.id < before);
  const first = oldest[0];
  if (first === undefined || first.snapshots > 1) return oldest.slice(0, 1);
  const end = oldest.findIndex((row, index) => {
    const before = oldest[index - 1] ?? row;
    const isFar = Math.abs(row.timeMs - first.timeMs) >= limits.SEAL_SPAN_MS;
    return row.snapshots > 1 || isFar || row.id > before.id + 1 || !sameClock(before, row);
  });
  return oldest.slice(0, end === -1 ? oldest.length : end);
}

/** Takes the oldest body of backlog off the shelf; never what is live. */
export function takeBacklog(job: Job, sendMs: number): Shelved | undefined {
  const before = liveRows(job, sendMs)[0]?.id ?? Number.MAX_SAFE_INTEGER;
  // Damaged rows are taken out on the way; the next group may be whole.
  for (let tries = 0; tries < limits.WINDOW_BATCHES; tries += 1) {
    const group = oldestGroup(job, before, 0);
    if (group.length === 0) return undefined;
    const [oldest] = group;
    const packed = (oldest && asItIs(job, oldest)) ?? pack(job, group);
    if (packed === undefined) continue;
    remove(job, packed.taken);
    return packed.shelved;
  }
  return undefined;
}

/** Folds the oldest single rows once they span more than a body; called after each snapshot. */
export function fold(job: Job, sendMs: number): void {
  const from = job.tally.foldedTo + 1;
  const first = rows.oldestSamples(job.store, 1, from)[0];
  const last = rows.newestSamples(job.store, 1)[0];
  if (first === undefined || last === undefined) return;
  const spanMs = Math.abs(last.timeMs - first.timeMs);
  const due = spanMs >= limits.SEAL_SPAN_MS + 2 * sendMs || last.id - first.id >= FOLD_ROWS * 2;
  if (!due) return;
  const before = liveRows(job, sendMs)[0]?.id ?? Number.MAX_SAFE_INTEGER;
  const group = oldestGroup(job, before, from);
  const packed = pack(job, group);
  const head = packed?.taken[0];
  const tail = packed?.taken.at(-1);
  if (packed === undefined || head === undefined || tail === undefined) return;
  job.tally.foldedTo = tail.id;
  if (packed.taken.length === 1) return;
  rows.removeSamples(job.store, head.id, tail.id);
  const { encoding, body, taken: snapshots, samples } = packed.shelved;
  const timeMs = Math.round(job.resolve(head.timeMs, head.mono));
  const untilMs = Math.round(job.resolve(tail.timeMs, tail.mono));
  // Times that could be resolved were; the others keep their anchor for later.
  const mono = timeMs === head.timeMs ? head.mono : null;
  rows.addSampleAt(job.store, head.id, {
    timeMs,
    untilMs,
    snapshots,
    samples,
    mono,
    encoding,
    body,
  });
}
