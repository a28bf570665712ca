// An operation that restarts several: members are stopped in reverse, each once those that need it are down,
// and started in order, each once what it needs is ready (OTP supervisor: terminate backwards, start
// forwards). A member that begins a sale before its turn is waited for; when that takes too long everything
// goes back to what it was. Restarted are only those that were active.

import type { ComponentState } from '../../protocol/events.ts';
import { dependants, needs, startOrder } from './plan.ts';
import {
  BUSY_WAIT_MS_MAX,
  type Escalation,
  type Interrupted,
  type Member,
  type Operation,
  type RecoverySetting,
  type RecoveryTurn,
} from './recovery-model.ts';
import * as reasons from './recovery-reasons.ts';

/** The failing component waits for the plan in this state only. */
export const hasLeft = (state: ComponentState | undefined): boolean =>
  state !== undefined && state !== 'backoff';

/** How long those that are busy are waited for. */
export const waitMs = ({ patienceMs = BUSY_WAIT_MS_MAX }: Escalation): number =>
  Math.min(BUSY_WAIT_MS_MAX, patienceMs);

export const stateOf = ({ draft }: RecoveryTurn, name: string): ComponentState =>
  draft.states.get(name) ?? 'stopped';

const RUNS: ReadonlySet<ComponentState> = new Set(['starting', 'ready', 'suspect']);
/** A process that can have a sale open. */
const LIVE: ReadonlySet<ComponentState> = new Set(['starting', 'ready', 'suspect', 'stopping']);
/** Who forces it takes an open sale upon himself. */
export const isBusy = (turn: RecoveryTurn, name: string): boolean =>
  turn.draft.operation?.asked?.force !== true &&
  turn.draft.busy.has(name) &&
  LIVE.has(stateOf(turn, name));

export function refuse(
  { effects }: RecoveryTurn,
  { component, rung, asked }: Escalation,
  reason: string,
): void {
  if (asked === undefined) effects.push({ kind: 'refuse', component, rung, reason });
  else effects.push({ kind: 'answer', command: asked.command, ok: false, reason });
}

/** Of what an operator asked for, what is stopped and started is told as his. */
const causeOf = ({ asked }: Pick<Escalation, 'asked'>): { cause?: 'operator' } =>
  asked === undefined ? {} : { cause: 'operator' };

/** The operation is over; with a reason: the failing component is told that it has to go on without. */
export function end(turn: RecoveryTurn, refused?: string): void {
  const { draft, effects } = turn;
  const { operation } = draft;
  const persisted = draft.phase === 'stopping' || draft.phase === 'starting';
  draft.phase = 'idle';
  draft.deadline = undefined;
  draft.operation = undefined;
  if (operation !== undefined && refused !== undefined) refuse(turn, operation, refused);
  else if (operation?.asked !== undefined) {
    const { command } = operation.asked;
    effects.push({ kind: 'answer', command, ok: true, reason: reasons.ALL_BEGUN });
  }
  if (persisted) effects.push({ kind: 'persist', interrupted: undefined });
}

export function shifted(operation: Operation, gapMs: number): Operation {
  const members = operation.members.map((member) =>
    member.at === undefined ? member : { ...member, at: member.at + gapMs },
  );
  return { ...operation, members, since: operation.since + gapMs };
}

/** A member that was called has taken it up. */
export function begun({ draft, now }: RecoveryTurn, name: string, state: ComponentState): void {
  const { operation } = draft;
  const member = operation?.members.find((each) => each.name === name);
  if (operation === undefined || member?.progress !== 'called') return;
  const isFailing = name === operation.component;
  if (isFailing ? !hasLeft(state) : state === 'stopped') return;
  set(draft, { ...member, progress: 'begun', at: member.at ?? now });
}

function set(draft: RecoveryTurn['draft'], changed: Member): void {
  const { operation } = draft;
  if (operation === undefined) return;
  const members = operation.members.map((each) => (each.name === changed.name ? changed : each));
  draft.operation = { ...operation, members };
}

/** An agent died in the middle: whoever it had stopped is started again, the failing one by its own machine. */
export function resumed(
  { items }: RecoverySetting,
  { component, rung, members }: Interrupted,
  now: number,
): Operation {
  const reason = 'the agent ended in the middle of it';
  const left = startOrder(items).filter((name) => members.includes(name) && name !== component);
  return {
    component,
    rung,
    incident: '',
    cause: 'dependency',
    reason,
    launches: false,
    since: now,
    members: left.map((name) => ({ name, progress: 'down', at: now })),
  };
}

/** @param touched active now, in start order; without the failing component. */
export function restartAll(turn: RecoveryTurn, touched: readonly string[]): void {
  const { draft, setting, effects, now } = turn;
  const { operation } = draft;
  if (operation === undefined) return;
  const { component, rung } = operation;
  const members = startOrder(setting.items)
    .filter((name) => name === component || touched.includes(name))
    .map(
      (name): Member =>
        name === component
          ? { name, progress: 'down', at: now }
          : { name, progress: 'active', at: undefined },
    );
  draft.operation = { ...operation, members, since: now };
  draft.phase = 'stopping';
  const names = members.map(({ name }) => name);
  effects.push({ kind: 'persist', interrupted: { component, rung, members: names } });
  stopNext(turn);
}

/** Backwards through the members: whose turn it is, who is down, and who is given up. */
export function stopNext(turn: RecoveryTurn): void {
  const { draft, setting, now } = turn;
  const { operation } = draft;
  if (operation === undefined) return;
  if (!operation.launches || hasLeft(draft.states.get(operation.component))) {
    turnBack(turn);
    return;
  }
  const deadlines: number[] = [];
  for (const { name } of operation.members.toReversed()) {
    const before = draft.operation?.members.find((each) => each.name === name);
    const after = before && stopOne(turn, before);
    if (after === undefined) drop(draft, name);
    else if (after !== before) set(draft, after);
    if (after?.progress === 'asked') deadlines.push((after.at ?? now) + stopMsMax(setting, name));
    if (after?.progress !== 'active' || after.at === undefined) continue;
    const until = after.at + waitMs(operation);
    deadlines.push(until);
    if (now < until) continue;
    turnBack(turn, reasons.stillBusy([name], now - after.at));
    return;
  }
  draft.deadline = deadlines.length === 0 ? undefined : Math.min(...deadlines);
  if (draft.deadline === undefined) startAll(turn);
}

function drop(draft: RecoveryTurn['draft'], name: string): void {
  const { operation } = draft;
  if (operation === undefined) return;
  const members = operation.members.filter((each) => each.name !== name);
  draft.operation = { ...operation, members };
}

const stopMsMax = ({ timing }: RecoverySetting, name: string): number =>
  timing.get(name)?.stopMsMax ?? 0;
const startMsMax = ({ timing }: RecoverySetting, name: string): number =>
  timing.get(name)?.startMsMax ?? 0;

/** @returns the member as it is now; undefined: it stopped without us and is none any more. */
function stopOne(turn: RecoveryTurn, member: Member): Member | undefined {
  const { draft, setting, effects, now } = turn;
  const { name, progress, at } = member;
  const isDown = stateOf(turn, name) === 'stopped';
  if (progress === 'asked') {
    if (isDown) return { ...member, progress: 'down' };
    const isLate = now >= (at ?? now) + stopMsMax(setting, name);
    return isLate ? { ...member, progress: 'stuck' } : member;
  }
  if (progress !== 'active') return member;
  if (isDown) return undefined;
  const above = dependants(setting.items, name);
  const isWaited = draft.operation?.members.some(
    (other) =>
      above.includes(other.name) && (other.progress === 'active' || other.progress === 'asked'),
  );
  if (isWaited) return at === undefined ? member : { ...member, at: undefined };
  if (isBusy(turn, name)) return at === undefined ? { ...member, at: now } : member;
  const { component = '', rung = 'dependants', asked } = draft.operation ?? {};
  const reason = reasons.stopped(component, rung);
  effects.push({ kind: 'stop', component: name, reason, ...causeOf({ asked }) });
  return { ...member, progress: 'asked', at: now };
}

/** Not to be done after all: those that were stopped for it are started again. */
function turnBack(turn: RecoveryTurn, refused?: string): void {
  const { draft } = turn;
  const { operation } = draft;
  if (operation === undefined) return;
  const members = operation.members.filter(
    ({ name, progress }) => progress !== 'active' && name !== operation.component,
  );
  if (members.length === 0) {
    end(turn, refused);
    return;
  }
  if (refused !== undefined) refuse(turn, operation, refused);
  // Who asked has been answered.
  const asked = refused === undefined ? operation.asked : undefined;
  draft.operation = { ...operation, members, launches: false, asked };
  startAll(turn);
}

function startAll(turn: RecoveryTurn): void {
  const { draft, now } = turn;
  if (draft.operation !== undefined) draft.operation = { ...draft.operation, since: now };
  draft.phase = 'starting';
  startNext(turn);
}

/** Forwards through the members: each as soon as what it needs is ready, or no longer waited for. */
export function startNext(turn: RecoveryTurn): void {
  const { draft, setting, effects, now } = turn;
  const deadlines: number[] = [];
  for (const { name } of draft.operation?.members ?? []) {
    const { operation } = draft;
    const member = operation?.members.find((each) => each.name === name);
    if (operation === undefined || member === undefined) continue;
    const { component, rung } = operation;
    if (member.progress === 'called' || member.progress === 'begun') continue;
    const isFailing = name === component;
    if (isFailing && (!operation.launches || hasLeft(draft.states.get(name)))) {
      set(draft, { ...member, progress: 'begun', at: now });
      continue;
    }
    const untils = needs(setting.items, name).map((need) => waitsUntil(turn, operation, need));
    const until = Math.max(0, ...untils);
    if (until > now) {
      deadlines.push(until);
      continue;
    }
    if (isFailing) {
      const reason = reasons.launched(rung, operation.reason);
      effects.push({ kind: 'launch', component: name, rung, reason });
    } else {
      const reason = reasons.started(component, rung);
      effects.push({ kind: 'start', component: name, reason, ...causeOf(operation) });
    }
    // One that the agent before had not stopped yet was adopted: it is wanted, and will not say that it starts.
    const ranOn = !isFailing && member.progress === 'down' && RUNS.has(stateOf(turn, name));
    set(draft, { ...member, progress: ranOn ? 'begun' : 'called', at: now });
  }
  if (deadlines.length === 0) end(turn);
  else draft.deadline = Math.min(...deadlines);
}

/**
 * Until when `need` is waited for at the latest; 0: not at all. What is down or failing is not: those that
 * need it ran without it before.
 */
function waitsUntil(turn: RecoveryTurn, operation: Operation, need: string): number {
  const { setting, draft } = turn;
  const member = operation.members.find(({ name }) => name === need);
  const limit = (member?.at ?? operation.since) + startMsMax(setting, need);
  switch (member?.progress) {
    case 'down':
    case 'stuck':
    case 'asked':
      return Number.POSITIVE_INFINITY;
    case 'called':
      return limit;
    default:
      break;
  }
  const state = stateOf(turn, need);
  if (state === 'starting' || state === 'stopping' || state === 'suspect') return limit;
  // So soon after its own start the agent has not heard of everybody.
  return state === 'stopped' ? draft.settledAt : 0;
}
