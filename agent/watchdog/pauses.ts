// What is left of all that was seen when the agent itself did not run for a while, or a human held the component:
// every proof begins anew, each deadline moves by the gap and nothing is judged for one full period, because a
// watcher that was asleep sees everything late (research/supervisors.md (h)). An agent that is paused again and
// again would so never confirm anything; therefore the time in which it did run and saw no health is carried
// over, and after five pauses in a row a grace is only half as long.

import type { Policy } from './model.ts';
import { type Carried, NO_SAMPLES, type ProbeRecord, type Watch, type WorkItem } from './watch.ts';

/** So many pauses in a row, each less than a grace after the one before, get a full grace. */
export const FULL_GRACES_MAX = 5;

/** A human held it with a debugger: what was seen so far proves nothing. */
export const renewWatch = (watch: Watch, policy: Policy, gapMs: number, now: number): Watch => ({
  ...moved(watch, gapMs, now, now + policy.blockedMs),
  carried: undefined,
});

/** The agent was away for `gapMs` until now. */
export function watchAfterPause(watch: Watch, policy: Policy, gapMs: number, now: number): Watch {
  const ranMs = now - gapMs - watch.pausedAt;
  const isInRow = ranMs >= 0 && ranMs < policy.blockedMs;
  const pausesInRow = isInRow ? watch.pausesInRow + 1 : 1;
  const graceMs = pausesInRow > FULL_GRACES_MAX ? policy.blockedMs / 2 : policy.blockedMs;
  const carried = carry(watch, policy, now - gapMs);
  return { ...moved(watch, gapMs, now, now + graceMs), carried, pausesInRow, pausedAt: now };
}

/** `goodAt` stays: it is what happened, not what is judged. */
function moved(watch: Watch, gapMs: number, now: number, graceUntil: number): Watch {
  const probes = new Map<string, ProbeRecord>();
  for (const [name, record] of watch.probes) probes.set(name, { ...record, failures: 0 });
  const work = new Map<string, WorkItem>();
  for (const [id, item] of watch.work) {
    const lateMs = item.lateMs + Math.max(0, now - gapMs - item.deadlineAt);
    work.set(id, { ...item, lateMs, deadlineAt: Math.max(item.deadlineAt + gapMs, graceUntil) });
  }
  const { progress } = watch;
  const stuckAt = progress?.stuckAt;
  return {
    ...watch,
    ...NO_SAMPLES,
    beatAt: now,
    graceUntil,
    progress:
      progress === undefined || stuckAt === undefined
        ? progress
        : {
            ...progress,
            stuckAt: stuckAt + gapMs,
            seenAt: Math.max(progress.seenAt, stuckAt + gapMs),
          },
    frame: undefined,
    sameFrame: false,
    lookedAgain: false,
    probes,
    work,
  };
}

function carry(watch: Watch, policy: Policy, awayAt: number): Carried | undefined {
  const { carried, still, latest, beatAt, probes } = watch;
  const silentMs = policy.instrumented ? awayAt - beatAt : 0;
  // In less than two periods a healthy component need not have been heard.
  const heardMs = silentMs >= 2 * policy.beatMs ? silentMs : 0;
  const stillMs = still !== undefined && latest !== undefined ? latest.at - still.at : 0;
  let failures = 0;
  for (const record of probes.values()) failures = Math.max(failures, record.failures);
  const sum = {
    silentMs: (carried?.silentMs ?? 0) + heardMs,
    stillMs: (carried?.stillMs ?? 0) + stillMs,
    failures: (carried?.failures ?? 0) + failures,
  };
  return sum.silentMs + sum.stillMs + sum.failures > 0 ? sum : undefined;
}
