// What follows a failure: again at once, later, with more than itself, or slowly for ever. It goes back to the loop
// before anything else is decided, so that a stop is never starved by a crash loop (OTP supervisor,
// try_again). The choice of the rung is ladder.ts, the books are outcome.ts; this file moves the component.

import { backoffMs, quarantineMs, random, withinBudget } from './backoff.ts';
import { tellQuarantined } from './incident.ts';
import { failedBy, launch, launchPlanned } from './life.ts';
import type { ComponentEvent, Rung } from './model.ts';
import { choose, conclude, takeBack, useRung } from './outcome.ts';
import { passiveBy, rungKey, tellSuppressed } from './passive.ts';
import * as reasons from './reasons.ts';
import { ESCALATION_MS_MAX, type Failed, move, type Turn } from './state.ts';

/** How long a restart waits for those that it would take along: the sale that is open may need the failed one. */
const STRATEGY_PATIENCE_MS = 10_000;
/** In quarantine a rung that could not be done is asked for again after so long: a machine grows older, a sale ends. */
export const REFUSED_MS_MAX = 15 * 60_000;

type Of<K extends ComponentEvent['kind']> = Extract<ComponentEvent, { kind: K }>;

/** Of a state that was restored without it: never, but a decision has to be total. */
const UNKNOWN: Failed = failedBy({ cause: 'crash', reason: reasons.exited(undefined, undefined) });
const failedOf = ({ draft }: Turn): Failed => draft.failed ?? UNKNOWN;

/** It is gone and is to run: how and when. */
export function recover(turn: Turn, failed: Failed): void {
  const { draft } = turn;
  if (draft.planned !== undefined) {
    launchPlanned(turn, draft.planned);
    return;
  }
  draft.failures += 1;
  draft.failed = failed;
  if (failed.permanent) quarantine(turn);
  else if (draft.quarantine !== undefined) climbAgain(turn);
  // At once would be in vain: what is away is not here.
  else if (failed.remote) backOff(turn, Math.max(2, draft.failures));
  else climb(turn);
}

/** The next rung for the failure at hand. */
function climb(turn: Turn): void {
  const { draft, now } = turn;
  const failed = failedOf(turn);
  const choice = choose(turn, failed.cause, failed.signature);
  draft.escalation = undefined;
  if (choice.kind === 'restart') {
    backOff(turn, draft.failures);
    return;
  }
  if (choice.kind === 'quarantine') {
    quarantine(turn);
    return;
  }
  if (passiveBy(turn) !== undefined) {
    if (choice.kind === 'rung') tellSuppressed(turn, rungKey(choice.rung), choice.rung, failed);
    quarantine(turn);
    return;
  }
  if (choice.kind === 'rung') {
    escalate(turn, choice.rung, reasons.climbs(choice.rung, failed.reason), false);
    return;
  }
  draft.escalation = { kind: 'cooling' };
  move(turn, 'backoff', choice.until, reasons.coolsDown(choice.until - now), failed.cause);
}

/** A slow retry failed: is there by now a rung that was not possible before? */
function climbAgain(turn: Turn): void {
  const { draft, now } = turn;
  draft.refused = draft.refused.filter(({ at }) => at > now - REFUSED_MS_MAX);
  const { cause, signature, remote } = failedOf(turn);
  const choice = choose(turn, cause, signature);
  if (choice.kind === 'rung' && !remote && passiveBy(turn) === undefined) climb(turn);
  else quarantine(turn);
}

function backOff(turn: Turn, failures: number): void {
  const { draft, policy, now } = turn;
  const { reason, cause, remote } = failedOf(turn);
  const drawn = random(draft.random);
  draft.random = drawn.seed;
  const delayMs = backoffMs(policy, failures, drawn.value);
  if (delayMs === 0) again(turn, reasons.atOnce(reason));
  else move(turn, 'backoff', now + delayMs, remote ? reasons.REMOTE_AWAY : reason, cause);
}

/** A plain restart, or where the strategy is rest_for_one, one with all that comes after it. */
function again(turn: Turn, reason: string): void {
  const { draft, policy } = turn;
  const failed = failedOf(turn);
  const withRest =
    policy.strategy === 'rest_for_one' &&
    !failed.remote &&
    passiveBy(turn) === undefined &&
    !draft.refused.some(({ rung }) => rung === 'dependants') &&
    policy.rungs.some(({ rung }) => rung === 'dependants');
  if (withRest) escalate(turn, 'dependants', reasons.asStrategy(failed.reason), true);
  else restart(turn, reason);
}

function restart(turn: Turn, reason: string): void {
  const failed = failedOf(turn);
  useRung(turn, 'restart', failed);
  launch(turn, reason, failed.cause, !failed.remote);
}

function escalate(turn: Turn, rung: Rung, reason: string, counts: boolean): void {
  const { draft, policy, now, effects } = turn;
  const { cause, signature } = failedOf(turn);
  useRung(turn, rung, { cause, reason, signature }, !counts);
  draft.escalation = { kind: 'asked', rung, counts };
  move(turn, 'backoff', now + ESCALATION_MS_MAX, reason, cause);
  const incident = draft.incident?.id ?? '';
  const fields = { rung, incident, cause, reason, signature } as const;
  // Meanwhile it is down, and no slow retry is done either.
  const isSlow = draft.quarantine !== undefined;
  const patienceMs = counts ? STRATEGY_PATIENCE_MS : isSlow ? policy.quarantineRetryMs : undefined;
  effects.push({ kind: 'escalate', ...fields, ...(patienceMs !== undefined && { patienceMs }) });
}

export function planLaunches(turn: Turn, event: Of<'launch'>): void {
  const { escalation } = turn.draft;
  if (escalation?.kind !== 'asked' || escalation.rung !== event.rung) return;
  launch(turn, event.reason, failedOf(turn).cause, escalation.counts);
}

export function planRefuses(turn: Turn, event: Of<'refused'>): void {
  const { draft } = turn;
  const { escalation } = draft;
  if (escalation?.kind !== 'asked' || escalation.rung !== event.rung) return;
  const reason = reasons.rungRefused(event.rung, event.reason);
  takeBack(turn, event.rung, reason);
  if (escalation.counts) {
    restart(turn, reason);
    return;
  }
  draft.refused = [...draft.refused, { rung: event.rung, at: turn.now }];
  climb(turn);
}

const isDue = ({ draft, now }: Turn): boolean =>
  draft.deadline !== undefined && now >= draft.deadline;

export function tickBackoff(turn: Turn): void {
  if (!isDue(turn)) return;
  const { draft, policy, now } = turn;
  if (draft.escalation?.kind === 'cooling') climb(turn);
  else if (draft.escalation === undefined) again(turn, reasons.BACKOFF_OVER);
  else {
    // The plan never answered: what it was to do counts as done, and as no help.
    conclude(turn, false, reasons.ESCALATION_OVER);
    draft.escalation = undefined;
    const isLeft = withinBudget(policy, draft.restarts, failedOf(turn).cause, now);
    if (isLeft) restart(turn, reasons.ESCALATION_OVER);
    else quarantine(turn);
  }
}

export function tickQuarantined(turn: Turn): void {
  if (isDue(turn)) launch(turn, reasons.QUARANTINE_RETRY, failedOf(turn).cause);
}

/** Nobody holds it any more: what could not be climbed meanwhile can be now. */
export function leaveHold(turn: Turn): void {
  const { draft, policy } = turn;
  const suppressed = policy.rungs.some(({ rung }) => draft.told.has(rungKey(rung)));
  draft.told = new Map();
  // One that says that starting it again cannot help, or is only observed, waits on.
  const waitsOn = draft.failed?.permanent === true || passiveBy(turn) !== undefined;
  if (draft.state !== 'quarantined' || !suppressed || waitsOn) return;
  draft.quarantine = undefined;
  climb(turn);
}

function quarantine(turn: Turn): void {
  const { draft, policy, now } = turn;
  const failed = failedOf(turn);
  const retries = draft.quarantine ?? 0;
  const { restartsMax, restartsWindowMs, rungs } = policy;
  const spent =
    rungs.length > 0 ? reasons.LADDER_SPENT : reasons.overBudget(restartsMax, restartsWindowMs);
  const reason = failed.permanent ? reasons.NEVER_AGAIN : spent;
  if (draft.quarantine === undefined) useRung(turn, 'quarantine', { ...failed, reason });
  draft.quarantine = retries + 1;
  draft.escalation = undefined;
  const until = now + quarantineMs(policy.quarantineRetryMs, retries);
  move(turn, 'quarantined', until, reason, failed.cause);
  tellQuarantined(turn, reason);
}
