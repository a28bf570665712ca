// What was seen of one life, put into the plain figures that the rules of hang.ts speak of. Nothing is decided
// here; each figure says how long or how often, and a figure that is not known is 0.

import type { Policy } from './model.ts';
import { coreShare, isStopped } from './samples.ts';
import { type Reading, SPINNING_SHARE, type Watch } from './watch.ts';

/** A sample older than this tells nothing about now. */
const SAMPLE_FRESH_MS = 1_000;
/** Pressure that was told longer ago says nothing about now; it is told once a second. */
const PRESSURE_FRESH_MS = 3_000;
/** Share of time spent waiting for a processor from which a thread counts as starved. */
export const STARVED_SHARE = 1 - SPINNING_SHARE;
export type Facts = {
  readonly silentMs: number;
  readonly stillMs: number;
  readonly stillAt: number;
  readonly stillBeats: number;
  readonly stopped: boolean;
  /** T, by a signal: unlike D it never ends by itself. */
  readonly signalled: boolean;
  /** A whole core since the last beat. */
  readonly spinsSilently: boolean;
  /** Processor time since the last beat, of a thread that still wants more. */
  readonly spentMs: number;
  /**
   * Processor time since any probe was answered, of a thread that still wants more and never slept. One that
   * sleeps between turns comes round: on a starved machine its probes fail and its beats are its own.
   */
  readonly unansweredMs: number;
  readonly spinMs: number;
  readonly starved: boolean;
  readonly failures: number;
  readonly probeGoodAt: number;
  /** `times`: its age in deadlines, without the time in which the agent did not run. */
  readonly overdue: { name: string; byMs: number; times: number; begunAt: number } | undefined;
  readonly goodAt: number;
  /** With what was seen before pauses of the agent; 0 when there were none. */
  readonly silentAcrossMs: number;
  readonly stillAcrossMs: number;
  readonly failuresAcross: number;
  /** Work waits and none was completed, as of the last scrape. */
  readonly stuckMs: number;
  readonly stuckAt: number;
  readonly sameFrame: boolean;
  /** The whole machine is starved: a kill needs twice each deadline. */
  readonly pressed: boolean;
};

export function factsOf(policy: Policy, watch: Watch, now: number): Facts {
  const fresh = watch.latest !== undefined && now - watch.latest.at <= SAMPLE_FRESH_MS;
  const latest = fresh ? watch.latest : undefined;
  const still = latest && watch.still;
  const running = latest?.sample.state === 'R';
  const spin = running ? watch.spin : undefined;
  const { failures, goodAt } = worstProbe(watch);
  const silentMs = policy.instrumented ? now - watch.beatAt : 0;
  const stillMs = latest && still ? latest.at - still.at : 0;
  const { carried, progress } = watch;
  const stuckAt = progress?.stuckAt;
  return {
    silentMs,
    stillMs,
    stillAt: still?.at ?? now,
    stillBeats: still?.beats ?? 0,
    stopped: latest !== undefined && isStopped(latest.sample),
    signalled: latest?.sample.state === 'T',
    spinsSilently: latest !== undefined && spinsSinceBeat(watch, latest, now),
    spentMs: running ? spentSince(watch.sinceBeat, latest) : 0,
    unansweredMs: running ? spentSince(later(watch.sinceAnswer, watch.awake), latest) : 0,
    spinMs: latest && spin ? latest.at - (later(spin, watch.sinceAnswer) ?? spin).at : 0,
    starved: latest !== undefined && isStarved(watch, latest),
    failures,
    probeGoodAt: goodAt,
    overdue: worstWork(watch, now),
    goodAt: watch.goodAt,
    silentAcrossMs: carried && carried.silentMs > 0 ? carried.silentMs + silentMs : 0,
    stillAcrossMs: carried && carried.stillMs > 0 && still ? carried.stillMs + stillMs : 0,
    failuresAcross: carried && carried.failures > 0 ? carried.failures + failures : 0,
    stuckMs: progress && stuckAt !== undefined ? progress.seenAt - stuckAt : 0,
    stuckAt: stuckAt ?? now,
    sameFrame: watch.sameFrame,
    pressed: watch.pressedAt !== undefined && now - watch.pressedAt <= PRESSURE_FRESH_MS,
  };
}

/** "Since the last beat" must mostly have been seen, and the thread must still be at it. */
function spinsSinceBeat(watch: Watch, latest: Reading, now: number): boolean {
  const { sinceBeat: since, previous } = watch;
  if (since === undefined || previous === undefined || latest.sample.state !== 'R') return false;
  return (
    coreShare(since, latest) >= SPINNING_SHARE &&
    coreShare(previous, latest) >= SPINNING_SHARE / 2 &&
    (latest.at - since.at) * 2 >= now - watch.beatAt
  );
}

const spentSince = (since: Reading | undefined, latest: Reading): number =>
  since === undefined ? 0 : latest.sample.cpuMs - since.sample.cpuMs;

const later = (a: Reading | undefined, b: Reading | undefined): Reading | undefined =>
  a !== undefined && b !== undefined && b.at > a.at ? b : a;

/** Wants a processor and gets little of it: slow through no fault of its own. */
function isStarved(watch: Watch, latest: Reading): boolean {
  const since = watch.recent[0] ?? watch.previous;
  if (since === undefined || latest.at <= since.at) return false;
  const waited = (latest.sample.runDelayMs - since.sample.runDelayMs) / (latest.at - since.at);
  if (waited >= STARVED_SHARE) return true;
  return latest.sample.state === 'R' && coreShare(since, latest) < SPINNING_SHARE;
}

function worstProbe(watch: Watch): { failures: number; goodAt: number } {
  let worst = { failures: 0, goodAt: watch.goodAt };
  for (const record of watch.probes.values()) if (record.failures > worst.failures) worst = record;
  return worst;
}

/** The item that is most overdue; only it can be named in a sentence. */
function worstWork(watch: Watch, now: number): Facts['overdue'] {
  let worst: Facts['overdue'];
  for (const { name, deadlineAt, deadlineMs, begunAt, lateMs } of watch.work.values()) {
    if (now < deadlineAt) continue;
    const byMs = now - deadlineAt + lateMs;
    if (worst !== undefined && worst.byMs >= byMs) continue;
    const times = deadlineMs > 0 ? 1 + byMs / deadlineMs : Number.POSITIVE_INFINITY;
    worst = { name, byMs, times, begunAt };
  }
  return worst;
}
