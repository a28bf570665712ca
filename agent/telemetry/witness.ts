// An outbox that is older than it was: recognised by the mark beside it (store-mark.ts), told, and made
// harmless. The numbers that were taken meanwhile are left out, with some to spare, so that none of them is ever
// used for other bytes; a gap record names them and says from when until when something may be missing. What
// was sealed before is sent again bit by bit, and what had been sealed meanwhile is sealed once more under new
// numbers: it may come twice, with the same times and the same ids, and it does not come never.

import type { Stream } from '../../protocol/wire.ts';
import * as batches from './batches.ts';
import type { Job } from './job.ts';
import * as rows from './rows.ts';
import type { MarkContent } from './store-mark.ts';

/** Left out beyond what the mark names: it may itself be a few commits old. */
export const NUMBERS_SPARED = 64;
const REASON = 'the disk lost what was written last: the outbox is older than it was';

const GONE = 'the outbox is gone, and another one began in its place';

/** @returns whether something was lost and had to be told. */
export function goOnAfter(job: Job, mark: MarkContent, isNew: boolean): boolean {
  if (mark.epoch !== job.epoch) {
    // Nothing can collide under another epoch. What it held is lost all the same.
    if (!isNew)
      job.gap({ epoch: mark.epoch, sealed: Object.fromEntries(mark.lanes), reason: GONE });
    return !isNew;
  }
  if (mark.commits <= job.store.commits()) return false;
  leaveOut(job, mark);
  return true;
}

function leaveOut(job: Job, mark: MarkContent): void {
  const known = batches.lanes(job.store);
  const streams: Stream[] = ['results', 'events', 'metrics', 'traces'];
  for (const stream of streams) {
    const had = known.get(stream) ?? 0;
    const last = Math.max(had, mark.lanes.get(stream) ?? 0) + NUMBERS_SPARED;
    batches.skipTo(job.store, stream, last);
    job.lanesMoved = true;
    job.gap({ stream, first: had + 1, last, reason: REASON });
  }
  const newest = rows.newestSamples(job.store, 1)[0];
  const untilMs = Math.max(0, Math.round(mark.timeMs));
  const fromMs = newest === undefined ? untilMs : Math.min(newest.untilMs, untilMs);
  job.gap({ fromMs, untilMs, reason: REASON }, true);
  job.store.countFrom(mark.commits);
}
