// How a request ends, and what is written down of it: who asked, why, for which lines, what came and its digest. An end
// may be its answer, somebody's wish, or that its command ended without one.

import { LOGS_EXPIRY_MS } from '../../protocol/commands.ts';
import type { Audit } from '../audit.ts';
import type { Actor, Commands, Refusal } from '../commands/commands.ts';
import { wrongReason, wrongRole } from '../commands/request.ts';
import { refuse } from '../commands/view.ts';
import type { Database } from '../fleet/database.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import type { Asked } from './asking.ts';
import { filtersOf } from './asking.ts';
import type { LogsOptions } from './logs.ts';
import {
  type Cancelled,
  cancelledBy,
  cancelledNow,
  type LogKind,
  type LogRecord,
} from './model.ts';
import type { LogStore } from './store.ts';
import { isUnderWay, type LogState, type LogView } from './view.ts';

const ACTIONS: Readonly<Record<LogKind, string>> = {
  lines: 'logs.receive',
  incident: 'logs.receive',
  tail: 'tail.receive',
  diagnosis: 'diagnosis.receive',
};

/** Which lines somebody wanted. */
export function wishOf(record: LogRecord): object {
  const { id: request, command, components, sinceMs, untilMs, bytesMax, group, incident } = record;
  const of = { ...(group && { group }), ...(incident && { incident }) };
  const window = { components, sinceMs, untilMs, bytesMax };
  return { request, what: record.what ?? 'lines', command, ...of, ...window, ...filtersOf(record) };
}

export type Finish = (record: LogRecord, state?: LogState, error?: string) => void;

type FinishOptions = {
  readonly audit: Pick<Audit, 'write'>;
  readonly database: Database;
  readonly metrics: Pick<Metrics, 'logRequests'>;
  readonly log: Log;
};

/** Within a transaction. `state`: as it shows, where its record does not say it. */
export function createFinish({ audit, database, metrics, log }: FinishOptions): Finish {
  return (record, state = record.state as LogState, error = record.error) => {
    const { operator, reason, terminal: subject, id: request, bytes, lines, sha256 } = record;
    const { redactions, truncated, cutBy = '', dropped = 0, missed = 0, masked = 0 } = record;
    const came = { bytes, lines, sha256, redactions, truncated, cutBy, dropped, missed, masked };
    const action = ACTIONS[record.what ?? 'lines'];
    const detail = { ...wishOf(record), ...came, error };
    audit.write({ operator, action, subject, reason, outcome: state, detail });
    database.afterCommit(() => {
      metrics.logRequests(state);
      log.info('logs received', { request, terminal: subject, state, bytes, lines, error });
    });
  };
}

export type EndingOptions = Pick<LogsOptions, 'fleet' | 'audit' | 'clock' | 'log'> & {
  readonly commands: Pick<Commands, 'create' | 'get' | 'cancel' | 'onFinished'>;
  readonly store: Pick<LogStore, 'get' | 'save'>;
  readonly view: (record: LogRecord) => LogView;
  readonly finish: Finish;
};

const NOT_THERE = 'there is no such request for logs';

/**
 * Somebody wants it no more. What no terminal has taken is taken back. One that is there is told and ends its
 * answer in good order, so that what came can be checked; of one that is away nothing more is taken.
 */
export function createCanceller(options: EndingOptions) {
  const { fleet, commands, audit, clock, store, view, finish } = options;

  function tell(record: LogRecord, actor: Actor, reason: string): string {
    const { id: request, terminal } = record;
    const created = commands.create({
      ...{ terminal, actor, reason, kind: 'cancel_logs', arguments: { request } },
      ...(fleet.isConnected(terminal) ? {} : { expiresMs: LOGS_EXPIRY_MS }),
    });
    return created.ok ? created.id : '';
  }

  function cancel(record: LogRecord, actor: Actor, reason: string): LogRecord {
    const { terminal } = record;
    const command = commands.get(record.command);
    const isTaken = command?.state === 'accepted' || command?.state === 'running';
    const wasSent = command?.state === 'sent';
    if (!isTaken) commands.cancel(record.command, actor, reason);
    const told = isTaken || wasSent ? tell(record, actor, reason) : '';
    const atMs = clock.wallMs();
    const cancelled: Cancelled = { by: actor.name, reason, atMs, command: told };
    const isAwaited = isTaken && told !== '' && fleet.isConnected(terminal);
    const next = isAwaited
      ? { ...record, cancelled, changedMs: atMs }
      : cancelledNow(record, cancelled, atMs);
    store.save(next);
    const entry = { operator: actor.name, action: 'logs.cancel', subject: terminal, reason };
    const outcome = isAwaited ? 'told' : 'cancelled';
    audit.write({ ...entry, outcome, detail: { ...wishOf(next), told } });
    if (!isAwaited) finish(next);
    return next;
  }

  return (id: string, actor: Actor, reason: string): Asked | Refusal => {
    const record = store.get(id);
    if (record === undefined) return refuse('unknown_terminal', NOT_THERE);
    const forbidden = wrongRole(actor, 'cancel_logs');
    if (forbidden !== undefined) return forbidden;
    const unclear = wrongReason(reason);
    if (unclear !== undefined) return refuse('invalid', unclear);
    const shown = view(record);
    if (!isUnderWay(shown)) return refuse('conflict', `it has ended: ${shown.state}`);
    if (record.cancelled !== undefined) return { ok: true, view: shown };
    const done = fleet.database.transact(() => cancel(record, actor, reason.trim()));
    return done.ok ? { ok: true, view: view(done.value) } : refuse('unavailable', done.reason);
  };
}

/** Its command has ended, and its answer has not: that is the end of it, unless the terminal's word corrects it. */
export function followCommands(options: EndingOptions): void {
  const { fleet, commands, clock, store, view, finish, log } = options;

  function end(record: LogRecord, isOwn: boolean): void {
    const { cancelled } = record;
    if (cancelled !== undefined) {
      const next = cancelledNow(record, cancelled, clock.wallMs());
      store.save(next);
      finish(next, 'cancelled', cancelledBy(cancelled));
    } else if (isOwn) {
      const { state, error } = view(record);
      if (state !== 'running' && state !== 'waiting') finish(record, state, error);
    }
  }

  commands.onFinished(({ command, state }) => {
    const view = commands.get(command);
    const id: unknown = Reflect.get(view?.arguments ?? {}, 'request');
    const record = typeof id === 'string' ? store.get(id) : undefined;
    if (record === undefined || record.state !== 'open') return;
    const isOwn = record.command === command;
    // What it was told to end it ends with a last chunk, or by its own command.
    if (!isOwn && (record.cancelled?.command !== command || state === 'succeeded')) return;
    const done = fleet.database.transact(() => end(record, isOwn));
    if (!done.ok) log.error('the end of a request is not written down', { reason: done.reason });
  });
}
