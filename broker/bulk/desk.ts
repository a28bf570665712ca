// Where bulk actions are planned, started and stopped. Planning freezes the list and shows what it would do; starting
// demands the same number, a reason and, where tills of several stores could be kept from selling, the role admin and
// the words typed out. Anybody on call may pause or abort one, whoever started it.

import { createHash, randomUUID } from 'node:crypto';
import { type CommandKind, catalogue, isAllowed } from '../../protocol/catalogue.ts';
import { type CommandContent, readContent } from '../../protocol/commands.ts';
import type { Actor } from '../commands/commands.ts';
import { wrongReason, wrongRole } from '../commands/request.ts';
import { type Refusal, refuse, toldArguments } from '../commands/view.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { type Carry, type CarryOptions, openCarry } from './carry.ts';
import type { LostBy } from './look.ts';
import type { BulkEvent } from './machine.ts';
import {
  type BulkLimits,
  type BulkModel,
  type BulkState,
  confirmOf,
  isJoined,
  isWide,
  type Target,
  type TargetState,
} from './model.ts';
import { type LeaveOut, type Selector, select } from './select.ts';
import { openBulkStore } from './store.ts';
import { type BulkView, bulkView } from './view.ts';

/** Planned, running or paused at one time. */
export const BULKS_OPEN_MAX = 20;
const LEFT_OUT_SHOWN_MAX = 20;
/** Beyond its own expiry a command gets so long for its result; then it is overdue. */
const RESULT_GRACE_MS = 2 * 60_000;
const HOUR_MS = 3_600_000;

export type BulkSettings = BulkLimits & { readonly hours: number };

export type BulkPlan = {
  readonly kind: string;
  readonly arguments: unknown;
  readonly selector: Selector;
  readonly reason: string;
  readonly actor: Actor;
  /** So long after its start terminals that are away are waited for. */
  readonly lastsMs?: number | undefined;
  /** The recurring window that it is a part of. */
  readonly window?: string | undefined;
  /** Why a terminal that is meant has no use for it; it is left out with that sentence. */
  readonly leaveOut?: LeaveOut | undefined;
  /** Whether the room that guards its kind plans it. */
  readonly ofGuard?: boolean | undefined;
};
/** Of kinds that only a room of their own plans. @returns why it may not be started, or not any more. */
export type Guard = (bulk: string) => Refusal | undefined;
/** @returns why a terminal in the list of a bulk action is not meant any more. */
export type Lost = (bulk: string) => ((terminal: string) => string | undefined) | undefined;
export type BulkStart = {
  /** Terminals in the list, as the plan has shown it. */
  readonly count: number;
  readonly reason: string;
  readonly confirm?: string | undefined;
  readonly actor: Actor;
};
export type BulkAnswer = { readonly ok: true; readonly view: BulkView } | Refusal;
export type TargetFilter = {
  readonly state?: TargetState | undefined;
  readonly after: number;
  readonly limit: number;
};
export type TargetPage = {
  readonly targets: readonly Target[];
  /** Where the next page begins; null on the last one. */
  readonly next: number | null;
};

export type Bulks = {
  readonly plan: (plan: BulkPlan) => BulkAnswer;
  readonly start: (id: string, start: BulkStart) => BulkAnswer;
  readonly pause: (id: string, actor: Actor, reason: string) => BulkAnswer;
  readonly resume: (id: string, actor: Actor, reason: string) => BulkAnswer;
  readonly abort: (id: string, actor: Actor, reason: string) => BulkAnswer;
  readonly get: (id: string) => BulkView | undefined;
  /** Newest first. */
  readonly list: (limit: number) => readonly BulkView[];
  readonly targets: (id: string, filter: TargetFilter) => TargetPage | undefined;
  /** By state, of those that are not over. */
  readonly counts: () => Readonly<Record<string, number>>;
  /** Told within the transaction of each step. */
  readonly onStep: Carry['onStep'];
  /** That kind is planned by its own room alone, which is asked before one is started or gone on with. */
  readonly guardBy: (kind: CommandKind, guard: Guard) => void;
  /** Of that kind those in the list are asked about again before their turn. */
  readonly leaveOutBy: (kind: CommandKind, lost: Lost) => void;
  readonly close: () => void;
};

export type BulksOptions = CarryOptions & {
  readonly fleet: CarryOptions['fleet'] & Pick<Fleet, 'search'>;
  readonly settings: BulkSettings;
};

const NOT_THERE = 'there is no such bulk action';
const UNAVAILABLE = 'it could not be written down; the log of the broker says why';

const digestOf = (targets: readonly Target[]): string =>
  createHash('sha256')
    .update(targets.map(({ terminal }) => terminal).join('\n'))
    .digest('hex');

function wrongKind(actor: Actor, kind: string, args: unknown): Refusal | CommandContent {
  const content = readContent(kind, args);
  if (!content.ok) return refuse('invalid', content.reason);
  if (!catalogue[content.value.kind].bulk) {
    return refuse('invalid', `kind: ${kind} is for one terminal at a time`);
  }
  return wrongRole(actor, kind) ?? content.value;
}

/** Why this operator may not have it done. */
function wrongActor(model: BulkModel, actor: Actor): Refusal | undefined {
  const { kind } = model.content;
  const forbidden = wrongRole(actor, kind);
  if (forbidden !== undefined || !isWide(model) || isAllowed(actor.role, 'admin')) return forbidden;
  const why = `${kind} in several stores can keep them from selling: it needs the role admin`;
  return refuse('forbidden', `${why}, and ${actor.name} has the role ${actor.role}`);
}

/** Why this one may not be started so. */
function wrongStart(model: BulkModel, wish: BulkStart): Refusal | undefined {
  const { targets, state } = model;
  const { count, reason, confirm, actor } = wish;
  const forbidden = wrongActor(model, actor);
  if (forbidden !== undefined) return forbidden;
  if (state !== 'planned') return refuse('conflict', `it is ${state} already`);
  if (count !== targets.length) {
    const there = `the list has ${targets.length} terminals, not ${count}`;
    return refuse('invalid', `count: ${there}; look at it again`);
  }
  if (isWide(model) && confirm !== confirmOf(model)) {
    const why = 'this can keep tills of several stores from selling';
    return refuse('invalid', `confirm: ${why}; write "${confirmOf(model)}"`);
  }
  const unclear = wrongReason(reason);
  return unclear === undefined ? undefined : refuse('invalid', unclear);
}

function createPlanner(options: BulksOptions) {
  const { fleet, stateOf, settings, clock } = options;
  const { hours, ...limits } = settings;
  return (plan: BulkPlan): BulkModel | Refusal => {
    const content = wrongKind(plan.actor, plan.kind, plan.arguments);
    if ('ok' in content) return content;
    // None is needed before the start; one that is there is kept, and held to the same.
    const unclear = plan.reason === '' ? undefined : wrongReason(plan.reason);
    if (unclear !== undefined) return refuse('invalid', unclear);
    const selected = select({ fleet, stateOf, leaveOut: plan.leaveOut }, plan.selector, content);
    if (!selected.ok) return refuse('invalid', selected.reason);
    const { chosen, leftOut, fleetSize } = selected.value;
    return {
      id: randomUUID(),
      ...{ content, plannedBy: plan.actor.name, startedBy: undefined, reason: plan.reason },
      ...{ createdMs: clock.wallMs(), startedMs: undefined, expiresMs: undefined },
      ...{ endedMs: undefined, lastsMs: plan.lastsMs ?? hours * HOUR_MS },
      ...{ state: 'planned', why: '', wave: { number: 0, size: 0 } },
      resultMs: catalogue[content.kind].expiryMs + RESULT_GRACE_MS,
      ...(plan.window === undefined ? {} : { window: plan.window }),
      forgiven: { failed: 0, ended: 0 },
      ...{ limits, fleetSize },
      leftOut: { count: leftOut.length, first: leftOut.slice(0, LEFT_OUT_SHOWN_MAX) },
      targets: chosen.map(({ terminal, store }) => ({
        ...{ terminal, store, state: 'waiting', command: '', reason: '', sentMs: 0 },
      })),
    };
  };
}

function pageOf({ targets }: BulkModel, { state, after, limit }: TargetFilter): TargetPage {
  const fitting = targets
    .map((target, place) => ({ target, place }))
    .filter(
      ({ target, place }) => place >= after && (state === undefined || target.state === state),
    );
  const page = fitting.slice(0, limit);
  const last = page.at(-1);
  const next = last === undefined || fitting.length <= limit ? null : last.place + 1;
  return { targets: page.map(({ target }) => target), next };
}

type Act = (id: string, event: BulkEvent) => BulkAnswer;
type Guards = Map<string, Guard>;

/** What operators do with one that is there. */
function createChanges(
  carry: Carry,
  act: Act,
  guards: Guards,
): Pick<Bulks, 'start' | 'pause' | 'resume' | 'abort'> {
  const guarded = ({ id, content }: BulkModel) => guards.get(content.kind)?.(id);
  /** @param from in which states that can be done. */
  const change =
    (kind: 'pause' | 'resume' | 'abort', from: readonly BulkState[]) =>
    (id: string, actor: Actor, reason: string): BulkAnswer => {
      const model = carry.get(id);
      if (model === undefined) return refuse('unknown_terminal', NOT_THERE);
      const unclear = wrongReason(reason);
      if (unclear !== undefined) return refuse('invalid', unclear);
      // To go on is to do it; to stop is always right.
      const forbidden =
        kind === 'resume' ? (wrongActor(model, actor) ?? guarded(model)) : undefined;
      if (forbidden !== undefined) return forbidden;
      if (!from.includes(model.state)) return refuse('conflict', `it is ${model.state}`);
      const said = { by: actor.name, reason: reason.trim() };
      if (kind !== 'resume') return act(id, { kind, ...said });
      return act(id, { kind, ...said, as: { name: actor.name, role: actor.role } });
    };
  return {
    start: (id, wish) => {
      const model = carry.get(id);
      if (model === undefined) return refuse('unknown_terminal', NOT_THERE);
      const by: Actor = { name: wish.actor.name, role: wish.actor.role };
      const joined = isJoined(model, carry.open(), by.name);
      const wrong = wrongStart({ ...model, joined }, wish) ?? guarded(model);
      if (wrong !== undefined) return wrong;
      return act(id, { kind: 'start', by, reason: wish.reason.trim(), joined });
    },
    pause: change('pause', ['running']),
    resume: change('resume', ['paused']),
    abort: change('abort', ['planned', 'running', 'paused']),
  };
}

export function openBulks(options: BulksOptions): Bulks {
  const { audit } = options;
  const store = openBulkStore(options.fleet.database);
  const lost = new Map<string, Lost>();
  const lostBy: LostBy = ({ id, content }) => lost.get(content.kind)?.(id);
  const carry = openCarry({ ...options, lostBy }, store);
  const makePlan = createPlanner(options);
  const guards: Guards = new Map();
  const answer = (id: string): BulkAnswer => {
    const model = carry.get(id);
    if (model === undefined) return refuse('unknown_terminal', NOT_THERE);
    return { ok: true, view: bulkView(model) };
  };
  const act: Act = (id, event) =>
    carry.act(id, event) ? answer(id) : refuse('unavailable', UNAVAILABLE);

  function plan(asked: BulkPlan): BulkAnswer {
    if (carry.open().length >= BULKS_OPEN_MAX) {
      return refuse('too_many', `${BULKS_OPEN_MAX} bulk actions are not over: abort one first`);
    }
    if (guards.has(asked.kind) && asked.ofGuard !== true) {
      return refuse('invalid', `kind: ${asked.kind} is planned where its content is kept`);
    }
    const model = makePlan(asked);
    if ('ok' in model) return model;
    const { id, content, targets, reason, plannedBy: operator, leftOut } = model;
    const { kind, arguments: args } = content;
    const list = { count: targets.length, leftOut: leftOut.count, sha256: digestOf(targets) };
    const detail = { kind, arguments: toldArguments(args), selector: asked.selector, ...list };
    const entry = { operator, action: 'bulk.plan', subject: id, reason, outcome: 'planned' };
    const isKept = carry.add(model, () => audit.write({ ...entry, detail }));
    return isKept ? answer(id) : refuse('unavailable', UNAVAILABLE);
  }

  return {
    plan,
    ...createChanges(carry, act, guards),
    get: (id) => {
      const model = carry.get(id);
      return model && bulkView(model);
    },
    list: (limit) =>
      store.newest(limit).flatMap((id) => {
        const model = carry.get(id);
        return model === undefined ? [] : [bulkView(model)];
      }),
    targets: (id, filter) => {
      const model = carry.get(id);
      return model && pageOf(model, filter);
    },
    counts: () => {
      const counts: Record<string, number> = { planned: 0, running: 0, paused: 0 };
      for (const { state } of carry.open()) counts[state] = (counts[state] ?? 0) + 1;
      return counts;
    },
    onStep: carry.onStep,
    guardBy: (kind, guard) => {
      guards.set(kind, guard);
    },
    leaveOutBy: (kind, one) => {
      lost.set(kind, one);
    },
    close: carry.stop,
  };
}
