// What is done before the oldest samples are dropped for room: what is older than two days is made one in a
// minute, and what is older than a week one in five, the oldest first and only as much as room is needed for.
// The last two days stay as they were taken: they are what an engineer looks into. Four rows become one of the
// same size, so that neither reading nor writing it takes longer than folding does.

import { packBody, unpackBody } from '../../protocol/body.ts';
import * as limits from '../../protocol/limits.ts';
import { encodeMetricBody } from '../../protocol/metric-body.ts';
import { decodeMetricColumns, type MetricColumns } from '../../protocol/metric-columns.ts';
import type { Job } from './job.ts';
import { follows, noteThinned, stepOf } from './notes.ts';
import type { SampleRow } from './rows.ts';
import * as rows from './rows.ts';
import { sameClock } from './shelf.ts';
import { thin } from './thin.ts';

const DAY_MS = 24 * 3_600_000;
export type ThinStep = { readonly everyMs: number; readonly olderMs: number };
export const THIN_STEPS: readonly ThinStep[] = [
  { everyMs: 60_000, olderMs: 2 * DAY_MS },
  { everyMs: 300_000, olderMs: 7 * DAY_MS },
];
/** Thinned into one. */
const ROWS_AT_ONCE = 5;
/** Rows that are thin already, passed over in one go; after a restart all of them are. */
const LOOKS_MAX = 2_000;
/** Sampled so much less often than asked for still counts as thin already: timers are late. */
const THIN_RATIO = 0.75;

const REASON = 'made fewer for room: the outbox reached its quota';

/** A clock that is set makes nothing older. */
const endOf = (job: Job, { timeMs, untilMs, mono }: SampleRow): number =>
  job.recordMs(timeMs, mono) + untilMs - timeMs;

/** The next rows that may become one; `passed`: the id up to which nothing is to be done. */
function nextGroup(job: Job, step: ThinStep, from: number): { group: SampleRow[]; passed: number } {
  const newest = rows.newestSamples(job.store, 1)[0];
  const beforeMs = (newest === undefined ? 0 : endOf(job, newest)) - step.olderMs;
  const isDue = (row: SampleRow): boolean => endOf(job, row) < beforeMs;
  // One that stands alone between two pauses has nothing to give up, and is passed over.
  const isThick = (row: SampleRow): boolean =>
    row.snapshots > 1 && stepOf(row) < step.everyMs * THIN_RATIO;
  let passed = from;
  for (const row of rows.eachSample(job.store, from + 1, LOOKS_MAX)) {
    if (!isDue(row)) return { group: [], passed };
    if (isThick(row)) {
      const some = rows.oldestSamples(job.store, ROWS_AT_ONCE, row.id);
      const end = some.findIndex((next, index) => {
        const before = some[index - 1];
        if (!isDue(next) || !isThick(next)) return true;
        if (before === undefined) return false;
        return !follows(before, next, 0) || !sameClock(before, next);
      });
      return { group: end === -1 ? some : some.slice(0, end), passed };
    }
    passed = row.id;
  }
  return { group: [], passed };
}

function readColumns(job: Job, row: SampleRow): MetricColumns | undefined {
  const stored = rows.sampleBody(job.store, row.id);
  const plain = stored.intact ? unpackBody(stored) : undefined;
  const columns = plain?.ok ? decodeMetricColumns(plain.value) : undefined;
  return columns?.ok ? columns.value : undefined;
}

/** @returns how many samples it gave up; 0: these rows hold nothing to give up, or are damaged. */
function thinRows(job: Job, group: readonly SampleRow[], { everyMs }: ThinStep): number {
  const [first] = group;
  const bodies = group.map((row) => readColumns(job, row));
  const whole = bodies.filter((body) => body !== undefined);
  // A damaged row is found, counted and told when its turn to be sent comes.
  if (first === undefined || whole.length < bodies.length) return 0;
  const snapshots = thin(whole, everyMs);
  const body = encodeMetricBody(snapshots);
  if (body.length > limits.SEAL_BYTES && group.length > 1) {
    return thinRows(job, group.slice(0, group.length >> 1), { everyMs, olderMs: 0 });
  }
  const samples = snapshots.reduce((sum, snapshot) => sum + snapshot.samples.length, 0);
  const before = group.reduce((sum, row) => sum + row.samples, 0);
  if (samples >= before) return 0;
  const last = group.at(-1) ?? first;
  const instants = group.reduce((sum, row) => sum + row.snapshots, 0);
  rows.removeSamples(job.store, first.id, last.id);
  rows.addSampleAt(job.store, first.id, {
    timeMs: snapshots[0]?.timeMs ?? first.timeMs,
    untilMs: snapshots.at(-1)?.timeMs ?? last.untilMs,
    snapshots: snapshots.length,
    samples,
    mono: first.mono === null ? null : first.mono + (snapshots[0]?.timeMs ?? 0) - first.timeMs,
    ...packBody(body),
  });
  job.tally.samples -= before - samples;
  job.tally.snapshots -= instants - snapshots.length;
  job.thinned += before - samples;
  const fromMs = Math.round(job.recordMs(first.timeMs, first.mono));
  const untilMs = Math.round(endOf(job, last));
  const told = { fromMs, untilMs, everyMs, samples: before - samples, reason: REASON };
  noteThinned(job, told, first.mono === null);
  return before - samples;
}

/** @returns false when nothing is left that may be made fewer. */
export function thinOldest(job: Job): boolean {
  for (const [index, step] of THIN_STEPS.entries()) {
    for (;;) {
      const from = job.tally.thinnedTo[index] ?? 0;
      const { group, passed } = nextGroup(job, step, from);
      const given = group.length === 0 ? 0 : thinRows(job, group, step);
      const to = given > 0 ? (group[0]?.id ?? passed) : (group.at(-1)?.id ?? passed);
      // What was just thinned is looked at once more: half of a group may have been left.
      const next = given > 0 ? to - 1 : to;
      job.tally.thinnedTo = job.tally.thinnedTo.with(index, Math.max(from, next));
      if (given > 0) return true;
      if (to === from) break;
    }
  }
  return false;
}
