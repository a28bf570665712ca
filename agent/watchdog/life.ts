// The course of one life and what follows it: start, ready, stop, kill, and after the exit the choice
// between restart, backoff, quarantine and rest. Handlers (machine.ts, health.ts) say when; this file says
// what. A restart goes back to the loop before anything else is decided, so that a stop is never starved by
// a crash loop (OTP supervisor, try_again).

import { backoffMs, quarantineMs, random, spend, withinBudget } from './backoff.ts';
import { type Failure, openIncident, tellQuarantined, tellRecovered } from './incident.ts';
import type { Cause } from './model.ts';
import * as reasons from './reasons.ts';
import { answer, DEATH_MS_MAX, type Exit, move, type Planned, type Turn } from './state.ts';
import { newWatch, watchFromReady } from './watch.ts';

/** Starts a copy; only ever called when there is none. `cause`: this is a restart, and why. */
export function launch(turn: Turn, reason: string, cause?: Cause): void {
  const { draft, policy, now, effects } = turn;
  forgetLife(turn);
  draft.failed = undefined;
  draft.process = 'spawning';
  draft.wanted = true;
  draft.ceilingAt = now + policy.startTimeoutMsMax;
  if (draft.planned !== undefined) draft.planned = { ...draft.planned, phase: 'starting' };
  move(turn, 'starting', now + policy.startTimeoutMs, reason, cause);
  effects.push({ kind: 'spawn', reason });
  if (cause === undefined) return;
  draft.restarts = spend(policy, draft.restarts, cause, now);
  const { incident } = draft;
  if (incident?.open) draft.incident = { ...incident, attempts: incident.attempts + 1 };
  effects.push({ kind: 'count_restart', cause });
}

/** At the operator's wish: backoff, budget and quarantine begin anew. */
export function launchPlanned(turn: Turn, planned: Planned): void {
  const { draft } = turn;
  draft.failures = 0;
  draft.restarts = [];
  draft.quarantine = undefined;
  launch(turn, planned.reason, 'operator');
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
  draft.unkillableTold = false;
  draft.condemned = undefined;
  draft.ceilingAt = now + Math.max(policy.stopGraceMs, policy.startTimeoutMsMax);
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

/** Evidence is in, or its time is over: tell and kill, in this order. */
export function execute(turn: Turn): void {
  const { draft } = turn;
  const { condemned } = draft;
  if (condemned === undefined) return;
  failCommands(turn, condemned.reason);
  openIncident(turn, condemned, condemned.at);
  draft.condemned = undefined;
  draft.failed = { cause: condemned.cause, reason: condemned.reason };
  draft.unkillableTold = false;
  kill(turn, condemned.reason);
  move(turn, 'stopping', draft.deadline, condemned.reason, condemned.cause);
}

/** It ended, or never began, although nobody asked it to stop. */
export function afterFailure(turn: Turn, failure: Failure, exit: Exit | undefined): void {
  const { draft, now } = turn;
  const certain = draft.condemned;
  const found = certain ?? failure;
  // What an earlier suspicion found does not belong to a crash.
  if (certain === undefined && draft.state !== 'suspect') draft.evidence = {};
  failCommands(turn, found.reason);
  const clean = certain === undefined && exit?.code === 0 && exit.signal === undefined;
  const isFailure = !clean || turn.policy.restart === 'permanent';
  if (draft.planned === undefined && !isRestarted(turn, clean)) {
    if (clean) rest(turn, reasons.ENDED_BY_ITSELF);
    else rest(turn, found.reason, found.cause);
    return;
  }
  if (isFailure) openIncident(turn, found, certain?.at ?? now);
  again(turn, found.reason, found.cause);
}

/** It ended after being asked or killed. */
export function afterStop(turn: Turn): void {
  const { draft } = turn;
  const { failed, planned, wanted } = draft;
  if (!wanted) rest(turn, reasons.ENDED_AS_ASKED);
  else if (planned !== undefined) launchPlanned(turn, planned);
  else if (failed === undefined) launch(turn, reasons.STOP_CANCELLED);
  else if (isRestarted(turn, false)) again(turn, failed.reason, failed.cause);
  else rest(turn, failed.reason, failed.cause);
}

/** Nothing runs and nothing is to run. */
export function rest(turn: Turn, reason: string, cause?: Cause): void {
  turn.draft.wanted = false;
  turn.draft.failed = undefined;
  move(turn, 'stopped', undefined, reason, cause);
  forgetLife(turn);
}

/** After a failure: at once, later, or slowly for ever. */
function again(turn: Turn, reason: string, cause: Cause): void {
  const { draft, policy, now } = turn;
  if (draft.planned !== undefined) {
    launchPlanned(turn, draft.planned);
    return;
  }
  draft.failures += 1;
  draft.failed = { cause, reason };
  if (draft.quarantine !== undefined || !withinBudget(policy, draft.restarts, cause, now)) {
    quarantine(turn, cause);
    return;
  }
  const drawn = random(draft.random);
  draft.random = drawn.seed;
  const delayMs = backoffMs(policy, draft.failures, drawn.value);
  if (delayMs === 0) launch(turn, reasons.atOnce(reason), cause);
  else move(turn, 'backoff', now + delayMs, reason, cause);
}

function quarantine(turn: Turn, cause: Cause): void {
  const { draft, policy, now } = turn;
  const retries = draft.quarantine ?? 0;
  draft.quarantine = retries + 1;
  const reason = reasons.overBudget(policy.restartsMax, policy.restartsWindowMs);
  move(turn, 'quarantined', now + quarantineMs(policy.quarantineRetryMs, retries), reason, cause);
  tellQuarantined(turn, reason);
}

/** OTP's three words. */
function isRestarted({ policy }: Turn, clean: boolean): boolean {
  if (policy.restart === 'permanent') return true;
  return policy.restart === 'transient' && !clean;
}

/** A restart that was asked for did not bring it back; the failure itself is healed as any other. */
function failCommands(turn: Turn, reason: string): void {
  if (turn.draft.planned?.phase === 'starting') answer(turn, false, reasons.commandFailed(reason));
}

function forgetLife(turn: Turn): void {
  const { draft, now } = turn;
  draft.process = 'none';
  draft.instance = undefined;
  draft.pid = undefined;
  draft.earlyExit = undefined;
  draft.killed = false;
  draft.unkillableTold = false;
  draft.condemned = undefined;
  draft.evidence = {};
  draft.evidenceAt = undefined;
  draft.busy = new Map();
  draft.watch = newWatch(now);
}
