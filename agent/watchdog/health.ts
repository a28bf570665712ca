// What a running component and its probes say, and what is concluded from it: ready, suspect, condemned.
// Each handler first notes what it saw and then lets one function, `look`, draw the conclusion, so that no
// event has its own idea of health. A verdict waits for its second evidence; health that shows meanwhile
// takes it back, because a kill that is not needed costs a basket.

import { judge, type Verdict } from './hang.ts';
import {
  boundEvidence,
  collectAgain,
  collectEarly,
  condemn,
  dropStaleEvidence,
  incidentId,
} from './incident.ts';
import { mayHeal, signatureOf } from './ladder.ts';
import { becomeReady, execute } from './life.ts';
import type { ComponentEvent } from './model.ts';
import { conclude, useRung } from './outcome.ts';
import { EPISODE, passiveBy } from './passive.ts';
import { FULL_GRACES_MAX, renewWatch } from './pauses.ts';
import * as reasons from './reasons.ts';
import { isTraced, onSample } from './samples.ts';
import {
  BUSY_ITEMS_MAX,
  mayBeSaidAgain,
  move,
  SAY_AGAIN_MS_MAX,
  sayOnce,
  type Turn,
  tellState,
} from './state.ts';
import { tenderUntil } from './tender.ts';
import * as watches from './watch.ts';

/** A tender of the connection before counts as busy until it could be said again. */
const TENDER_BEFORE = 'tender of the connection before';
/** A debugger that was found is believed to be there for so long; then it is looked for again. */
export const DEBUGGED_MS = 10_000;
/** `some` of /proc/pressure/cpu from which the whole machine counts as starved, percent. */
export const PRESSED_PERCENT = 80;

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
  if (verdict.level === 'confirmed') confirm(turn, verdict, isNew);
  else if (isNew) {
    collectEarly(turn);
    tryHeal(turn, verdict);
  } else if (isSilentWithFrame(turn)) collectAgain(turn);
}

function confirm(turn: Turn, verdict: Verdict, isNew: boolean): void {
  const { draft, now } = turn;
  if (isNew) dropStaleEvidence(turn);
  // Told already what would be done, and nothing has changed since.
  else if (passiveBy(turn) !== undefined && (draft.told.get(EPISODE) ?? now) > now) return;
  condemn(turn, verdict, true);
  // Its evidence came when a pause of the agent had just taken the verdict back; the next pause would again.
  const isKnown = draft.evidence.confirmed !== undefined;
  if (isKnown && draft.watch.pausesInRow > FULL_GRACES_MAX) execute(turn);
}

/** Time for a second look at its stack: the same frame again is the second proof. */
function isSilentWithFrame({ draft, policy, now }: Turn): boolean {
  const { frame, lookedAgain, beatAt } = draft.watch;
  return (
    frame !== undefined && !lookedAgain && policy.instrumented && now - beatAt >= policy.spinningMs
  );
}

/** The gentlest rung, beside the looking: what helps before the verdict costs nobody a basket. */
function tryHeal(turn: Turn, verdict: Verdict): void {
  const { draft, policy, now, effects } = turn;
  if (!policy.canHeal || passiveBy(turn) !== undefined) return;
  if (!mayHeal(policy.heal, draft.heals, now)) return;
  draft.heals = [...draft.heals, now].slice(-policy.heal.times);
  const { cause, reason } = verdict;
  useRung(turn, 'heal', { cause, reason, signature: signatureOf(cause, reason, undefined) });
  effects.push({ kind: 'heal', incident: incidentId(turn) });
}

export function healed(turn: Turn, { ok, reason }: Of<'healed'>): void {
  if (ok) return;
  conclude(turn, false, reasons.healFailed(reason), ({ rung }) => rung === 'heal');
}

/** `isOver`: the evidence speaks for it; without that an episode goes on, and is not told again. */
export function clearSuspicion(turn: Turn, reason: string, isOver = true): void {
  const { draft } = turn;
  draft.condemned = undefined;
  if (draft.state !== 'suspect') return;
  if (isOver) mayBeSaidAgain(turn, EPISODE);
  move(turn, 'ready', undefined, reason);
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
  draft.watch = onSample(draft.watch, policy, sample, now);
  if (!isTraced(sample)) return;
  draft.condemned = undefined;
  draft.deadline = Math.max(draft.deadline ?? now, now + policy.blockedMs);
}

export function sample(turn: Turn, event: Of<'sample'>): void {
  const { draft, policy, now } = turn;
  draft.watch = onSample(draft.watch, policy, event.sample, now);
  if (isTraced(event.sample)) clearSuspicion(turn, reasons.DEBUGGED);
  // A sample by itself takes no verdict back: one lucky look at a stuck thread is not health.
  else if (draft.condemned === undefined) look(turn);
}

export function connected(turn: Turn): void {
  const { draft, now } = turn;
  const hadTender = tenderUntil(draft.watch) > now;
  if (draft.condemned !== undefined && hadTender) {
    draft.condemned = { ...draft.condemned, sayAgainUntil: now + SAY_AGAIN_MS_MAX };
  }
  draft.watch = watches.onConnected(draft.watch);
  // Not at once: a planned restart must not slip in before a sale has said again that it goes on.
  const until = now + SAY_AGAIN_MS_MAX;
  draft.busy = new Map([...draft.busy].map(([id, at]) => [id, Math.min(at, until)]));
  if (hadTender) draft.busy = new Map(draft.busy).set(TENDER_BEFORE, until);
  if (draft.state === 'suspect') look(turn);
}

export function delayed(turn: Turn): void {
  turn.draft.watch = watches.onDelayed(turn.draft.watch, turn.policy, turn.now);
  if (turn.draft.state === 'suspect') look(turn);
}

export function begin(turn: Turn, event: Of<'begin'>): void {
  // Without a deadline nothing is ever overdue.
  if (!Number.isFinite(event.deadlineMs) || event.deadlineMs <= 0) return;
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
  if (event.remote) {
    remoteTrouble(turn, event.reason);
    return;
  }
  if (draft.condemned !== undefined) {
    draft.condemned = { ...draft.condemned, judged: false };
    return;
  }
  // Told already what would be done.
  if (passiveBy(turn) !== undefined && (draft.told.get('self_reported') ?? now) > now) return;
  const reason = reasons.selfReported(event.reason);
  if (draft.state === 'ready') {
    dropStaleEvidence(turn);
    move(turn, 'suspect', clearMs(turn), reason, 'self_reported');
  }
  condemn(turn, { cause: 'self_reported', reason, proofs: [], lostAt: now }, false);
}

/** No restart would help: it is told, and where it keeps it from getting ready, it may take its time. */
function remoteTrouble(turn: Turn, why: string): void {
  const { draft, policy, now } = turn;
  draft.remote = true;
  if (draft.state === 'starting' && draft.condemned === undefined) {
    const later = Math.max(draft.deadline ?? now, now + policy.startTimeoutMs);
    draft.deadline = Math.min(later, draft.ceilingAt ?? later);
  }
  if (sayOnce(turn, 'remote:')) tellState(turn, draft.state, reasons.remoteTrouble(why));
}

export function evidence(turn: Turn, event: Of<'evidence'>): void {
  const { draft } = turn;
  const phase = event.phase ?? (draft.condemned === undefined ? 'suspect' : 'confirmed');
  draft.evidence = { ...draft.evidence, [phase]: boundEvidence(event.summary) };
  if (event.topFrame !== undefined) noteFrame(turn, event.topFrame);
  if (phase === 'confirmed') execute(turn);
}

/** A pause of the agent was faster than its evidence, which is kept for the next verdict. */
export function lateEvidence(turn: Turn, event: Of<'evidence'>): void {
  if (turn.draft.watch.pausesInRow > FULL_GRACES_MAX) evidence(turn, event);
}

/** Only of a main thread that is silent: one that turns is always found in the frame of its timer. */
function noteFrame({ draft, policy, now }: Turn, topFrame: string): void {
  if (!policy.instrumented || now - draft.watch.beatAt < policy.blockedMs / 2) return;
  draft.watch = watches.onFrame(draft.watch, topFrame);
  const { condemned } = draft;
  if (condemned === undefined || !condemned.judged) return;
  const isSame = draft.watch.sameFrame && !condemned.proofs.includes('same_frame');
  const proofs = isSame ? [...condemned.proofs, 'same_frame' as const] : condemned.proofs;
  draft.condemned = { ...condemned, proofs, topFrame };
}

/** Its language's own debugger: to /proc it looks like any blocked thread. */
export function debugged(turn: Turn): void {
  const { draft, policy, now } = turn;
  const watch = renewWatch(draft.watch, policy, 0, now);
  // A grace after a pause may last longer.
  draft.watch = { ...watch, graceUntil: Math.max(draft.watch.graceUntil, now + DEBUGGED_MS) };
  clearSuspicion(turn, reasons.DEBUGGED);
  if (draft.state === 'starting') {
    draft.deadline = Math.max(draft.deadline ?? now, now + DEBUGGED_MS);
  }
}

export function progress(turn: Turn, event: Of<'progress'>): void {
  turn.draft.watch = watches.onProgress(turn.draft.watch, event, turn.now);
  if (turn.draft.state === 'suspect') look(turn);
}

export function pressure({ draft, now }: Turn, { cpuSome }: Of<'pressure'>): void {
  if (cpuSome >= PRESSED_PERCENT) draft.watch = { ...draft.watch, pressedAt: now };
}
