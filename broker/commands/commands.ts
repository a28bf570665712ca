// The command queue at work: takes requests, signs and sends, listens for results, gives up in time.
// queue.ts decides; here decisions meet the database, the audit log and the session. A command and its
// audit entry become true together, and nothing is sent that is not on disk.

import { type KeyObject, randomUUID } from 'node:crypto';
import {
  COMMAND_EXPIRY_MS,
  type Command,
  type CommandContent,
  type CommandResult,
  signCommand,
} from '../../protocol/commands.ts';
import type { Audit } from '../audit.ts';
import type { Clock, Timers } from '../clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { limitLog } from '../log-limit.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import { traceIdOf, traceOfCommand } from '../traces/command-spans.ts';
import {
  type CommandTraces,
  type CommandTracesOptions,
  openCommandTraces,
} from '../traces/recorder.ts';
import { enqueue, type QueuedCommand, type QueueEvent, type QueueState, step } from './queue.ts';
import { type CommandRequest, checkRequest } from './request.ts';
import { type CommandStore, openCommandStore } from './store.ts';

/** Expiry and sending again are looked at this often. */
const TICK_MS = 1_000;
/** Commands of one terminal that are not finished; more are refused until some are. */
export const OPEN_PER_TERMINAL_MAX = 32;

export type CommandView = {
  readonly id: string;
  readonly terminal: string;
  readonly kind: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly state: QueueState;
  readonly reason: string;
  readonly operator: string;
  readonly issuedMs: number;
  readonly expiresMs: number;
  readonly sends: number;
  readonly history: QueuedCommand['history'];
  /** Id of its trace. */
  readonly trace?: string;
};

export type Refusal = {
  readonly ok: false;
  readonly kind: 'unknown_terminal' | 'invalid' | 'too_many' | 'unavailable';
  readonly reason: string;
};
export type Created = {
  readonly ok: true;
  readonly id: string;
  readonly state: QueueState;
  readonly trace: string;
};

export type Commands = {
  readonly create: (request: CommandRequest) => Created | Refusal;
  readonly get: (id: string) => CommandView | undefined;
  /** The terminal subscribed to its commands just now: all that are open go out (again). */
  readonly terminalReady: (terminal: string) => void;
  readonly countOpen: () => number;
  readonly close: () => void;
};

export type CommandsOptions = {
  readonly fleet: Pick<Fleet, 'database' | 'view' | 'isConnected' | 'onResults'>;
  /** Finished ones that are kept. */
  readonly keptMax?: number;
  /** The broker's private Ed25519 key. */
  readonly key: KeyObject;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly timers: Pick<Timers, 'every'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly metrics: Pick<Metrics, 'commandsFinished' | 'deadLetters' | 'dropped'>;
  readonly log: Log;
  /** Where the spans of commands go; none are made without it. */
  readonly record?: CommandTracesOptions['record'];
  /** Hands the signed bytes to the terminal's session, if there is one. */
  readonly send: (terminal: string, bytes: Uint8Array) => void;
};

const viewOf = ({ command, state, sends, history }: QueuedCommand): CommandView => ({
  ...withTrace(command),
  id: command.id,
  terminal: command.terminal,
  kind: command.kind,
  arguments: command.arguments,
  state,
  reason: command.reason,
  operator: command.operator,
  issuedMs: command.issuedMs,
  expiresMs: command.expiresMs,
  sends,
  history,
});

const withTrace = (command: Command): { trace?: string } => {
  const trace = traceIdOf(command);
  return trace === undefined ? {} : { trace };
};

const refuse = (kind: Refusal['kind'], reason: string): Refusal => ({ ok: false, kind, reason });

/** Decides and does; every change goes through here. */
function createMover(
  options: CommandsOptions,
  store: CommandStore,
  traces: Pick<CommandTraces, 'finished'> | undefined,
) {
  const { fleet, clock, audit, metrics, log } = options;
  const { database } = fleet;

  function finish(
    { command, assumed, changedMs }: QueuedCommand,
    state: QueueState,
    reason: string,
  ): void {
    const { id, terminal, kind, operator } = command;
    const action = `command.${kind}.finish`;
    const detail = { command: id, result: reason };
    audit.write({
      operator,
      action,
      subject: terminal,
      reason: command.reason,
      outcome: state,
      detail,
    });
    database.afterCommit(() => {
      metrics.commandsFinished(state);
      log.info('command finished', { command: id, terminal, state, reason });
      traces?.finished(id, assumed ? changedMs : undefined);
    });
  }

  /** Call it within a transaction. */
  return (queued: QueuedCommand, event: QueueEvent): void => {
    const next = step(queued, event, clock.wallMs());
    if (next.queued !== queued) store.save(next.queued);
    const { command } = queued;
    for (const effect of next.effects) {
      if (effect.kind === 'finished') finish(queued, effect.state, effect.reason);
      else {
        database.afterCommit(() =>
          options.send(command.terminal, signCommand(command, options.key)),
        );
      }
    }
  };
}

function createTaker(options: CommandsOptions, store: CommandStore) {
  const { fleet, clock } = options;
  const build = (
    id: string,
    request: CommandRequest,
    content: CommandContent,
    traceparent: string,
  ): Command => {
    const now = clock.wallMs();
    return {
      ...content,
      id,
      terminal: request.terminal,
      issuedMs: now,
      expiresMs: now + Math.round(request.expiresMs ?? COMMAND_EXPIRY_MS),
      operator: request.operator,
      reason: request.reason.trim(),
      traceparent,
    };
  };
  return (request: CommandRequest): QueuedCommand | Refusal => {
    const view = fleet.view(request.terminal);
    if (view === undefined) {
      const name = request.terminal.slice(0, 64);
      return refuse('unknown_terminal', `there is no terminal "${name}" in this fleet`);
    }
    const content = checkRequest(request, view);
    if (!content.ok) return refuse('invalid', content.reason);
    if (store.openOf(request.terminal).length >= OPEN_PER_TERMINAL_MAX) {
      const reason = `${OPEN_PER_TERMINAL_MAX} commands for ${view.id} are not finished yet`;
      return refuse('too_many', reason);
    }
    const id = randomUUID();
    const { traceparent, ...caller } = traceOfCommand(id, request.traceparent);
    const command = build(id, request, content.value, traceparent);
    const requestedMs = command.issuedMs - Math.max(0, request.tookMs ?? 0);
    return enqueue(command, { ...caller, requestedMs });
  };
}

export function openCommands(options: CommandsOptions): Commands {
  const { fleet, audit, metrics, log } = options;
  const { database } = fleet;
  const store = openCommandStore(database, options.keptMax);
  const { record, clock } = options;
  const traces = record && openCommandTraces({ store, database, clock, log, record });
  const move = createMover(options, store, traces);
  const strangers = limitLog(log, options.clock);
  const take = createTaker(options, store);

  function create(request: CommandRequest): Created | Refusal {
    const queued = take(request);
    if ('ok' in queued) return queued;
    const { command } = queued;
    const { id, terminal, kind, operator, reason } = command;
    const done = database.transact(() => {
      store.save(queued);
      const dropped = store.trim();
      const detail = { command: id, arguments: command.arguments, expiresMs: command.expiresMs };
      const action = `command.${kind}.create`;
      audit.write({ operator, action, subject: terminal, reason, outcome: 'queued', detail });
      if (dropped > 0) database.afterCommit(() => metrics.dropped('commands', dropped));
      if (fleet.isConnected(terminal)) move(queued, { kind: 'terminal_ready' });
    });
    if (!done.ok) return refuse('unavailable', done.reason);
    log.info('command queued', { command: id, terminal, kind, operator, reason });
    const trace = traceIdOf(command) ?? '';
    return { ok: true, id, state: store.get(id)?.state ?? queued.state, trace };
  }

  function takeResult(terminal: string, result: CommandResult): void {
    const queued = store.get(result.commandId);
    // A terminal answers for itself only; whose answer it is, the session says and not the body.
    if (queued === undefined || queued.command.terminal !== terminal) {
      database.afterCommit(() => {
        metrics.deadLetters('results', 'unknown_command');
        strangers.warn('a result names no command', { terminal, command: result.commandId });
      });
      return;
    }
    move(queued, { kind: 'result', result });
  }

  fleet.onResults((terminal, results) => {
    for (const result of results) takeResult(terminal, result);
  });

  const moveAll = (all: readonly QueuedCommand[], event: (of: Command) => QueueEvent): void => {
    if (all.length === 0) return;
    const done = database.transact(() => {
      for (const queued of all) move(queued, event(queued.command));
    });
    if (!done.ok) log.error('the command queue stands still', { reason: done.reason });
  };
  const cancelTick = options.timers.every(TICK_MS, () => {
    moveAll(store.open(), ({ terminal }) => ({
      kind: 'tick',
      connected: fleet.isConnected(terminal),
    }));
    traces?.flush();
  });

  return {
    create,
    get: (id) => {
      const queued = store.get(id);
      return queued && viewOf(queued);
    },
    terminalReady: (terminal) =>
      moveAll(store.openOf(terminal), () => ({ kind: 'terminal_ready' })),
    countOpen: store.countOpen,
    close: cancelTick,
  };
}
