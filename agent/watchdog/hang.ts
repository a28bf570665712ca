// Whether a component hangs. Evidence is first put into plain figures, then a table of rules is read from
// the top: a rule kills only on two different proofs, or on one seen again at twice its deadline while the
// agent ran on time (design.md section 4). A table and not nested ifs, so that each way to be killed can be
// read, tested and argued about by itself. What acquits (a debugger, a pause, a starved machine) comes first.

import type { Cause, Policy, Proof } from './model.ts';
import * as reasons from './reasons.ts';
import {
  coreShare,
  isStopped,
  isTraced,
  type Reading,
  SPINNING_SHARE,
  type Watch,
} from './watch.ts';

/** A sample older than this tells nothing about now. */
const SAMPLE_FRESH_MS = 1_000;
/** Share of time spent waiting for a processor from which a thread counts as starved. */
export const STARVED_SHARE = 1 - SPINNING_SHARE;
/** So many beats while the main thread did not wake: they are not its own. */
export const LYING_BEATS = 3;

export type Verdict = {
  readonly level: 'suspect' | 'confirmed';
  readonly cause: Cause;
  readonly reason: string;
  readonly proofs: readonly Proof[];
  /** The last sign of health before it. */
  readonly lostAt: number;
};

type Facts = {
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
  readonly spinMs: number;
  readonly starved: boolean;
  readonly failures: number;
  readonly probeGoodAt: number;
  readonly overdue: { name: string; byMs: number; twice: boolean; begunAt: number } | undefined;
  readonly goodAt: number;
};

type Rule = {
  readonly cause: (p: Policy) => Cause;
  readonly proofs: (f: Facts, p: Policy) => readonly Proof[];
  readonly suspected: (f: Facts, p: Policy) => boolean;
  readonly confirmed: (f: Facts, p: Policy) => boolean;
  readonly reason: (f: Facts, p: Policy, suspected: boolean) => string;
  readonly lostAt: (f: Facts) => number;
  /** A thread that gets no processor time looks the same: then suspected at most. */
  readonly starvable: boolean;
};

const hang = (): Cause => 'hang';
const isStill = (f: Facts): Proof => (f.stopped ? 'thread_stopped' : 'thread_blocked');
/** Deadlines of silence, never under what a healthy component needs for two or three beats. */
const suspectMs = (p: Policy): number => Math.max(p.blockedMs / 2, 2 * p.beatMs);
const confirmMs = (p: Policy): number => Math.max(p.blockedMs, 3 * p.beatMs);
const half = (n: number): number => Math.ceil(n / 2);
/** Beats or probes say nothing, the thread says why: kept still for half of its deadline. */
const keptStill = (f: Facts, p: Policy): boolean => f.stillMs >= p.blockedMs / 2;

/** Missed beats and a main thread that is stopped or asleep without waking. */
const silentAndStill: Rule = {
  cause: hang,
  proofs: (f) => ['missed_beats', isStill(f)],
  suspected: (f, p) => f.silentMs >= suspectMs(p) && f.stillMs >= p.blockedMs / 4,
  confirmed: (f, p) => f.silentMs >= confirmMs(p) && keptStill(f, p),
  reason: (f, p, early) => {
    const ms = early ? suspectMs(p) : confirmMs(p);
    return f.stopped ? reasons.silentStopped(ms) : reasons.silentBlocked(ms);
  },
  lostAt: (f) => f.goodAt,
  starvable: false,
};

/** Missed beats and a whole core in use: longer, it could be a computation or a collection. */
const silentAndSpinning: Rule = {
  cause: hang,
  proofs: () => ['missed_beats', 'thread_spinning'],
  suspected: (f, p) => f.silentMs >= p.spinningMs / 2 && f.spinsSilently,
  confirmed: (f, p) => f.silentMs >= p.spinningMs && f.spinsSilently,
  reason: (_f, p, early) => reasons.silentSpinning(early ? p.spinningMs / 2 : p.spinningMs),
  lostAt: (f) => f.goodAt,
  // A whole core since the last beat is the opposite of starved.
  starvable: false,
};

/**
 * The same on a machine that is starved, where no thread ever gets most of a core: it had as much processor
 * time as a whole core would have given it, and did not come round. Slower by as much as the machine is.
 */
const silentAndSpent: Rule = {
  cause: hang,
  proofs: () => ['missed_beats', 'thread_spinning'],
  suspected: (f, p) => f.silentMs >= p.spinningMs / 2 && f.spentMs >= p.spinningMs / 2,
  confirmed: (f, p) => f.silentMs >= p.spinningMs && f.spentMs >= p.spinningMs,
  reason: (f, _p) => reasons.silentSpent(f.spentMs),
  lostAt: (f) => f.goodAt,
  starvable: false,
};

/** Beats arrive while the main thread cannot have sent them: a proof by itself, but a long one. */
const lying: Rule = {
  cause: hang,
  proofs: (f) => [isStill(f)],
  suspected: (f, p) => keptStill(f, p) && f.stillBeats >= LYING_BEATS,
  confirmed: (f, p) => f.stillMs >= p.blockedMs && f.stillBeats >= LYING_BEATS,
  reason: (f, p, early) => {
    const ms = early ? p.blockedMs / 2 : p.blockedMs;
    return f.stopped ? reasons.lyingStopped(ms) : reasons.lyingBlocked(ms);
  },
  lostAt: (f) => f.stillAt,
  starvable: false,
};

/** What stands beside failed probes; also how a spinning main thread with lying beats is found. */
function besideProbes(f: Facts, p: Policy): { proof: Proof; what: string } | undefined {
  if (keptStill(f, p)) return { proof: isStill(f), what: reasons.AND_STILL };
  if (f.spinMs >= p.spinningMs) return { proof: 'thread_spinning', what: reasons.AND_SPINNING };
  if (f.silentMs >= p.spinningMs) return { proof: 'missed_beats', what: reasons.AND_SILENT };
  return undefined;
}

const probesAndThread: Rule = {
  // A black box's main thread may do nothing in health; what is known is that it does not answer.
  cause: (p) => (p.instrumented ? 'hang' : 'unresponsive'),
  proofs: (f, p) => ['probes_failed', besideProbes(f, p)?.proof ?? 'missed_beats'],
  suspected: (f, p) => f.failures >= half(p.probeFailures) && besideProbes(f, p) !== undefined,
  confirmed: (f, p) => f.failures >= p.probeFailures && besideProbes(f, p) !== undefined,
  reason: (f, p, early) =>
    reasons.probesAnd(
      early ? half(p.probeFailures) : p.probeFailures,
      besideProbes(f, p)?.what ?? reasons.AND_SILENT,
    ),
  lostAt: (f) => f.probeGoodAt,
  starvable: true,
};

/** Overdue work with a second proof, or overdue twice over. */
const stalled: Rule = {
  cause: () => 'stalled',
  proofs: (f, p) => [
    'overdue_work',
    ...(f.silentMs >= p.spinningMs ? (['missed_beats'] as const) : []),
    ...(f.failures >= p.probeFailures ? (['probes_failed'] as const) : []),
  ],
  suspected: (f) => f.overdue !== undefined,
  confirmed: (f, p) =>
    f.overdue !== undefined &&
    (f.overdue.twice || f.silentMs >= p.spinningMs || f.failures >= p.probeFailures),
  reason: (f) => reasons.overdue(f.overdue?.name ?? '', f.overdue?.byMs ?? 0),
  lostAt: (f) => f.overdue?.begunAt ?? f.goodAt,
  starvable: true,
};

/** One proof, seen again at twice its deadline. */
const silentTwice: Rule = {
  cause: hang,
  proofs: () => ['missed_beats'],
  suspected: (f, p) => f.silentMs >= p.spinningMs,
  confirmed: (f, p) => f.silentMs >= 2 * p.spinningMs,
  reason: (_f, p, early) => reasons.silentOnly(early ? p.spinningMs : 2 * p.spinningMs),
  lostAt: (f) => f.goodAt,
  starvable: true,
};

const probesTwice: Rule = {
  cause: () => 'unresponsive',
  proofs: () => ['probes_failed'],
  suspected: (f, p) => f.failures >= half(p.probeFailures),
  confirmed: (f, p) => f.failures >= 2 * p.probeFailures,
  reason: (f) => reasons.probesOnly(f.failures),
  lostAt: (f) => f.probeGoodAt,
  starvable: true,
};

/** A black box without beats that a signal stopped. */
const stoppedTwice: Rule = {
  cause: hang,
  proofs: () => ['thread_stopped'],
  suspected: (f, p) => !p.instrumented && f.signalled && f.stillMs >= p.blockedMs,
  confirmed: (f, p) => !p.instrumented && f.signalled && f.stillMs >= 2 * p.blockedMs,
  reason: (_f, p, early) => reasons.stoppedAlone(early ? p.blockedMs : 2 * p.blockedMs),
  lostAt: (f) => f.stillAt,
  starvable: false,
};

const rules: readonly Rule[] = [
  silentAndStill,
  silentAndSpinning,
  silentAndSpent,
  lying,
  probesAndThread,
  stalled,
  silentTwice,
  probesTwice,
  stoppedTwice,
];

/** The kill rule. Undefined: nothing speaks against it. */
export function judge(policy: Policy, watch: Watch, now: number): Verdict | undefined {
  if (now < watch.graceUntil) return undefined;
  if (watch.latest !== undefined && isTraced(watch.latest.sample)) return undefined;
  const facts = factsOf(policy, watch, now);
  const verdict = (rule: Rule, level: Verdict['level']): Verdict => ({
    level,
    cause: rule.cause(policy),
    reason: rule.reason(facts, policy, level === 'suspect'),
    proofs: rule.proofs(facts, policy),
    lostAt: rule.lostAt(facts),
  });
  const acquitted = (rule: Rule): boolean => rule.starvable && facts.starved;
  const sure = rules.find((rule) => !acquitted(rule) && rule.confirmed(facts, policy));
  if (sure !== undefined) return verdict(sure, 'confirmed');
  const early = rules.find((rule) => rule.suspected(facts, policy));
  return early && verdict(early, 'suspect');
}

function factsOf(policy: Policy, watch: Watch, now: number): Facts {
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
    spentMs: latest !== undefined && running ? spentSinceBeat(watch, latest) : 0,
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

const spentSinceBeat = ({ sinceBeat: since }: Watch, latest: Reading): number =>
  since === undefined ? 0 : latest.sample.cpuMs - since.sample.cpuMs;

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
