// The fleet registry as the rest of the broker sees it: who is there, what runs where, what happened.
// Decisions are in registry.ts; here they meet the database, the ledger and the clock.

import type { Sample } from '../../protocol/metric-body.ts';
import { ok, type Result } from '../../protocol/result.ts';
import type { Clock, Timers } from '../clock.ts';
import type { Ledger } from '../ledger.ts';
import { limitLog } from '../log-limit.ts';
import type { FleetSessions, Log } from '../ports.ts';
import {
  type ApplyOptions,
  createApply,
  type NewsListener,
  type ResultHandler,
  type SampleListener,
} from './apply.ts';
import { type Database, openDatabase } from './database.ts';
import { createDescriptions, type Descriptions } from './describe.ts';
import type { EventPage, EventQuery, EventRow, EventTable } from './events.ts';
import { createFollower } from './follow.ts';
import { createListening, type Listening } from './listening.ts';
import type { FleetEffect, FleetEvent, TerminalModel } from './model.ts';
import { type Models, openModels } from './models.ts';
import { createObservations, type Observed } from './observations.ts';
import { createPlanner, type Planned, type Planner } from './plans.ts';
import type { PresenceLimits } from './presence.ts';
import { type Configured, createQueries } from './queries.ts';
import type { Rollup } from './rollup.ts';
import type { TerminalPage, TerminalQuery } from './search.ts';
import { EVENTS_MAX, type FleetStore, openFleetStore, REGISTRY_BYTES_MAX } from './store.ts';
import type { IdentityOf, LogsOf, TerminalView } from './view.ts';

/** Presence is looked at, and sessions are written down, this often. */
const TICK_MS = 1_000;
const READING =
  'the registry still reads what had arrived before the start; the views are not current yet';

export type FleetOptions = {
  /** The registry's file; commands and audit live in it, too. */
  readonly path: string;
  readonly ledger: Pick<
    Ledger,
    'generation' | 'readAfter' | 'onCommit' | 'setFollowed' | 'stats' | 'appendOwn'
  >;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly terminals: readonly Planned[];
  readonly presence: PresenceLimits;
  readonly acceptUnknown?: boolean;
  readonly eventsMax?: number;
  readonly lettersMax?: number;
  readonly bytesMax?: number;
  readonly metrics: ApplyOptions['metrics'];
  readonly log: Log;
};

export type Fleet = FleetSessions & {
  readonly database: Database;
  readonly planner: Planner;
  /** Who says in views what is known of a terminal's identity. */
  readonly identifyBy: (identityOf: IdentityOf) => void;
  /** Who says in views which request has the last lines of an incident. */
  readonly attachBy: (logsOf: LogsOf) => void;
  /** Who says in views what other rooms know of a terminal; may be called again with more. */
  readonly describeBy: Descriptions['describeBy'];
  /** More series of each terminal, recorded and scraped beside the registry's own. */
  readonly observeBy: Descriptions['observeBy'];
  /** Series of stores, once a minute. */
  readonly observeStores: Descriptions['observeStores'];
  /** Those series, for whoever asks now. */
  /** What other rooms say of it has changed: its series are told within seconds, not with the next round. */
  readonly observeNow: (terminal: string) => void;
  readonly samplesOfStores: () => readonly Sample[];
  /** Begins to follow the ledger; call it once everything that wants results has said so. */
  readonly start: () => void;
  /** Applies everything that lies in the ledger at once; for tests and for a broker that stops. */
  readonly drain: () => void;
  /** Also of a retired terminal, which is in no list. */
  readonly view: (id: string) => TerminalView | undefined;
  /** The records themselves, in the order of their ids: for sums over the fleet. */
  readonly models: () => readonly TerminalModel[];
  readonly views: () => readonly TerminalView[];
  /** The store that a terminal stands in; `unassigned` when nobody planned it. */
  readonly storeOf: (id: string) => string;
  /** IANA name of its local time; undefined where it never said. */
  readonly timeZoneOf: (id: string) => string | undefined;
  /** Told at once where every terminal stands, and later of those that are new. @returns an undo. */
  readonly onStores: Models['onStores'];
  readonly isConnected: (id: string) => boolean;
  /** Which fleet configuration it runs, and what it went back from. */
  readonly configurationOf: (id: string) => Configured;
  /** Of the fleet, those that are there, and where each stands. */
  readonly connected: () => readonly Planned[];
  readonly rollup: () => Rollup;
  readonly search: (query: TerminalQuery) => Result<TerminalPage>;
  readonly events: (query: EventQuery) => readonly EventRow[];
  readonly eventPage: (query: EventQuery) => EventPage;
  readonly eventEdges: EventTable['eventEdges'];
  /** Called when there may be new events, on disk. @returns how to be called no more. */
  readonly onEvents: (listener: () => void) => () => void;
  readonly onResults: (handler: ResultHandler) => void;
  /** Called with the samples of each batch once the registry has applied it, in the order of the ledger. */
  readonly onSamples: (listener: SampleListener) => void;
  /** Called with each event of a terminal that was not known before, within the transaction that keeps it. */
  readonly onNews: (listener: NewsListener) => void;
  /** What the broker itself says of every terminal, as series; undefined when there are more than `max`. */
  readonly observed: (max: number) => readonly Observed[] | undefined;
  /** Why the views are not current yet; undefined when they are. */
  readonly unready: () => string | undefined;
  /** Batches in the ledger that were not applied yet. */
  readonly behind: () => number;
  readonly close: () => void;
};

type Tell = (terminal: string, effects: readonly FleetEffect[]) => void;

/** Sessions and time change models between transactions; they are written once a tick. */
function createSessions(
  models: Models,
  store: FleetStore,
  database: Database,
  listening: Listening,
  tell: Tell,
) {
  const unsaved = new Set<string>();
  const change = (id: string, event: FleetEvent, at = listening.moment()): void => {
    const effects = models.change(id, event, at);
    if (effects === undefined) return;
    unsaved.add(id);
    tell(id, effects);
  };
  return {
    change: (id: string, event: FleetEvent): void => {
      if (models.isKnown(id) || models.get(id) !== undefined) change(id, event);
    },
    tick: (): void => {
      listening.look();
      const now = listening.moment();
      for (const { id, retired } of models.all()) {
        if (retired !== true) change(id, { kind: 'tick' }, now);
      }
      if (unsaved.size === 0) return;
      const saved = database.transact(() => {
        for (const id of unsaved) {
          const model = models.get(id);
          if (model !== undefined) store.saveTerminal(model);
        }
      });
      if (saved.ok) unsaved.clear();
    },
  };
}

function createHeard<A extends readonly unknown[]>() {
  const listeners: ((...of: A) => void)[] = [];
  return {
    tell: (...of: A): void => {
      for (const listener of listeners) listener(...of);
    },
    add: (listener: (...of: A) => void): void => {
      listeners.push(listener);
    },
  };
}

function createNotice() {
  const listeners = new Set<() => void>();
  return {
    tell: (): void => {
      for (const listener of listeners) listener();
    },
    add: (listener: () => void): (() => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function openFleet(options: FleetOptions): Result<Fleet> {
  const { ledger, clock, timers, log, metrics, presence, acceptUnknown = false } = options;
  const { eventsMax = EVENTS_MAX, bytesMax = REGISTRY_BYTES_MAX, lettersMax } = options;
  const opened = openDatabase(options.path, (database) => {
    const store = openFleetStore(database, ledger.generation, { eventsMax, bytesMax, lettersMax });
    return { database, store, loaded: store.loadTerminals(), plans: store.loadPlans() };
  });
  if (!opened.ok) return opened;
  const { database, store, loaded, plans } = opened.value;
  const models = openModels({
    ...{ loaded, plans },
    terminals: options.terminals,
    acceptUnknown,
    presence,
    reading: () => listening.reading(),
  });
  const tell: Tell = (terminal, effects) => {
    for (const { from, to } of effects) log.info('presence changed', { terminal, from, to });
    if (effects.length > 0) observations.changed(terminal);
  };
  const descriptions = createDescriptions();
  const handlers: ResultHandler[] = [];
  const samples = createHeard<Parameters<SampleListener>>();
  const news = createHeard<Parameters<NewsListener>>();
  const listening = createListening({
    clock,
    lastSeenMs: loaded.reduce((most, { lastSeenMs = 0 }) => Math.max(most, lastSeenMs), 0),
    behind: () => follower.behind(),
    failing: () => (follower.stalled() ?? ledger.stats().failing) !== undefined,
  });
  const told = { sampled: samples.tell, happened: news.tell, arrivalMs: listening.arrivalMs };
  const own = { ...told, metrics, log: limitLog(log, clock) };
  const rules = createApply({ database, models, store, tell, handlers, ...own });
  const notice = createNotice();
  const end = (): void => {
    rules.end();
    notice.tell();
  };
  const followed = { ledger, database, cursor: store, rules: { ...rules, end } };
  const follower = createFollower({ ...followed, clock, timers, log });
  const observations = createObservations({
    ...{ ledger, clock, get: models.shown, moreOf: descriptions.moreOf },
    samplesOfStores: descriptions.samplesOfStores,
    ids: () => models.listed().map(({ id }) => id),
  });
  const sessions = createSessions(models, store, database, listening, tell);
  const cancelTick = timers.every(TICK_MS, () => {
    sessions.tick();
    observations.tick();
  });
  return ok({
    ...createQueries(models, store, clock, descriptions),
    observeNow: observations.changed,
    database,
    planner: createPlanner({ database, models, store, terminals: options.terminals }),
    start: follower.start,
    drain: () => {
      while (follower.turn());
    },
    isKnown: models.isKnown,
    storeOf: models.storeOf,
    onStores: models.onStores,
    sessionOpened: (id) => sessions.change(id, { kind: 'opened' }),
    sessionClosed: (id, why) => sessions.change(id, { kind: 'closed', why }),
    events: (query) => store.queryEvents(query).events,
    eventEdges: store.eventEdges,
    onEvents: notice.add,
    onResults: (handler) => {
      handlers.push(handler);
    },
    onSamples: samples.add,
    onNews: news.add,
    unready: () =>
      follower.stalled() ?? ledger.stats().failing ?? (follower.caughtUp() ? undefined : READING),
    behind: follower.behind,
    close: () => {
      cancelTick();
      follower.stop();
      sessions.tick();
      database.close();
    },
  });
}
