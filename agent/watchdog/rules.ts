// The ways to be held for hung, as a table that is read from the top: a rule kills only on two different
// proofs, or on one seen again at twice its deadline while the agent ran on time (design.md section 4). Each
// says when it suspects, when it is sure and what a person is told. No rule knows of another; hang.ts reads them.

import type { Facts } from './facts.ts';
import type { Cause, Policy, Proof } from './model.ts';
import * as reasons from './reasons.ts';

/** So many beats while the main thread did not wake: they are not its own. */
export const LYING_BEATS = 3;

export type Rule = {
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
export const suspectMs = (p: Policy): number => Math.max(p.blockedMs / 2, 2 * p.beatMs);
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

/**
 * Beside failed probes a little less of a spin will do, because the first of it was not seen: the thread is looked at
 * once or twice a second. Still more than the four seconds that a computation may take.
 */
const SPIN_BESIDE_SHARE = 0.9;

/** What stands beside failed probes; also how a spinning main thread with lying beats is found. */
function besideProbes(f: Facts, p: Policy): { proof: Proof; what: string } | undefined {
  if (keptStill(f, p)) return { proof: isStill(f), what: reasons.AND_STILL };
  if (f.spinMs >= p.spinningMs * SPIN_BESIDE_SHARE) {
    return { proof: 'thread_spinning', what: reasons.AND_SPINNING };
  }
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

/** What speaks against it beside work that does not get on. */
function besideWork(f: Facts, p: Policy): readonly Proof[] {
  return [
    ...(f.silentMs >= p.spinningMs ? (['missed_beats'] as const) : []),
    ...(f.failures >= p.probeFailures ? (['probes_failed'] as const) : []),
  ];
}

/** How many deadlines old an overdue work item has to be, on a machine that is starved twice as many. */
const overdueTimes = (f: Facts): number => (f.overdue?.times ?? 0) / (f.pressed ? 2 : 1);

/** Twice its deadline, and by no less than any other hang is given: of a deadline of 50 ms twice is nothing. */
const isOverdueTwice = (f: Facts, p: Policy): boolean =>
  overdueTimes(f) >= 2 && (f.overdue?.byMs ?? 0) >= p.blockedMs;

/** Overdue work with a second proof, or overdue twice over. */
const stalled: Rule = {
  cause: () => 'stalled',
  proofs: (f, p) => ['overdue_work', ...besideWork(f, p)],
  suspected: (f) => f.overdue !== undefined,
  confirmed: (f, p) =>
    isOverdueTwice(f, p) || (overdueTimes(f) >= 1 && besideWork(f, p).length > 0),
  reason: (f) => reasons.overdue(f.overdue?.name ?? '', f.overdue?.byMs ?? 0),
  lostAt: (f) => f.overdue?.begunAt ?? f.goodAt,
  starvable: true,
};

/** Its own metrics say that work waits and none is completed; `times` its deadline when that is all there is. */
const isStuck = (f: Facts, p: Policy, times: number): boolean => f.stuckMs >= times * p.progressMs;

const noProgress: Rule = {
  cause: () => 'stalled',
  proofs: (f, p) => [
    'no_progress',
    ...(f.overdue === undefined ? [] : (['overdue_work'] as const)),
    ...besideWork(f, p),
  ],
  suspected: (f, p) => isStuck(f, p, 1),
  confirmed: (f, p) =>
    isStuck(f, p, 2) || (isStuck(f, p, 1) && (overdueTimes(f) >= 1 || besideWork(f, p).length > 0)),
  reason: (f) => reasons.noProgress(f.stuckMs),
  lostAt: (f) => f.stuckAt,
  starvable: true,
};

/** Missed beats, and two looks found the main thread in the same frame: it does not come round. */
const silentInFrame: Rule = {
  cause: hang,
  proofs: () => ['missed_beats', 'same_frame'],
  suspected: () => false,
  confirmed: (f, p) => f.sameFrame && f.silentMs >= p.spinningMs,
  reason: (_f, p) => reasons.silentInFrame(p.spinningMs),
  lostAt: (f) => f.goodAt,
  starvable: true,
};

/** The agent was paused again and again; all the time in which it did run it saw the same, twice as long. */
const silentAcross: Rule = {
  cause: hang,
  proofs: () => ['missed_beats'],
  suspected: (f, p) => f.silentAcrossMs >= p.spinningMs,
  confirmed: (f, p) => f.silentAcrossMs >= 2 * p.spinningMs,
  reason: (f) => reasons.silentAcross(f.silentAcrossMs),
  lostAt: (f) => f.goodAt,
  starvable: true,
};

const stillAcross: Rule = {
  cause: hang,
  proofs: (f) => [isStill(f)],
  suspected: (f, p) => (p.instrumented || f.signalled) && f.stillAcrossMs >= 2 * p.blockedMs,
  confirmed: (f, p) => (p.instrumented || f.signalled) && f.stillAcrossMs >= 4 * p.blockedMs,
  reason: (f) => reasons.stillAcross(f.stillAcrossMs),
  lostAt: (f) => f.goodAt,
  starvable: false,
};

const probesAcross: Rule = {
  cause: () => 'unresponsive',
  proofs: () => ['probes_failed'],
  suspected: (f, p) => f.failuresAcross >= 2 * p.probeFailures,
  confirmed: (f, p) => f.failuresAcross >= 4 * p.probeFailures,
  reason: (f) => reasons.probesOnly(f.failuresAcross),
  lostAt: (f) => f.probeGoodAt,
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

export const rules: readonly Rule[] = [
  silentAndStill,
  silentAndSpinning,
  silentAndSpent,
  lying,
  probesAndThread,
  probesAndSpent,
  stalled,
  noProgress,
  silentInFrame,
  silentTwice,
  probesTwice,
  stoppedTwice,
  stillAcross,
  silentAcross,
  probesAcross,
];
