// How a process comes and goes: born, born too late, stillborn, dead by itself or as asked. Each is noted first;
// then what its end means is decided: the exit code says whether it is a failure, whose fault it is and whether
// another start can help at all.

import { recover } from './climb.ts';
import { boundEvidence, tellRecovered } from './incident.ts';
import {
  askToStop,
  dropWish,
  end,
  fail,
  failCommands,
  failedBy,
  growOld,
  kill,
  launch,
  launchPlanned,
  rest,
} from './life.ts';
import type { ComponentEvent } from './model.ts';
import * as reasons from './reasons.ts';
import { answer, type Exit, type Failure, READY_AGE_MS, type Turn, tellState } from './state.ts';

type Of<K extends ComponentEvent['kind']> = Extract<ComponentEvent, { kind: K }>;

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

function register(turn: Turn, event: Of<'spawned'>): boolean {
  const { draft } = turn;
  if (draft.process !== 'spawning') return false;
  draft.process = 'alive';
  draft.instance = event.instance;
  draft.pid = event.pid;
  growOld(turn, 0);
  return true;
}

export function stillborn(turn: Turn, event: Of<'spawn_failed'>): void {
  if (turn.draft.process !== 'spawning') return;
  turn.draft.process = 'none';
  if (turn.draft.state === 'stopping') afterStop(turn);
  else afterFailure(turn, crash(turn, reasons.notStarted(event.reason)), undefined);
}

export function died(turn: Turn, { code, signal, evidence }: Of<'exited'>): void {
  if (!isGone(turn, { code, signal })) return;
  afterFailure(turn, crash(turn, reasonOf(turn, { code, signal })), { code, signal }, evidence);
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

/** What it says of itself by ending; a signal says nothing. */
function meaningOf(
  { policy }: Turn,
  exit: Exit | undefined,
): keyof Turn['policy']['exit'] | undefined {
  if (exit?.code === undefined || exit.signal !== undefined) return undefined;
  const { success, permanent, remote } = policy.exit;
  if (permanent.includes(exit.code)) return 'permanent';
  if (remote.includes(exit.code)) return 'remote';
  return success.includes(exit.code) ? 'success' : undefined;
}

function reasonOf(turn: Turn, exit: Exit): string {
  const meaning = meaningOf(turn, exit);
  const code = exit.code ?? 0;
  if (meaning === 'permanent') return reasons.exitedPermanent(code);
  if (meaning === 'remote') return reasons.exitedRemote(code);
  return reasons.exited(exit.code, exit.signal);
}

/** It ended, or never began, although nobody asked it to stop. */
function afterFailure(
  turn: Turn,
  failure: Failure,
  exit: Exit | undefined,
  evidence?: unknown,
): void {
  const { draft, now } = turn;
  const certain = draft.condemned;
  const found = certain ?? failure;
  const meaning = certain === undefined ? meaningOf(turn, exit) : undefined;
  // What an earlier suspicion found does not belong to a crash.
  if (certain === undefined && draft.state !== 'suspect') draft.evidence = {};
  if (evidence !== undefined) {
    draft.evidence = { ...draft.evidence, exit: boundEvidence(evidence) };
  }
  failCommands(turn, found.reason);
  dropWish(turn);
  const clean = meaning === 'success';
  const isFailure = !clean || turn.policy.restart === 'permanent';
  if (draft.planned === undefined && !isRestarted(turn, clean)) {
    if (clean) finish(turn);
    else rest(turn, found.reason, found.cause);
    return;
  }
  if (isFailure) fail(turn, found, certain?.at ?? now);
  recover(turn, failedBy(found, meaning === 'remote', meaning === 'permanent'));
}

/** It has done its work, whatever went wrong before. */
function finish(turn: Turn): void {
  rest(turn, reasons.ENDED_BY_ITSELF);
  tellRecovered(turn);
}

/** It ended after being asked or killed. */
function afterStop(turn: Turn): void {
  const { draft } = turn;
  const { failed, planned, wanted } = draft;
  if (!wanted) rest(turn, reasons.ENDED_AS_ASKED);
  else if (planned !== undefined) launchPlanned(turn, planned);
  else if (failed === undefined) launch(turn, reasons.STOP_CANCELLED);
  else if (isRestarted(turn, false)) recover(turn, failed);
  else rest(turn, failed.reason, failed.cause);
}

/** OTP's three words. */
function isRestarted({ policy }: Turn, clean: boolean): boolean {
  if (policy.restart === 'permanent') return true;
  return policy.restart === 'transient' && !clean;
}

/** Its grace, or the time for a dump, is over; or the kill did not help. */
export function tickStopping(turn: Turn): void {
  const { draft, now } = turn;
  if (draft.deadline === undefined || now < draft.deadline) return;
  if (!draft.killed) {
    end(turn, reasons.GRACE_OVER);
    return;
  }
  if (!draft.unkillableTold && draft.process === 'alive') {
    draft.unkillableTold = true;
    tellState(turn, 'stopping', reasons.UNKILLABLE, draft.failed?.cause);
    const { planned } = draft;
    answer(turn, false, reasons.commandFailed(reasons.UNKILLABLE));
    // It is still started anew once it is gone.
    draft.planned = planned && { ...planned, commands: [] };
  }
  kill(turn, reasons.UNKILLABLE);
}
