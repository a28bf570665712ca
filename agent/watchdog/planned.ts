// Restarts that are planned: asked for by a person or an upgrade, or wished by the watchdog itself because a
// component is old or too large. All are polite: they wait for a busy component. What somebody asked for is given
// up in the end rather than cut off a sale, and answered; the watchdog's own wish waits on.

import { withinBudget } from './backoff.ts';
import { isBelow, lookAtUsage } from './ceilings.ts';
import type { Of } from './health.ts';
import { openIncident } from './incident.ts';
import { signatureOf } from './ladder.ts';
import { execute, launchPlanned, terminate } from './life.ts';
import { conclude } from './outcome.ts';
import { passiveBy, tellSuppressed } from './passive.ts';
import * as reasons from './reasons.ts';
import {
  answer,
  BUSY_WAIT_MS_MAX,
  COMMANDS_MAX,
  type Failure,
  isBusy,
  type RungUse,
  sayOnce,
  TELL_AGAIN_MS,
  type Turn,
  tellState,
  type Wish,
} from './state.ts';

/** Puts what is asked beside what waits already; a person's reason goes before the watchdog's. */
function ask(turn: Turn, event: Of<'restart'>): void {
  const { draft, now, effects } = turn;
  const before = draft.planned;
  const commands = [...(before?.commands ?? [])];
  const { command } = event;
  if (command !== undefined && !commands.includes(command)) {
    if (commands.length < COMMANDS_MAX) commands.push(command);
    else {
      const reason = reasons.COMMANDS_TOO_MANY;
      effects.push({ kind: 'command_done', command, ok: false, reason });
    }
  }
  const known = before?.asked ? before : undefined;
  draft.planned = {
    reason: known?.reason ?? event.reason,
    cause: known?.cause ?? event.cause ?? 'operator',
    commands,
    phase: before?.phase ?? 'waiting',
    waitUntil: known?.waitUntil ?? now + BUSY_WAIT_MS_MAX,
    asked: true,
    wish: before?.wish,
  };
}

export function restartRunning(turn: Turn, event: Of<'restart'>): void {
  ask(turn, event);
  if (!event.force || turn.draft.planned?.phase !== 'waiting') proceedWhenIdle(turn);
  // A person who forces it takes the tender upon himself; the restart comes with the kill.
  else if (turn.draft.condemned?.waits) breakWait(turn);
  else proceed(turn);
}

function breakWait(turn: Turn): void {
  const { condemned } = turn.draft;
  if (condemned === undefined) return;
  turn.draft.condemned = { ...condemned, at: Number.NEGATIVE_INFINITY };
  execute(turn);
}

export function restartStopping(turn: Turn, event: Of<'restart'>): void {
  ask(turn, event);
  const { draft } = turn;
  draft.wanted = true;
  if (draft.planned !== undefined) draft.planned = { ...draft.planned, phase: 'stopping' };
}

export function restartWaiting(turn: Turn, event: Of<'restart'>): void {
  ask(turn, event);
  if (turn.draft.planned !== undefined) launchPlanned(turn, turn.draft.planned);
}

export function idle(turn: Turn, event: Of<'idle'>): void {
  idleWhileStopping(turn, event);
  proceedWhenIdle(turn);
}

/** It is ended already; only others, whom the plan holds back for its sale, want to know. */
export function idleWhileStopping({ draft }: Turn, { id }: Of<'idle'>): void {
  if (!draft.busy.has(id)) return;
  const left = new Map(draft.busy);
  left.delete(id);
  draft.busy = left;
}

/** A component that is to be killed anyway is not asked to stop first: the restart comes with it. */
export function proceedWhenIdle(turn: Turn): void {
  const { draft, now } = turn;
  if (draft.planned?.phase !== 'waiting' || draft.condemned !== undefined) return;
  if (!isBusy(draft, now)) proceed(turn);
  else if (now >= draft.planned.waitUntil) giveUp(turn);
}

/** Whoever asked is answered; a wish of the watchdog's own waits on. */
function giveUp(turn: Turn): void {
  const wish = turn.draft.planned?.wish;
  answer(turn, false, reasons.COMMAND_STILL_BUSY);
  if (wish !== undefined) plan(turn, wish);
}

function proceed(turn: Turn): void {
  const { draft, now } = turn;
  const { planned } = draft;
  if (planned === undefined || draft.condemned !== undefined) return;
  const failure = planned.asked ? undefined : planned.wish?.failure;
  if (failure !== undefined) openIncident(turn, failure, now);
  draft.planned = { ...planned, phase: 'stopping' };
  terminate(turn, planned.reason, planned.cause);
}

function plan(turn: Turn, wish: Wish): void {
  const { reason, cause } = wish;
  const waitUntil = turn.now + BUSY_WAIT_MS_MAX;
  const rest = { commands: [], phase: 'waiting', asked: false } as const;
  turn.draft.planned = { reason, cause, waitUntil, wish, ...rest };
}

/** A restart at idle for which nobody asked. */
function wishFor(turn: Turn, wish: Wish): void {
  const { draft } = turn;
  if (draft.planned === undefined) plan(turn, wish);
  else if (draft.planned.phase === 'waiting' && draft.planned.wish === undefined) {
    draft.planned = { ...draft.planned, wish };
  }
  proceedWhenIdle(turn);
}

/** Old age is no failure: no incident, no budget; told like a restart that somebody planned. */
export function wishWhenOld(turn: Turn): void {
  const { draft, policy, now } = turn;
  if (draft.oldAt === undefined || now < draft.oldAt || policy.age === undefined) return;
  if (draft.planned !== undefined) return;
  const reason = reasons.tooOld(policy.age.maxMs);
  if (passiveBy(turn) === undefined) {
    draft.oldAt = undefined;
    wishFor(turn, { what: 'age', reason, cause: 'operator', failure: undefined });
    return;
  }
  draft.oldAt = now + TELL_AGAIN_MS;
  tellSuppressed(turn, 'age', 'restart', { cause: 'operator', reason });
}

/** Memory, descriptors and processor time: over too often is restarted at idle, never killed. */
export function usage(turn: Turn, event: Of<'usage'>): void {
  const { draft, policy, now } = turn;
  const { ceilings, over } = lookAtUsage(policy.limits, draft.ceilings, event, now);
  draft.ceilings = ceilings;
  const waiting = draft.planned?.phase === 'waiting' ? draft.planned.wish : undefined;
  if (waiting !== undefined && waiting.what !== 'age' && isBelow(ceilings, waiting.what)) {
    withdraw(turn);
  }
  if (over === undefined) return;
  const cause = over.ceiling === 'cpu' ? 'stalled' : 'memory';
  const { reason, ceiling: what } = over;
  const failure = { cause, reason, proofs: [], lostAt: over.sinceAt } as const;
  if (passiveBy(turn) !== undefined) tellSuppressed(turn, what, 'restart', failure);
  else if (isFutile(turn, what, failure)) return;
  else if (withinBudget(policy, draft.restarts, cause, now)) {
    wishFor(turn, { what, reason: reasons.atIdle(reason), cause, failure });
  } else if (draft.planned === undefined && sayOnce(turn, `budget:${what}`)) {
    tellState(turn, draft.state, reasons.stillOver(reason), cause);
  }
}

/** Over again before it was stable: a ceiling that is too low must not restart a sale each minute. */
function isFutile(turn: Turn, what: Wish['what'], { cause, reason }: Failure): boolean {
  const { draft, now } = turn;
  const key = `futile:${what}`;
  if (now < (draft.told.get(key) ?? now)) return true;
  const signature = signatureOf(cause, reason, undefined);
  const isSame = (use: RungUse): boolean => use.rung === 'restart' && use.signature === signature;
  if (!draft.trials.some(isSame)) return false;
  conclude(turn, false, reasons.failedAgain(reason), isSame);
  if (sayOnce(turn, key)) tellState(turn, draft.state, reasons.stillLarge(reason), cause);
  return true;
}

/** It is no longer too large: nothing is to be done, unless somebody asked as well. */
function withdraw({ draft }: Turn): void {
  const { planned } = draft;
  if (planned !== undefined)
    draft.planned = planned.asked ? { ...planned, wish: undefined } : undefined;
}
