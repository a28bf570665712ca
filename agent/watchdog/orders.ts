// What others want of a component (start, stop, adopt, hold), and what time does to it (ticks, a pause of the
// agent). Planned restarts are planned.ts; healing (health.ts) does not ask.

import { afterPause } from './ceilings.ts';
import { leaveHold } from './climb.ts';
import { clearSuspicion, look, type Of } from './health.ts';
import { condemn, tellRecovered } from './incident.ts';
import { becomeReady, execute, growOld, launch, rest, terminate } from './life.ts';
import { concludeStable } from './outcome.ts';
import { passiveBy, tellSuppressed } from './passive.ts';
import { watchAfterPause } from './pauses.ts';
import { proceedWhenIdle, wishWhenOld } from './planned.ts';
import * as reasons from './reasons.ts';
import { answer, isUp, move, READY_AGE_MS, type Turn } from './state.ts';
import { newWatch } from './watch.ts';

/** As a member of somebody else's recovery it counts as a restart, and takes of no budget of its own. */
export function start(turn: Turn, { reason, cause }: Of<'start'>): void {
  if (turn.draft.process === 'none') launch(turn, reason, cause, false);
}

/** Stopping, but wanted again: it is started when it is gone, never beside the old copy. */
export function resume(turn: Turn): void {
  turn.draft.wanted = true;
}

/** Whether a sale is open in an adopted copy has to be said again: until then planned work waits. */
const NOT_SAID_YET = 'not said yet';
const NOT_SAID_YET_MS = 5_000;

/** A copy that outlived its agent. Its client has yet to come back, so it gets a period more. */
export function adopt(turn: Turn, event: Of<'adopted'>): void {
  const { draft, policy, now } = turn;
  if (draft.process !== 'none') return;
  const graceUntil = now + policy.blockedMs;
  draft.process = 'alive';
  draft.wanted = true;
  draft.instance = event.instance;
  draft.pid = event.pid;
  growOld(turn, event.ageMs ?? 0);
  draft.watch = { ...newWatch(now), beatAt: graceUntil, graceUntil, turns: event.turns ?? false };
  draft.busy = new Map([[NOT_SAID_YET, now + NOT_SAID_YET_MS]]);
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

export function stopRunning(turn: Turn, { reason, cause }: Of<'stop'>): void {
  if (cause === 'dependency' && passiveBy(turn) !== undefined) {
    // Healing another one is no order of a person: what is only observed is not stopped for it either.
    tellSuppressed(turn, cause, 'dependants', { cause, reason: reasons.asMember(reason) });
    return;
  }
  turn.draft.wanted = false;
  answer(turn, false, reasons.COMMAND_STOPPED);
  terminate(turn, reason, cause);
}

export function stopWhileStopping(turn: Turn): void {
  turn.draft.wanted = false;
  answer(turn, false, reasons.COMMAND_STOPPED);
}

export function stopWaiting(turn: Turn, { reason, cause }: Of<'stop'>): void {
  answer(turn, false, reasons.COMMAND_STOPPED);
  rest(turn, reason, cause);
}

/** A technician holds the till, or lets it go: what was only told meanwhile is decided anew. */
export function hold(turn: Turn, { active }: Of<'hold'>): void {
  const { draft, policy, now } = turn;
  if (draft.held === active) return;
  draft.held = active;
  if (active) {
    putOffWish(turn);
    return;
  }
  const isLate = draft.state === 'starting' && draft.told.has('start_timeout');
  if (isLate) draft.deadline = Math.min(draft.deadline ?? now, now + policy.blockedMs);
  leaveHold(turn);
}

/** The ladder begins anew for the next failure; what is under way, and a quarantine, go on as they are. */
export function refill({ draft, effects }: Turn): void {
  draft.restarts = [];
  draft.uses = [];
  draft.heals = [];
  draft.refused = [];
  effects.push({ kind: 'remember' });
}

/** What the watchdog wished by itself and has not begun: wished anew once the till is let go. */
function putOffWish({ draft, now }: Turn): void {
  const { planned } = draft;
  if (planned?.phase !== 'waiting' || planned.wish === undefined) return;
  if (planned.wish.what === 'age') draft.oldAt = now;
  draft.planned = planned.asked ? { ...planned, wish: undefined } : undefined;
}

/** Must be said again and again, and ends at the ceiling: progress, not a blank cheque. */
export function extend({ draft, now }: Turn, { ms }: Of<'extend'>): void {
  if (draft.condemned !== undefined || draft.killed || draft.aborted || !(ms > 0)) return;
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
  else if (byAge) {
    becomeReady(turn, reasons.READY_BY_AGE);
    // It may have grown old meanwhile: a debugger held it, or it was adopted before it was ready.
    wishWhenOld(turn);
  } else {
    const startedAt = (draft.ceilingAt ?? now) - policy.startTimeoutMsMax;
    const reason = reasons.startTimeout(now - startedAt);
    condemn(turn, { cause: 'start_timeout', reason, proofs: [], lostAt: startedAt }, false);
  }
}

export function tickUp(turn: Turn): void {
  const { draft, policy, now } = turn;
  if (draft.condemned !== undefined) {
    // What waits for a tender is asked each time: it may be over before its deadline.
    if (isDue(turn) || draft.condemned.waits) execute(turn);
    return;
  }
  proceedWhenIdle(turn);
  if (isUp(draft)) wishWhenOld(turn);
  if (!isUp(draft)) return;
  look(turn);
  if (draft.state !== 'ready' || draft.readyAt === undefined) return;
  concludeStable(turn);
  if (now - draft.readyAt >= policy.stableMs) forgive(turn);
}

/** Ready for long enough: the next failure is a new incident. The budget's window slides on its own. */
function forgive({ draft }: Turn): void {
  draft.failures = 0;
  draft.quarantine = undefined;
  draft.incident = undefined;
  if (draft.refused.length > 0) draft.refused = [];
}

/** The agent was away: every live deadline moves by the gap, and each proof begins anew. */
export function paused(turn: Turn, event: Of<'paused'>): void {
  const { draft, policy, now } = turn;
  const gapMs = Number.isFinite(event.gapMs) ? Math.max(0, event.gapMs) : 0;
  const later = (at: number | undefined) => (at === undefined ? undefined : at + gapMs);
  draft.watch = watchAfterPause(draft.watch, policy, gapMs, now);
  draft.ceilingAt = later(draft.ceilingAt);
  draft.readyAt = later(draft.readyAt);
  draft.ceilings = afterPause(draft.ceilings);
  if (draft.busy.size > 0) {
    draft.busy = new Map([...draft.busy].map(([id, until]) => [id, until + gapMs]));
  }
  if (draft.planned !== undefined) {
    draft.planned = { ...draft.planned, waitUntil: draft.planned.waitUntil + gapMs };
  }
  // What the component said of itself stays true; what the agent concluded has to be seen again.
  if (draft.condemned?.cause === 'self_reported') return;
  draft.condemned = undefined;
  draft.deadline = later(draft.deadline);
  if (draft.state === 'suspect') clearSuspicion(turn, reasons.AGENT_PAUSED, false);
  if (draft.state !== 'starting') return;
  draft.deadline = Math.max(draft.deadline ?? now, now + policy.blockedMs);
  // An extension must not take back what was just granted.
  draft.ceilingAt = Math.max(draft.ceilingAt ?? now, draft.deadline);
}
