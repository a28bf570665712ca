// What a running component and its probes say, and what is concluded from it: ready, suspect, condemned.
// Each handler first notes what it saw and then lets one function, `look`, draw the conclusion, so that no
// event has its own idea of health. A verdict waits for its second evidence; health that shows meanwhile
// takes it back, because a kill that is not needed costs a basket.

import { judge } from './hang.ts';
import {
  boundEvidence,
  collectEarly,
  condemn,
  dropStaleEvidence,
  type Failure,
} from './incident.ts';
import { afterFailure, afterStop, askToStop, becomeReady, execute, kill } from './life.ts';
import type { ComponentEvent } from './model.ts';
import * as reasons from './reasons.ts';
import {
  BUSY_ITEMS_MAX,
  type Exit,
  move,
  READY_AGE_MS,
  SAY_AGAIN_MS_MAX,
  type Turn,
} from './state.ts';
import * as watches from './watch.ts';

export type Of<K extends ComponentEvent['kind']> = Extract<ComponentEvent, { kind: K }>;

const clearMs = (turn: Turn): number => turn.now + turn.policy.blockedMs / 2;

/** In ready and suspect: judges what was seen so far. */
export function look(turn: Turn): void {
  const { draft, policy, now } = turn;
  const verdict = judge(policy, draft.watch, now);
  if (draft.condemned !== undefined) {
    if (!draft.condemned.judged || verdict?.level === 'confirmed') return;
    draft.condemned = undefined;
    draft.deadline = clearMs(turn);
  }
  if (verdict === undefined) {
    clearSuspicion(turn, reasons.EVIDENCE_CLEARED);
    return;
  }
  const isNew = draft.state === 'ready';
  if (isNew) move(turn, 'suspect', clearMs(turn), verdict.reason, verdict.cause);
  else if ((draft.deadline ?? now) <= now) draft.deadline = clearMs(turn);
  if (verdict.level === 'confirmed') {
    if (isNew) dropStaleEvidence(turn);
    condemn(turn, verdict, true);
  } else if (isNew) collectEarly(turn);
}

export function clearSuspicion(turn: Turn, reason: string): void {
  const { draft } = turn;
  draft.condemned = undefined;
  if (draft.state === 'suspect') move(turn, 'ready', undefined, reason);
}

export function saidReady(turn: Turn): void {
  const { draft } = turn;
  // Late but in time: a start that ran out is forgiven until it is killed, trouble is not.
  if (draft.condemned !== undefined && draft.condemned.cause !== 'start_timeout') return;
  if (draft.process === 'alive') becomeReady(turn, reasons.READY_BY_CHANNEL);
}

export function beat(turn: Turn): void {
  turn.draft.watch = watches.onBeat(turn.draft.watch, turn.now);
  look(turn);
}

export function firstProbe(turn: Turn, event: Of<'probe'>): void {
  const { draft, policy } = turn;
  if (!event.ok || policy.instrumented || draft.process !== 'alive') return;
  if (draft.condemned !== undefined && draft.condemned.cause !== 'start_timeout') return;
  becomeReady(turn, reasons.READY_BY_PROBE);
}

export function probe(turn: Turn, event: Of<'probe'>): void {
  const { draft, policy, now } = turn;
  draft.watch = watches.onProbe(draft.watch, policy, event, now);
  look(turn);
}

/** Before it is ready samples only make baselines; a debugger stops the clock there too. */
export function firstSample(turn: Turn, { sample }: Of<'sample'>): void {
  const { draft, policy, now } = turn;
  draft.watch = watches.onSample(draft.watch, policy, sample, now);
  if (!watches.isTraced(sample)) return;
  draft.condemned = undefined;
  draft.deadline = Math.max(draft.deadline ?? now, now + policy.blockedMs);
}

export function sample(turn: Turn, event: Of<'sample'>): void {
  const { draft, policy, now } = turn;
  draft.watch = watches.onSample(draft.watch, policy, event.sample, now);
  if (watches.isTraced(event.sample)) clearSuspicion(turn, reasons.DEBUGGED);
  // A sample by itself takes no verdict back: one lucky look at a stuck thread is not health.
  else if (draft.condemned === undefined) look(turn);
}

export function connected(turn: Turn): void {
  const { draft, now } = turn;
  draft.watch = watches.onConnected(draft.watch);
  // Not at once: a planned restart must not slip in before a sale has said again that it goes on.
  const until = now + SAY_AGAIN_MS_MAX;
  draft.busy = new Map([...draft.busy].map(([id, at]) => [id, Math.min(at, until)]));
  if (draft.state === 'suspect') look(turn);
}

export function delayed(turn: Turn): void {
  turn.draft.watch = watches.onDelayed(turn.draft.watch, turn.policy, turn.now);
  if (turn.draft.state === 'suspect') look(turn);
}

export function begin(turn: Turn, event: Of<'begin'>): void {
  if (!Number.isFinite(event.deadlineMs)) return;
  turn.draft.watch = watches.onBegin(turn.draft.watch, event, turn.now);
}

export function touch(turn: Turn, { id }: Of<'touch'>): void {
  turn.draft.watch = watches.onTouch(turn.draft.watch, id, turn.now);
  if (turn.draft.state === 'suspect') look(turn);
}

export function end(turn: Turn, { id }: Of<'end'>): void {
  turn.draft.watch = watches.onEnd(turn.draft.watch, id);
  if (turn.draft.state === 'suspect') look(turn);
}

export function busy(turn: Turn, { id, ceilingMs }: Of<'busy'>): void {
  const { draft, now } = turn;
  if (!(ceilingMs > 0)) return;
  const kept = new Map([...draft.busy].filter(([, until]) => until > now));
  if (!kept.has(id) && kept.size >= BUSY_ITEMS_MAX) {
    draft.watch = { ...draft.watch, dropped: draft.watch.dropped + 1 };
    return;
  }
  draft.busy = kept.set(id, now + ceilingMs);
}

/** It knows that it is sick (sd_notify's WATCHDOG=trigger): nobody knows better. */
export function trouble(turn: Turn, event: Of<'trouble'>): void {
  const { draft, now } = turn;
  if (draft.condemned !== undefined) {
    draft.condemned = { ...draft.condemned, judged: false };
    return;
  }
  const reason = reasons.selfReported(event.reason);
  if (draft.state === 'ready') {
    dropStaleEvidence(turn);
    move(turn, 'suspect', clearMs(turn), reason, 'self_reported');
  }
  condemn(turn, { cause: 'self_reported', reason, proofs: [], lostAt: now }, false);
}

export function evidence(turn: Turn, event: Of<'evidence'>): void {
  const { draft } = turn;
  const phase = event.phase ?? (draft.condemned === undefined ? 'suspect' : 'confirmed');
  draft.evidence = { ...draft.evidence, [phase]: boundEvidence(event.summary) };
  if (phase === 'confirmed') execute(turn);
}

export function born(turn: Turn, event: Of<'spawned'>): void {
  const { draft, policy, now } = turn;
  if (!register(turn, event)) return;
  const byAge = !policy.instrumented && !policy.hasProbes && draft.condemned === undefined;
  if (draft.earlyExit !== undefined) died(turn, { kind: 'exited', ...draft.earlyExit });
  else if (byAge) draft.deadline = now + READY_AGE_MS;
}

/** It came to life after it was no longer wanted. */
export function bornLate(turn: Turn, event: Of<'spawned'>): void {
  const { draft } = turn;
  if (!register(turn, event)) return;
  if (draft.earlyExit !== undefined) ended(turn, { kind: 'exited', ...draft.earlyExit });
  else if (draft.killed) kill(turn, reasons.GRACE_OVER);
  else askToStop(turn, reasons.ENDED_AS_ASKED);
}

function register({ draft }: Turn, event: Of<'spawned'>): boolean {
  if (draft.process !== 'spawning') return false;
  draft.process = 'alive';
  draft.instance = event.instance;
  draft.pid = event.pid;
  return true;
}

export function stillborn(turn: Turn, event: Of<'spawn_failed'>): void {
  if (turn.draft.process !== 'spawning') return;
  turn.draft.process = 'none';
  if (turn.draft.state === 'stopping') afterStop(turn);
  else afterFailure(turn, crash(turn, reasons.notStarted(event.reason)), undefined);
}

export function died(turn: Turn, { code, signal }: Of<'exited'>): void {
  if (!isGone(turn, { code, signal })) return;
  afterFailure(turn, crash(turn, reasons.exited(code, signal)), { code, signal });
}

export function ended(turn: Turn, { code, signal }: Of<'exited'>): void {
  if (isGone(turn, { code, signal })) afterStop(turn);
}

/** An exit that is told before its own `spawned` waits for it: until then nothing may be started. */
function isGone({ draft }: Turn, exit: Exit): boolean {
  if (draft.process === 'spawning') draft.earlyExit = exit;
  if (draft.process !== 'alive') return false;
  draft.process = 'none';
  return true;
}

/** An exit is noticed as it happens: the last sign of health was just now. */
function crash({ now }: Turn, reason: string): Failure {
  return { cause: 'crash', reason, proofs: [], lostAt: now };
}
