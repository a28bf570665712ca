// The command queue at work: takes requests, signs and sends, listens for results, gives up in time.
// queue.ts decides, take.ts says who may ask for what, mover.ts does it; here they meet the fleet and its
// sessions.

import { type CommandKind, catalogue } from '../../protocol/catalogue.ts';
import type { CommandResult } from '../../protocol/commands.ts';
import type { Clock, Timers } from '../clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { limitLog } from '../log-limit.ts';
import type { Metrics } from '../metrics.ts';
import type { Operators } from '../operators/operators.ts';
import { traceIdOf } from '../traces/command-spans.ts';
import { type CommandTracesOptions, openCommandTraces } from '../traces/recorder.ts';
import { createMover, type FinishListener, type Move, type MoverOptions } from './mover.ts';
import { isOpen, isUnanswered, type QueuedCommand, type QueueEvent } from './queue.ts';
import {
  type Actor,
  AUTOMATIC_OPERATOR,
  type CommandRequest,
  lostRight,
  OWN_OPERATOR,
  wrongReason,
  wrongRole,
} from './request.ts';
import { goneReason, isGone, isServed, type StateOf } from './standing.ts';
import { type CommandFilter, type CommandStore, openCommandStore } from './store.ts';
import { askedOf, createTaker, findAgain } from './take.ts';
import {
  type CommandView,
  type Created,
  type Refusal,
  refuse,
  toldArguments,
  viewOf,
} from './view.ts';

export type { Finished, FinishListener } from './mover.ts';
export { type Actor, type CommandRequest, OWN_OPERATOR } from './request.ts';
export type { CommandFilter } from './store.ts';
export { OPEN_PER_TERMINAL_MAX } from './take.ts';
export type { CommandView, Created, Refusal, RefusalKind } from './view.ts';

/** Expiry and sending again are looked at this often. */
const TICK_MS = 1_000;

export type Commands = {
  readonly create: (request: CommandRequest) => Created | Refusal;
  /** What the broker itself asks for; one that waits already is not asked for twice. */
  readonly createOwn: (
    kind: CommandKind,
    terminal: string,
    args: unknown,
    reason: string,
    /** What its row of the catalogue says unless said. */
    expiresMs?: number,
  ) => Created | Refusal;
  /** The command that was made before under the key of this request, if one was. */
  readonly again: (request: CommandRequest) => Created | Refusal | undefined;
  /** Takes back what no terminal has taken yet. */
  readonly cancel: (id: string, actor: Actor, reason: string) => Created | Refusal;
  readonly get: (id: string) => CommandView | undefined;
  /** Newest first. */
  readonly list: (filter: CommandFilter) => readonly CommandView[];
  /** The terminal subscribed to its commands just now: all that are open go out (again). */
  readonly terminalReady: (terminal: string) => void;
  readonly onFinished: (listener: FinishListener) => void;
  readonly countOpen: () => number;
  readonly close: () => void;
};

export type CommandsOptions = Omit<MoverOptions, 'fleet' | 'clock' | 'metrics'> & {
  readonly fleet: Pick<Fleet, 'database' | 'view' | 'isConnected' | 'onResults'>;
  /** Finished ones that are kept. */
  readonly keptMax?: number;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly timers: Pick<Timers, 'every'>;
  readonly metrics: Pick<Metrics, 'commandsFinished' | 'deadLetters' | 'dropped'>;
  /** What became of a terminal's identity; all are served where nobody says. */
  readonly stateOf?: StateOf;
  /** Who may still ask; nobody is asked about where it is absent. */
  readonly operators?: Pick<Operators, 'roleOf' | 'onChange'> | undefined;
  /** Where the spans of commands go; none are made without it. */
  readonly record?: CommandTracesOptions['record'];
};

const allServed: StateOf = () => 'enrolled';
const NOT_THERE = 'there is no such command';

type Parts = { readonly store: CommandStore; readonly move: Move };

function createCreator(options: CommandsOptions, { store, move }: Parts) {
  const { fleet, audit, metrics, log, stateOf = allServed } = options;
  const { database } = fleet;
  const take = createTaker({ ...options, stateOf }, store);

  function keep(queued: QueuedCommand, request: CommandRequest): void {
    const { command, bulk } = queued;
    const { id, terminal, kind, operator, reason, expiresMs } = command;
    store.save(queued);
    const key = request.idempotencyKey;
    if (key !== undefined) {
      store.keepKey({ operator: request.actor.name, key, command: id, asked: askedOf(request) });
    }
    const dropped = store.trim();
    const part = bulk === undefined ? {} : { bulk };
    const detail = { command: id, arguments: toldArguments(command.arguments), expiresMs, ...part };
    const action = `command.${kind}.create`;
    audit.write({ operator, action, subject: terminal, reason, outcome: 'queued', detail });
    if (dropped > 0) database.afterCommit(() => metrics.dropped('commands', dropped));
    if (fleet.isConnected(terminal)) move(queued, { kind: 'terminal_ready' });
  }

  return (request: CommandRequest, isOwn = false): Created | Refusal => {
    const taken = take(request, isOwn);
    if (!taken.ok) return taken;
    const { queued, isNew } = taken;
    const { id, terminal, kind, operator, reason } = queued.command;
    if (isNew) {
      const done = database.transact(() => keep(queued, request));
      if (!done.ok) return refuse('unavailable', done.reason);
      log.info('command queued', { command: id, terminal, kind, operator, reason });
    }
    const trace = traceIdOf(queued.command) ?? '';
    return { ok: true, id, state: store.get(id)?.state ?? queued.state, trace };
  };
}

function createCanceller({ fleet, audit }: CommandsOptions, { store, move }: Parts) {
  return (id: string, actor: Actor, reason: string): Created | Refusal => {
    const queued = store.get(id);
    if (queued === undefined) return refuse('unknown_terminal', NOT_THERE);
    const { command } = queued;
    const { terminal, kind } = command;
    const wrong = wrongRole(actor, kind);
    if (wrong !== undefined) return wrong;
    const unclear = wrongReason(reason);
    if (unclear !== undefined) return refuse('invalid', unclear);
    if (!isOpen(queued)) return refuse('conflict', `it has ended: ${queued.state}`);
    if (!isUnanswered(queued)) {
      return refuse('conflict', `${terminal} has taken it already: ${queued.state}`);
    }
    const done = fleet.database.transact(() => {
      const outcome = 'cancelled';
      const said = { operator: actor.name, subject: terminal, reason: reason.trim() };
      audit.write({ ...said, action: `command.${kind}.cancel`, outcome, detail: { command: id } });
      return move(queued, { kind: 'cancel', reason: `cancelled by ${actor.name}: ${said.reason}` });
    });
    if (!done.ok) return refuse('unavailable', done.reason);
    return { ok: true, id, state: done.value.state, trace: traceIdOf(command) ?? '' };
  };
}

const ASK_AGAIN = 'who still wants it asks for it again';

/**
 * What was asked for by who may not any more is not sent. Of a bulk action that stops as a whole, and whoever resumes
 * it answers for it (bulk/carry.ts).
 */
function createReclaim({ audit, operators }: CommandsOptions) {
  return ({ command, bulk }: QueuedCommand): QueueEvent | undefined => {
    const { id, terminal, kind, operator } = command;
    const isOwn = operator === OWN_OPERATOR || operator === AUTOMATIC_OPERATOR;
    if (operators === undefined || bulk !== undefined || isOwn) return undefined;
    const lost = lostRight(operator, catalogue[kind].role, operators.roleOf);
    if (lost === undefined) return undefined;
    const reason = `${lost}: ${ASK_AGAIN}`;
    const entry = { operator: OWN_OPERATOR, action: `command.${kind}.cancel`, subject: terminal };
    audit.write({ ...entry, reason, outcome: 'cancelled', detail: { command: id, operator } });
    return { kind: 'cancel', reason };
  };
}

/** Listens for the terminals' words. */
function takeResults(options: CommandsOptions, { store, move }: Parts): void {
  const { fleet, metrics, log } = options;
  const strangers = limitLog(log, options.clock);
  fleet.onResults((terminal, results) => {
    for (const result of results) takeResult(terminal, result);
  });
  function takeResult(terminal: string, result: CommandResult): void {
    const queued = store.get(result.commandId);
    // A terminal answers for itself only; whose answer it is, the session says and not the body.
    if (queued === undefined || queued.command.terminal !== terminal) {
      fleet.database.afterCommit(() => {
        metrics.deadLetters('results', 'unknown_command');
        strangers.warn('a result names no command', { terminal, command: result.commandId });
      });
      return;
    }
    move(queued, { kind: 'result', result });
  }
}

export function openCommands(options: CommandsOptions): Commands {
  const { fleet, log, clock, record, stateOf = allServed } = options;
  const { database } = fleet;
  const store = openCommandStore(database, options.keptMax);
  const traces = record && openCommandTraces({ store, database, clock, log, record });
  const listeners: FinishListener[] = [];
  const move = createMover(options, store, traces, (finished) => {
    for (const listener of listeners) listener(finished);
  });
  const parts = { store, move };
  const create = createCreator(options, parts);
  takeResults(options, parts);

  const moveAll = (
    all: readonly QueuedCommand[],
    event: (queued: QueuedCommand) => QueueEvent,
  ): void => {
    if (all.length === 0) return;
    const done = database.transact(() => {
      for (const queued of all) move(queued, event(queued));
    });
    if (!done.ok) log.error('the command queue stands still', { reason: done.reason });
  };
  const again = findAgain(store);
  const reclaim = createReclaim(options);
  // What a terminal has taken is not taken back; only time ends it.
  const reclaimed = (queued: QueuedCommand): QueueEvent | undefined =>
    isUnanswered(queued) ? reclaim(queued) : undefined;
  const ticked = (queued: QueuedCommand): QueueEvent => {
    const { terminal } = queued.command;
    const state = stateOf(terminal);
    if (isGone(state) && isUnanswered(queued)) return { kind: 'cancel', reason: goneReason(state) };
    const connected = fleet.isConnected(terminal) && isServed(state);
    return reclaimed(queued) ?? { kind: 'tick', connected };
  };
  const cancelHeard = options.operators?.onChange(() => moveAll(store.open(), ticked));
  const cancelTick = options.timers.every(TICK_MS, () => {
    moveAll(store.open(), ticked);
    traces?.flush();
  });

  return {
    create: (request) => create(request),
    createOwn: (kind, terminal, args, reason, expiresMs) =>
      create({ kind, terminal, arguments: args, reason, actor: OWN, expiresMs }, true),
    again: (request) => {
      const known = wrongRole(request.actor, request.kind) ?? again(request);
      if (known === undefined || !known.ok) return known;
      const { command, state } = known.queued;
      return { ok: true, id: command.id, state, trace: traceIdOf(command) ?? '' };
    },
    cancel: createCanceller(options, parts),
    get: (id) => {
      const queued = store.get(id);
      return queued && viewOf(queued);
    },
    list: (filter) => store.list(filter).map(viewOf),
    terminalReady: (terminal) => {
      if (!isServed(stateOf(terminal))) return;
      moveAll(store.openOf(terminal), (one) => reclaimed(one) ?? { kind: 'terminal_ready' });
    },
    onFinished: (listener) => {
      listeners.push(listener);
    },
    countOpen: store.countOpen,
    close: () => {
      cancelHeard?.();
      cancelTick();
    },
  };
}

const OWN: Actor = { name: OWN_OPERATOR, role: 'admin' };
