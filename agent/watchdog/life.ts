// The course of one life: start, ready, asked to stop, killed. Handlers (machine.ts, health.ts) say when; this
// file says what. What follows the end of a life is climb.ts.

import { random, spend } from './backoff.ts';
import { newCeilings } from './ceilings.ts';
import { openIncident, tellRecovered } from './incident.ts';
import { signatureOf } from './ladder.ts';
import type { Cause } from './model.ts';
import { breakOff, conclude, useRung } from './outcome.ts';
import { passiveBy, suppressVerdict } from './passive.ts';
import * as reasons from './reasons.ts';
import {
  answer,
  DEATH_MS_MAX,
  type Failed,
  type Failure,
  move,
  type Planned,
  TELL_AGAIN_MS,
  type Turn,
  tellState,
} from './state.ts';
import { tenderUntil } from './tender.ts';
import { newWatch, watchFromReady } from './watch.ts';

/**
 * Starts a copy; only ever called when there is none. `cause`: this is a restart, and why; it takes of the
 * budget of restarts unless something else paid for it.
 */
export function launch(turn: Turn, reason: string, cause?: Cause, spends = true): void {
  const { draft, policy, now, effects } = turn;
  forgetLife(turn);
  draft.failed = undefined;
  draft.escalation = undefined;
  draft.process = 'spawning';
  draft.wanted = true;
  draft.ceilingAt = now + policy.startTimeoutMsMax;
  if (draft.planned !== undefined) draft.planned = { ...draft.planned, phase: 'starting' };
  move(turn, 'starting', now + policy.startTimeoutMs, reason, cause);
  effects.push({ kind: 'spawn', reason });
  if (cause === undefined) return;
  if (spends) draft.restarts = spend(policy, draft.restarts, cause, now);
  const { incident } = draft;
  if (incident?.open) draft.incident = { ...incident, attempts: incident.attempts + 1 };
  effects.push({ kind: 'count_restart', cause });
}

/** Asked for: backoff, budget, ladder and quarantine begin anew. The watchdog's own wish changes none of them. */
export function launchPlanned(turn: Turn, planned: Planned): void {
  const { draft } = turn;
  const { asked, cause, reason, wish } = planned;
  if (asked) {
    breakOff(turn, reasons.OVER_OPERATOR);
    draft.failures = 0;
    draft.restarts = [];
    draft.quarantine = undefined;
    draft.refused = [];
  } else if (wish?.failure !== undefined) {
    useRung(turn, 'restart', failedBy(wish.failure));
  }
  launch(turn, reason, cause, asked || wish?.failure !== undefined);
}

/** When it is old, a fleet apart; drawn only where it is asked for. */
export function growOld(turn: Turn, agedMs: number): void {
  const { draft, policy, now } = turn;
  if (policy.age === undefined) return;
  const drawn = random(draft.random);
  draft.random = drawn.seed;
  const { maxMs, jitterMs } = policy.age;
  draft.oldAt = now - agedMs + maxMs + Math.round(jitterMs * drawn.value);
}

export function becomeReady(turn: Turn, reason: string): void {
  const { draft, now } = turn;
  draft.readyAt = now;
  draft.condemned = undefined;
  draft.watch = watchFromReady(draft.watch, now);
  draft.ceilingAt = undefined;
  move(turn, 'ready', undefined, reason, draft.incident?.open ? draft.incident.cause : undefined);
  tellRecovered(turn);
  if (draft.planned?.phase === 'starting') answer(turn, true, reasons.COMMAND_READY);
}

/** Asks it to stop; while its start is still under way the asking waits for `spawned`. */
export function terminate(turn: Turn, reason: string, cause?: Cause): void {
  const { draft, policy, now } = turn;
  draft.killed = false;
  draft.aborted = false;
  draft.unkillableTold = false;
  draft.condemned = undefined;
  draft.ceilingAt = now + Math.max(policy.stopGraceMs, policy.graceMsMax);
  // No grace at all still is a deadline ahead: the next tick kills.
  move(turn, 'stopping', now + Math.max(1, policy.stopGraceMs), reason, cause);
  if (draft.process === 'alive') askToStop(turn, reason);
}

export function askToStop(turn: Turn, reason: string): void {
  turn.effects.push({ kind: 'terminate', graceMs: turn.policy.stopGraceMs, reason });
}

export function kill(turn: Turn, reason: string): void {
  const { draft, now, effects } = turn;
  draft.killed = true;
  draft.deadline = now + DEATH_MS_MAX;
  effects.push({ kind: 'kill', reason });
}

/** No longer asked: ended, with time for a dump where one is wanted (systemd's TimeoutAbortSec). */
export function end(turn: Turn, reason: string): void {
  const { draft, policy, now, effects } = turn;
  if (policy.abortMs <= 0 || draft.aborted || draft.killed || draft.process !== 'alive') {
    kill(turn, reason);
    return;
  }
  draft.aborted = true;
  draft.deadline = now + policy.abortMs;
  effects.push({ kind: 'abort', reason });
}

/** Evidence is in, or its time is over: tell and kill, in this order, unless something forbids it. */
export function execute(turn: Turn): void {
  const { draft } = turn;
  const { condemned } = draft;
  if (condemned === undefined) return;
  if (passiveBy(turn) !== undefined) {
    suppressVerdict(turn, condemned);
    draft.condemned = undefined;
    const isStarting = draft.state === 'starting';
    // It may still become ready, or never: whoever asked is not kept waiting for that.
    failCommands(turn, condemned.reason);
    draft.deadline = turn.now + (isStarting ? TELL_AGAIN_MS : turn.policy.blockedMs / 2);
    return;
  }
  if (waitsForTender(turn)) return;
  failCommands(turn, condemned.reason);
  fail(turn, condemned, condemned.at);
  draft.condemned = undefined;
  draft.failed = failedBy(condemned, draft.remote && condemned.cause === 'start_timeout');
  dropWish(turn);
  draft.killed = false;
  draft.aborted = false;
  draft.unkillableTold = false;
  end(turn, condemned.reason);
  move(turn, 'stopping', draft.deadline, condemned.reason, condemned.cause);
}

/** Money moves: its outcome may be known a second later, and a kill would leave it in doubt. */
function waitsForTender(turn: Turn): boolean {
  const { draft, policy, now } = turn;
  const { condemned } = draft;
  if (condemned === undefined) return false;
  const { at, waits, sayAgainUntil } = condemned;
  const inFlight = Math.max(tenderUntil(draft.watch), sayAgainUntil ?? Number.NEGATIVE_INFINITY);
  const until = Math.min(inFlight, at + policy.tenderMsMax);
  if (until <= now) return false;
  if (!waits) tellState(turn, draft.state, reasons.tenderInFlight(until - now), condemned.cause);
  draft.condemned = { ...condemned, waits: true };
  draft.deadline = until;
  return true;
}

/** It failed: whatever was tried before did not hold. */
export function fail(turn: Turn, failure: Failure, confirmedAt: number): void {
  conclude(turn, false, reasons.failedAgain(failure.reason));
  openIncident(turn, failure, confirmedAt);
}

export const failedBy = (
  { cause, reason, topFrame }: Pick<Failure, 'cause' | 'reason' | 'topFrame'>,
  remote = false,
  permanent = false,
): Failed => ({
  cause,
  reason,
  remote,
  permanent,
  signature: signatureOf(cause, reason, topFrame),
});

/** What only the watchdog wished is over when the life that it was about is. */
export function dropWish({ draft }: Turn): void {
  const { planned } = draft;
  if (planned?.wish === undefined) return;
  draft.planned = planned.asked ? { ...planned, wish: undefined } : undefined;
}

/** Nothing runs and nothing is to run. */
export function rest(turn: Turn, reason: string, cause?: Cause): void {
  const { draft } = turn;
  draft.wanted = false;
  draft.failed = undefined;
  draft.escalation = undefined;
  breakOff(turn, reason);
  move(turn, 'stopped', undefined, reason, cause);
  forgetLife(turn);
}

/** A restart that was asked for did not bring it back; the failure itself is healed as any other. */
export function failCommands(turn: Turn, reason: string): void {
  if (turn.draft.planned?.phase === 'starting') answer(turn, false, reasons.commandFailed(reason));
}

function forgetLife(turn: Turn): void {
  const { draft, now } = turn;
  draft.process = 'none';
  draft.instance = undefined;
  draft.pid = undefined;
  draft.earlyExit = undefined;
  draft.killed = false;
  draft.aborted = false;
  draft.unkillableTold = false;
  draft.condemned = undefined;
  draft.evidence = {};
  draft.evidenceAt = undefined;
  draft.busy = new Map();
  draft.watch = newWatch(now);
  draft.ceilings = newCeilings;
  draft.oldAt = undefined;
  draft.remote = false;
  if (draft.told.size > 0)
    draft.told = new Map([...draft.told].filter(([key]) => key.includes(':')));
}
