// The phases of an operation but the restart itself (recovery-restart.ts): taking it up, waiting until those
// that it would cut off are idle, the deep reset hook, and the reboot with its token. Beside them what the
// plan learns from every event, whatever its phase.

import { dependants, startOrder } from './plan.ts';
import {
  type Escalation,
  HOOK_EXTRA_MS,
  NOTE_MS_MAX,
  type Phase,
  QUEUE_MS_MAX,
  REBOOT_MS_MAX,
  type RebootToken,
  type RecoveryEvent,
  type RecoveryTurn,
  SETTLE_MS,
} from './recovery-model.ts';
import * as reasons from './recovery-reasons.ts';
import { failedAfter, rebootRefusal, stableAfter, withToken } from './recovery-reboot.ts';
import {
  begun,
  end,
  hasLeft,
  isBusy,
  refuse,
  restartAll,
  shifted,
  stateOf,
  waitMs,
} from './recovery-restart.ts';

type Of<K extends RecoveryEvent['kind']> = Extract<RecoveryEvent, { kind: K }>;

/** What an event says whatever is going on. */
export function learn(turn: RecoveryTurn, event: RecoveryEvent): void {
  const { draft } = turn;
  switch (event.kind) {
    case 'state':
      if (!turn.setting.timing.has(event.component)) return;
      draft.states = new Map(draft.states).set(event.component, event.state);
      if (hasLeft(event.state)) unqueue(turn, event.component);
      begun(turn, event.component, event.state);
      return;
    case 'busy': {
      const busy = new Set(draft.busy);
      if (event.busy && turn.setting.timing.has(event.component)) busy.add(event.component);
      else busy.delete(event.component);
      draft.busy = busy;
      return;
    }
    case 'hold':
      draft.held = event.active;
      return;
    case 'stable':
      remember(turn, stableAfter(draft, event.component));
      return;
    case 'escalated':
      remember(turn, failedAfter(draft.reboots, event.component));
      return;
    case 'abandoned':
      unqueue(turn, event.component);
      if (draft.operation?.component === event.component) {
        draft.operation = { ...draft.operation, launches: false };
      }
      return;
    case 'paused':
      away(turn, Number.isFinite(event.gapMs) ? Math.max(0, event.gapMs) : 0);
      return;
    case 'tick':
      draft.uptimeMs = known(draft.uptimeMs, event.uptimeMs);
      draft.totalMs = known(draft.totalMs, event.totalMs);
      expire(turn);
      return;
    default:
      return;
  }
}

/** Neither goes back while the machine is up; a broken reading changes nothing. */
const known = (before: number | undefined, ms: number): number | undefined =>
  Number.isFinite(ms) ? Math.max(before ?? 0, ms) : before;

function remember(turn: RecoveryTurn, reboots: readonly RebootToken[]): void {
  if (reboots === turn.draft.reboots) return;
  turn.draft.reboots = reboots;
  turn.effects.push({ kind: 'remember', reboots });
}

function unqueue({ draft }: RecoveryTurn, component: string): void {
  if (!draft.queue.some((queued) => queued.component === component)) return;
  draft.queue = draft.queue.filter((queued) => queued.component !== component);
}

/** Deadlines move by the gap, and who is busy has to be told again before it is believed. */
function away({ draft, now }: RecoveryTurn, gapMs: number): void {
  draft.settledAt = now + SETTLE_MS;
  draft.queue = draft.queue.map((queued) => ({ ...queued, deadline: queued.deadline + gapMs }));
  if (draft.deadline !== undefined) draft.deadline += gapMs;
  if (draft.operation !== undefined) draft.operation = shifted(draft.operation, gapMs);
}

function expire(turn: RecoveryTurn): void {
  const { draft, now } = turn;
  const late = draft.queue.filter(({ deadline }) => deadline <= now);
  if (late.length === 0) return;
  draft.queue = draft.queue.filter(({ deadline }) => deadline > now);
  for (const escalation of late) refuse(turn, escalation, reasons.QUEUED_TOO_LONG);
}

export function queue(turn: RecoveryTurn, { kind: _, ...escalation }: Of<'escalated'>): void {
  const { draft, now } = turn;
  if (!isOurs(turn, escalation)) return;
  if (escalation.asked === undefined) unqueue(turn, escalation.component);
  else if (draft.queue.some(({ asked }) => asked !== undefined)) {
    refuse(turn, escalation, reasons.ASKED_TOO_OFTEN);
    return;
  }
  const { patienceMs = QUEUE_MS_MAX } = escalation;
  const deadline = now + Math.min(QUEUE_MS_MAX, patienceMs);
  draft.queue = [...draft.queue, { ...escalation, deadline }];
}

export function next(turn: RecoveryTurn): void {
  const [first, ...rest] = turn.draft.queue;
  turn.draft.queue = rest;
  if (first === undefined) return;
  const { deadline: _, ...escalation } = first;
  take(turn, escalation);
}

export function begin(turn: RecoveryTurn, { kind: _, ...escalation }: Of<'escalated'>): void {
  if (isOurs(turn, escalation)) take(turn, escalation);
}

const isOurs = ({ setting }: RecoveryTurn, { component, asked }: Escalation): boolean =>
  asked !== undefined || setting.timing.has(component);

function take(turn: RecoveryTurn, escalation: Escalation): void {
  const { draft, now } = turn;
  draft.operation = { ...escalation, members: [], launches: true, since: now };
  draft.phase = 'waiting';
  wait(turn);
}

/** Why this operation cannot be, as things are now. */
function refusal({ setting, draft }: RecoveryTurn, { component, rung, asked }: Escalation) {
  if (draft.held && asked?.force !== true) return reasons.HELD;
  if (rung === 'dependants' || rung === 'all') return undefined;
  if (rung === 'reboot') return rebootRefusal(setting.reboot, draft);
  if (rung !== 'reset') return reasons.NOT_OF_THE_PLAN;
  return setting.timing.get(component)?.resetMs === undefined ? reasons.NO_RESET : undefined;
}

/** Until nobody is cut off in a sale by it. */
export function wait(turn: RecoveryTurn): void {
  const { draft, now } = turn;
  const { operation } = draft;
  if (operation === undefined) return;
  const isGone = !operation.launches || hasLeft(draft.states.get(operation.component));
  const refused = isGone ? undefined : refusal(turn, operation);
  if (isGone || refused !== undefined) {
    end(turn, refused);
    return;
  }
  const touched = touchedBy(turn, operation);
  const busy = touched.filter((name) => isBusy(turn, name));
  const settled = touched.length === 0 || isSettled(turn);
  draft.deadline = operation.since + waitMs(operation);
  if (settled && busy.length === 0) proceed(turn, touched);
  else if (now >= draft.deadline) {
    const waited = now - operation.since;
    end(turn, busy.length > 0 ? reasons.stillBusy(busy, waited) : reasons.notSettled(waited));
  }
}

const isSettled = ({ draft, now }: RecoveryTurn): boolean =>
  draft.operation?.asked?.force === true || now >= draft.settledAt;

/** The components, beside the failing one, that would be stopped. */
function touchedBy(turn: RecoveryTurn, { component, rung, asked }: Escalation): string[] {
  if (rung === 'reset') return [];
  const { items, timing } = turn.setting;
  const all = rung === 'dependants' ? dependants(items, component) : startOrder(items);
  // A black box cannot say that a sale goes on; only what depends on the failed one is restarted all the same.
  // What is only observed is left to the watchdog, not to an operator.
  const isLeft = (name: string) =>
    (rung !== 'reboot' && asked === undefined && timing.get(name)?.isObserved === true) ||
    (rung === 'all' && asked?.force !== true && timing.get(name)?.saysBusy === false);
  return all.filter(
    (name) => name !== component && stateOf(turn, name) !== 'stopped' && !isLeft(name),
  );
}

function proceed(turn: RecoveryTurn, touched: readonly string[]): void {
  const { draft, setting, effects } = turn;
  const { operation } = draft;
  if (operation === undefined) return;
  const { component, rung, incident, reason, asked } = operation;
  if (rung === 'reset') {
    const hookMs = setting.timing.get(component)?.resetMs ?? 0;
    enter(turn, 'resetting', hookMs + HOOK_EXTRA_MS);
    effects.push({ kind: 'hook', component, incident, reason });
  } else if (rung === 'reboot') {
    enter(turn, 'noting', NOTE_MS_MAX);
    const atMs = draft.totalMs ?? 0;
    // One that an operator asked for is not judged by whether it helped.
    const held = asked === undefined ? {} : { held: true };
    draft.reboots = withToken(draft.reboots, { atMs, component, incident, ...held });
    effects.push({ kind: 'note_reboot', reboots: draft.reboots });
  } else restartAll(turn, touched);
}

function enter({ draft, now }: RecoveryTurn, phase: Phase, ms: number): void {
  draft.phase = phase;
  draft.deadline = now + ms;
}

export function hooked(turn: RecoveryTurn, { component, ok, reason }: Of<'hook'>): void {
  const { operation, states } = turn.draft;
  if (operation?.component !== component) return;
  if (!operation.launches || hasLeft(states.get(component))) end(turn);
  else if (!ok) end(turn, reasons.resetFailed(reason));
  else {
    const { rung } = operation;
    const why = reasons.launched(rung, operation.reason);
    turn.effects.push({ kind: 'launch', component, rung, reason: why });
    end(turn);
  }
}

const isDue = ({ draft, now }: RecoveryTurn): boolean => now >= (draft.deadline ?? now);

export function hookDue(turn: RecoveryTurn): void {
  if (isDue(turn)) end(turn, reasons.RESET_SILENT);
}

/** The token of a reboot that does not take place after all does not count. */
function unnote(turn: RecoveryTurn): void {
  remember(turn, turn.draft.reboots.slice(0, -1));
}

/** On disk. Somebody may have begun a sale meanwhile: then it waits again. */
export function noted(turn: RecoveryTurn, { ok, reason }: Of<'noted'>): void {
  const { draft, now, effects } = turn;
  const { operation, uptimeMs, totalMs, reboots } = draft;
  if (operation === undefined) return;
  // A machine that slept meanwhile would reboot later than its token says.
  const isFresh = (totalMs ?? 0) - (reboots.at(-1)?.atMs ?? 0) <= NOTE_MS_MAX;
  const { component, incident, cause } = operation;
  const isGone = !operation.launches || hasLeft(draft.states.get(component));
  const isFree = !touchedBy(turn, operation).some((name) => isBusy(turn, name));
  const isHeld = draft.held && operation.asked?.force !== true;
  if (ok && isFresh && !isGone && !isHeld && isFree && isSettled(turn)) {
    const why = operation.reason;
    const fields = { incident, reason: why, uptimeMs: uptimeMs ?? 0 };
    effects.push({ kind: 'report', event: { kind: 'reboot', component, fields } });
    effects.push({ kind: 'reboot', component, incident, cause, reason: why });
    draft.phase = 'rebooting';
    draft.deadline = now + REBOOT_MS_MAX;
    return;
  }
  unnote(turn);
  if (ok) {
    draft.phase = 'waiting';
    wait(turn);
  } else end(turn, reasons.notNoted(reason));
}

export function noteDue(turn: RecoveryTurn): void {
  if (!isDue(turn)) return;
  unnote(turn);
  end(turn, reasons.NOT_NOTED);
}

export function rebootDue(turn: RecoveryTurn): void {
  if (isDue(turn)) end(turn, reasons.STILL_UP);
}
