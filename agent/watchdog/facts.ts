// What was seen of one life, put into the plain figures that the rules of hang.ts speak of. Nothing is decided
// here; each figure says how long or how often, and a figure that is not known is 0.

import type { Policy } from './model.ts';
import { coreShare, isStopped, type Reading, SPINNING_SHARE, type Watch } from './watch.ts';

/** A sample older than this tells nothing about now. */
const SAMPLE_FRESH_MS = 1_000;
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
  readonly overdue: { name: string; byMs: number; twice: boolean; begunAt: number } | undefined;
  readonly goodAt: number;
};

export function factsOf(policy: Policy, watch: Watch, now: number): Facts {
  const fresh = watch.latest !== undefined && now - watch.latest.at <= SAMPLE_FRESH_MS;
  const latest = fresh ? watch.latest : undefined;
  const still = latest && watch.still;
  const running = latest?.sample.state === 'R';
  const spin = running ? watch.spin : undefined;
  const { failures, goodAt } = worstProbe(watch);
  return {
    silentMs: policy.instrumented ? now - watch.beatAt : 0,
    stillMs: latest && still ? latest.at - still.at : 0,
    stillAt: still?.at ?? now,
    stillBeats: still?.beats ?? 0,
    stopped: latest !== undefined && isStopped(latest.sample),
    signalled: latest?.sample.state === 'T',
    spinsSilently: latest !== undefined && spinsSinceBeat(watch, latest, now),
    spentMs: running ? spentSince(watch.sinceBeat, latest) : 0,
    unansweredMs: running ? spentSince(later(watch.sinceAnswer, watch.awake), latest) : 0,
    spinMs: latest && spin ? latest.at - spin.at : 0,
    starved: latest !== undefined && isStarved(watch, latest),
    failures,
    probeGoodAt: goodAt,
    overdue: worstWork(watch, now),
    goodAt: watch.goodAt,
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
  for (const { name, deadlineAt, deadlineMs, begunAt } of watch.work.values()) {
    const byMs = now - deadlineAt;
    if (byMs < 0 || (worst !== undefined && worst.byMs >= byMs)) continue;
    worst = { name, byMs, twice: byMs >= deadlineMs, begunAt };
  }
  return worst;
}
