// Whether a component hangs. Evidence is first put into plain figures, then a table of rules is read from
// the top: a rule kills only on two different proofs, or on one seen again at twice its deadline while the
// agent ran on time (design.md section 4). A table and not nested ifs, so that each way to be killed can be
// read, tested and argued about by itself. What acquits (a debugger, a pause, a starved machine) comes first.

import { type Facts, factsOf } from './facts.ts';
import type { Cause, Policy, Proof } from './model.ts';
import * as reasons from './reasons.ts';
import { isTraced, type Watch } from './watch.ts';

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

/** The same where no thread ever gets most of a core: it had its processor time and answered nothing. */
const probesAndSpent: Rule = {
  cause: probesAndThread.cause,
  proofs: () => ['probes_failed', 'thread_spinning'],
  suspected: (f, p) => f.failures >= half(p.probeFailures) && f.unansweredMs >= p.spinningMs / 2,
  confirmed: (f, p) => f.failures >= p.probeFailures && f.unansweredMs >= p.spinningMs,
  reason: (f) => reasons.probesAnd(f.failures, reasons.andSpent(f.unansweredMs)),
  lostAt: (f) => f.probeGoodAt,
  starvable: false,
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
  probesAndSpent,
  stalled,
  silentTwice,
  probesTwice,
  stoppedTwice,
];

/**
 * Nothing that any rule could hold against it: it beats, wakes, answers and owes no work. Asked first, because
 * that is how nearly every component is nearly always, and this runs some thirty times a second.
 */
function isCalm(policy: Policy, watch: Watch, now: number): boolean {
  const { beatAt, still, work, probes } = watch;
  const silentMs = policy.instrumented ? now - beatAt : 0;
  if (work.size > 0 || silentMs >= Math.min(suspectMs(policy), policy.spinningMs / 2)) return false;
  if (still !== undefined && now - still.at >= policy.blockedMs / 4) return false;
  for (const { failures } of probes.values()) if (failures > 0) return false;
  return true;
}

/** The kill rule. Undefined: nothing speaks against it. */
export function judge(policy: Policy, watch: Watch, now: number): Verdict | undefined {
  if (now < watch.graceUntil || isCalm(policy, watch, now)) return undefined;
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
