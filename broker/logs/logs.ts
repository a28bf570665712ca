// Requests for logs at work: takes one from an operator (asking.ts), takes the chunks of its answer from the front
// (intake.ts), ends it when somebody wishes (ending.ts), and keeps all of it with an end to how much. Who asked for
// which lines, why, and what came, is in the audit log.

import type { Audit } from '../audit.ts';
import type { Clock } from '../clock.ts';
import type { Actor, Commands, Refusal } from '../commands/commands.ts';
import type { StateOf } from '../commands/standing.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Metrics } from '../metrics.ts';
import type { Log, LogIntake } from '../ports.ts';
import { type Asked, type Asking, createAsking } from './asking.ts';
import { createCanceller, createFinish, followCommands } from './ending.ts';
import { type LogFiles, openLogFiles } from './files.ts';
import { createGroups, type GroupAsk, type GroupAsked } from './group.ts';
import { createIntake } from './intake.ts';
import type { LogKind, LogRecord } from './model.ts';
import { openShelf } from './shelf.ts';
import { openLogStore } from './store.ts';
import { finishLooked } from './unfinished.ts';
import { isUnderWay, type LogState, type LogView, viewOf } from './view.ts';

export type LogFilter = {
  readonly terminal?: string | undefined;
  readonly state?: LogState | undefined;
  readonly what?: LogKind | undefined;
  readonly group?: string | undefined;
  readonly limit?: number | undefined;
};
const LISTED_DEFAULT = 100;

export type Logs = LogIntake &
  Asking & {
    /** One for each terminal that a selector means. */
    readonly createForAll: (ask: GroupAsk) => GroupAsked | Refusal;
    readonly cancel: (id: string, actor: Actor, reason: string) => Asked | Refusal;
    readonly get: (id: string) => LogView | undefined;
    /** Newest first. */
    readonly list: (filter?: LogFilter) => readonly LogView[];
    /** What has arrived, from a byte on; undefined when nothing lies there. */
    readonly read: LogFiles['read'];
    /** That are not over. */
    readonly countOpen: () => number;
    /** Called when more of an answer is on disk, it has ended, or its lines are gone. */
    readonly onChange: (listener: (id: string) => void) => void;
    /**
     * Deletes the lines of one answer that ended before then, or of the oldest while all take more than
     * `bytesMax`; within a transaction. @returns how many answers.
     */
    readonly expire: (beforeMs: number, bytesMax: number) => number;
    readonly close: () => void;
  };

export type { Asked } from './asking.ts';

export type LogsOptions = {
  readonly folder: string;
  readonly fleet: Pick<Fleet, 'database' | 'isConnected' | 'search' | 'storeOf' | 'timeZoneOf'>;
  readonly commands: Pick<Commands, 'create' | 'again' | 'get' | 'cancel' | 'onFinished'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly metrics: Pick<Metrics, 'logBytes' | 'logRequests' | 'logMissed' | 'dropped'>;
  readonly log: Log;
  readonly keptMax?: number;
  /** Who is served; all are where nobody says. */
  readonly stateOf?: StateOf;
};

/** A disk that cannot hold the folder ends the start of the broker, as any of its files would. */
export function openLogs(options: LogsOptions): Logs {
  const { folder, fleet, commands } = options;
  const store = openLogStore(fleet.database);
  const files = openLogFiles(folder);
  files.sweep(new Set(store.oldestFirst().map(({ id }) => id)));
  const listeners: ((id: string) => void)[] = [];
  const tell = (id: string): void => {
    for (const listener of listeners) listener(id);
  };
  const view = (record: LogRecord): LogView => {
    const { terminal, command, state } = record;
    const place = { store: fleet.storeOf(terminal), timeZone: fleet.timeZoneOf(terminal) };
    const connected = fleet.isConnected(terminal);
    // Of one that has ended the command says its trace alone.
    const told =
      state === 'open' || record.goneMs === undefined ? commands.get(command) : undefined;
    return viewOf(record, told, { ...place, connected });
  };
  const { database } = fleet;
  const finish = finishLooked(
    { ...options, database, files, store },
    createFinish({ ...options, database }),
  );
  const ending = { ...options, store, view, finish };
  followCommands(ending);
  const { roomFor, expire } = openShelf(options, { store, files, view, tell });
  const asking = createAsking(options, { store, roomFor, view });

  return {
    ...createIntake(options, { store, files, finish, tell }),
    ...asking,
    createForAll: createGroups(options, asking.create),
    cancel: createCanceller(ending),
    expire,
    get: (id) => {
      const record = store.get(id);
      return record && view(record);
    },
    list: ({ terminal, state, what, group, limit = LISTED_DEFAULT } = {}) => {
      const found: LogView[] = [];
      for (const record of store.newest({ terminal, group, what })) {
        const shown = view(record);
        if (state === undefined || shown.state === state) found.push(shown);
        if (found.length >= limit) break;
      }
      return found;
    },
    read: files.read,
    countOpen: () => store.open().filter((record) => isUnderWay(view(record))).length,
    onChange: (listener) => {
      listeners.push(listener);
    },
    close: files.close,
  };
}
