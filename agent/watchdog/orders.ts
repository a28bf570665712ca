// What others want of a component (start, stop, restart, adopt), and what time does to it (ticks, a pause of
// the agent). Planned work is polite: it waits for a busy component and gives up rather than cut off a
// sale; healing (health.ts) does not ask.

import { clearSuspicion, look, type Of } from './health.ts';
import { condemn, tellRecovered } from './incident.ts';
import { becomeReady, execute, kill, launch, launchPlanned, rest, terminate } from './life.ts';
import * as reasons from './reasons.ts';
import {
  answer,
  BUSY_WAIT_MS_MAX,
  COMMANDS_MAX,
  isBusy,
  isUp,
  move,
  READY_AGE_MS,
  type Turn,
  tellState,
} from './state.ts';
import { newWatch, renewWatch } from './watch.ts';

export function start(turn: Turn, { reason }: Of<'start'>): void {
  if (turn.draft.process === 'none') launch(turn, reason);
}

/** Stopping, but wanted again: it is started when it is gone, never beside the old copy. */
export function resume(turn: Turn): void {
  turn.draft.wanted = true;
}

/** A copy that outlived its agent. Its client has yet to come back, so it gets a period more. */
export function adopt(turn: Turn, event: Of<'adopted'>): void {
  const { draft, policy, now } = turn;
  if (draft.process !== 'none') return;
  const graceUntil = now + policy.blockedMs;
  draft.process = 'alive';
  draft.wanted = true;
  draft.instance = event.instance;
  draft.pid = event.pid;
  draft.watch = { ...newWatch(now), beatAt: graceUntil, graceUntil };
  if (event.wasReady) {
    move(turn, 'ready', undefined, reasons.ADOPTED);
    draft.readyAt = now;
    tellRecovered(turn);
    return;
  }
  const byAge = !policy.instrumented && !policy.hasProbes;
  const startMs = byAge ? READY_AGE_MS : policy.startTimeoutMs;
  draft.ceilingAt = now + policy.startTimeoutMsMax;
  move(turn, 'starting', now + startMs, reasons.ADOPTED);
}

export function stopRunning(turn: Turn, { reason }: Of<'stop'>): void {
  turn.draft.wanted = false;
  answer(turn, false, reasons.COMMAND_STOPPED);
  terminate(turn, reason);
}

export function stopWhileStopping(turn: Turn): void {
  turn.draft.wanted = false;
  answer(turn, false, reasons.COMMAND_STOPPED);
}

export function stopWaiting(turn: Turn, { reason }: Of<'stop'>): void {
  answer(turn, false, reasons.COMMAND_STOPPED);
  rest(turn, reason);
}

/** Puts the wish beside those that wait already. */
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
  draft.planned = {
    reason: before?.reason ?? event.reason,
    commands,
    phase: before?.phase ?? 'waiting',
    waitUntil: before?.waitUntil ?? now + BUSY_WAIT_MS_MAX,
  };
}

export function restartRunning(turn: Turn, event: Of<'restart'>): void {
  ask(turn, event);
  if (event.force && turn.draft.planned?.phase === 'waiting') proceed(turn);
  else proceedWhenIdle(turn);
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

export function idle(turn: Turn, { id }: Of<'idle'>): void {
  const { draft } = turn;
  if (draft.busy.has(id)) {
    const left = new Map(draft.busy);
    left.delete(id);
    draft.busy = left;
  }
  proceedWhenIdle(turn);
}

/** A component that is to be killed anyway is not asked to stop first: the restart comes with it. */
function proceedWhenIdle(turn: Turn): void {
  const { draft, now } = turn;
  if (draft.planned?.phase !== 'waiting' || draft.condemned !== undefined) return;
  if (!isBusy(draft, now)) proceed(turn);
  else if (now >= draft.planned.waitUntil) answer(turn, false, reasons.COMMAND_STILL_BUSY);
}

function proceed(turn: Turn): void {
  const { draft } = turn;
  if (draft.planned === undefined || draft.condemned !== undefined) return;
  draft.planned = { ...draft.planned, phase: 'stopping' };
  terminate(turn, draft.planned.reason, 'operator');
}

/** Must be said again and again, and ends at the ceiling: progress, not a blank cheque. */
export function extend({ draft, now }: Turn, { ms }: Of<'extend'>): void {
  if (draft.condemned !== undefined || draft.killed || !(ms > 0)) return;
  const asked = Math.max(draft.deadline ?? now, now + ms);
  draft.deadline = Math.min(asked, draft.ceilingAt ?? asked);
}

const isDue = ({ draft, now }: Turn): boolean =>
  draft.deadline !== undefined && now >= draft.deadline;

export function tickStarting(turn: Turn): void {
  const { draft, policy, now } = turn;
  proceedWhenIdle(turn);
  if (draft.state !== 'starting' || !isDue(turn)) return;
  const byAge = !policy.instrumented && !policy.hasProbes && draft.process === 'alive';
  if (draft.condemned !== undefined) execute(turn);
  else if (byAge) becomeReady(turn, reasons.READY_BY_AGE);
  else {
    const startedAt = (draft.ceilingAt ?? now) - policy.startTimeoutMsMax;
    const reason = reasons.startTimeout(now - startedAt);
    condemn(turn, { cause: 'start_timeout', reason, proofs: [], lostAt: startedAt }, false);
  }
}

export function tickUp(turn: Turn): void {
  const { draft, policy, now } = turn;
  if (draft.condemned !== undefined) {
    if (isDue(turn)) execute(turn);
    return;
  }
  proceedWhenIdle(turn);
  if (!isUp(draft)) return;
  const stable = draft.readyAt !== undefined && now - draft.readyAt >= policy.stableMs;
  if (draft.state === 'ready' && stable) forgive(turn);
  look(turn);
}

/** Ready for long enough: the next failure is a new incident. The budget's window slides on its own. */
function forgive({ draft }: Turn): void {
  draft.failures = 0;
  draft.quarantine = undefined;
  draft.incident = undefined;
}

export function tickStopping(turn: Turn): void {
  const { draft } = turn;
  if (!isDue(turn)) return;
  if (!draft.killed) {
    kill(turn, reasons.GRACE_OVER);
    return;
  }
  if (!draft.unkillableTold && draft.process === 'alive') {
    draft.unkillableTold = true;
    tellState(turn, 'stopping', reasons.UNKILLABLE, draft.failed?.cause);
  }
  kill(turn, reasons.UNKILLABLE);
}

export function tickBackoff(turn: Turn): void {
  if (isDue(turn)) launch(turn, reasons.BACKOFF_OVER, turn.draft.failed?.cause ?? 'crash');
}

export function tickQuarantined(turn: Turn): void {
  if (isDue(turn)) launch(turn, reasons.QUARANTINE_RETRY, turn.draft.failed?.cause ?? 'crash');
}

/** The agent was away: every live deadline moves by the gap, and each proof begins anew. */
export function paused(turn: Turn, event: Of<'paused'>): void {
  const { draft, policy, now } = turn;
  const gapMs = Number.isFinite(event.gapMs) ? Math.max(0, event.gapMs) : 0;
  const later = (at: number | undefined) => (at === undefined ? undefined : at + gapMs);
  draft.watch = renewWatch(draft.watch, policy, gapMs, now);
  draft.ceilingAt = later(draft.ceilingAt);
  draft.readyAt = later(draft.readyAt);
  draft.busy = new Map([...draft.busy].map(([id, until]) => [id, until + gapMs]));
  if (draft.planned !== undefined) {
    draft.planned = { ...draft.planned, waitUntil: draft.planned.waitUntil + gapMs };
  }
  // What the component said of itself stays true; what the agent concluded has to be seen again.
  if (draft.condemned?.cause === 'self_reported') return;
  draft.condemned = undefined;
  draft.deadline = later(draft.deadline);
  if (draft.state === 'suspect') clearSuspicion(turn, reasons.AGENT_PAUSED);
  if (draft.state !== 'starting') return;
  draft.deadline = Math.max(draft.deadline ?? now, now + policy.blockedMs);
}
