// Carries recurring windows out: restarts and reboots as bulk actions of the broker's own (half of a store at a time, each
// till when no sale is open, stopped by failures), observing as a maintenance of each store. That a store has had its
// window on a date is on disk before anything is done: a broker that dies in between has done too little, never
// something twice. A store in another maintenance waits until that is over or the window is.

import type { Audit } from '../audit.ts';
import type { Bulks } from '../bulk/desk.ts';
import type { BulkView } from '../bulk/view.ts';
import type { Clock } from '../clock.ts';
import { type Actor, OWN_OPERATOR } from '../commands/commands.ts';
import type { Database } from '../fleet/database.ts';
import type { Log } from '../ports.ts';
import type { Desk } from './desk.ts';
import { MAINTENANCE_MS_MIN } from './model.ts';
import type { MaintenanceStore } from './store.ts';
import {
  type Due,
  dueWindows,
  type Run,
  runKey,
  type Window,
  type WindowStore,
} from './windows.ts';

const ITSELF: Actor = { name: OWN_OPERATOR, role: 'admin' };
const REASON_CHARS_MAX = 300;
/** Begun in one tick: each is a transaction, and acknowledgements wait for their turn meanwhile. */
const OBSERVED_PER_TICK_MAX = 50;

export type SchedulerOptions = {
  readonly database: Database;
  readonly bulks: Pick<Bulks, 'plan' | 'start' | 'get'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly log: Log;
  readonly stores: () => readonly WindowStore[];
  /** Of these stores; those in a maintenance of their own are left out. */
  readonly terminalsOf: (stores: ReadonlySet<string>) => readonly string[];
  /** Why nothing may be done in a store now. */
  readonly forbidden: (store: string) => string | undefined;
};

export type Scheduler = { readonly tick: () => void; readonly forget: (window: string) => void };

const reasonOf = ({ name, reason }: Window): string =>
  `window ${name}: ${reason}`.slice(0, REASON_CHARS_MAX);

/** Nobody is there to write them out; the number is that of the list all the same. */
const wordsOf = ({ kind, count }: Pick<BulkView, 'kind' | 'count'>): string =>
  `${kind.replaceAll('_', '-')} ${count}`;

/** What ran, on disk and in memory, and why others still wait. */
function createRecords({ database, audit, clock, log }: SchedulerOptions, store: MaintenanceStore) {
  const ran = new Set(store.windows.runs().map(runKey));
  /** For what is told when the window is over. */
  const waited = new Map<string, string>();
  const keyOf = ({ window, store: of, date }: Due): string =>
    runKey({ window: window.name, store: of, date });

  function write(runs: readonly Run[]): void {
    for (const run of runs) store.windows.keep(run);
    const [first] = runs;
    if (first === undefined) return;
    const { window: name, date, state, why, bulk } = first;
    const detail = { date, stores: runs.length, first: first.store, ...(bulk && { bulk }) };
    const entry = { operator: OWN_OPERATOR, action: `maintenance.window.${state}`, subject: name };
    audit.write({ ...entry, reason: why, outcome: state, detail });
  }

  return {
    has: (key: string): boolean => ran.has(key),
    wait: (due: Due, why: string): void => void waited.set(keyOf(due), why),
    whyOf: (due: Due): string => waited.get(keyOf(due)) ?? 'the broker was not there',
    /** @returns whether it is on disk. */
    keep: (due: readonly Due[], rest: Pick<Run, 'state' | 'why'> & Partial<Run>): boolean => {
      const atMs = clock.wallMs();
      const runs = due.map(
        ({ window, store: of, date }): Run => ({
          ...{ window: window.name, store: of, date, atMs },
          ...rest,
        }),
      );
      const done = database.transact(() => write(runs));
      if (!done.ok) {
        log.error('a maintenance window stands still', { reason: done.reason });
        return false;
      }
      for (const run of runs) {
        ran.add(runKey(run));
        waited.delete(runKey(run));
      }
      return true;
    },
    forget: (window: string): void => {
      for (const key of ran) if (key.startsWith(`${window}\0`)) ran.delete(key);
      for (const key of waited.keys()) if (key.startsWith(`${window}\0`)) waited.delete(key);
    },
  };
}
type Records = ReturnType<typeof createRecords>;

/** All stores of one window that are due together: one bulk action, which knows to spare half of each. */
function createRestarts({ bulks, clock, terminalsOf }: SchedulerOptions, records: Records) {
  return (window: Window, due: readonly Due[]): void => {
    const kind = window.action === 'reboot' ? 'reboot' : 'restart_all';
    const terminals = terminalsOf(new Set(due.map(({ store: of }) => of)));
    if (terminals.length === 0) {
      records.keep(due, { state: 'failed', why: 'no terminal stands there that could be meant' });
      return;
    }
    const endMs = Math.min(...due.map((one) => one.endMs));
    const lastsMs = Math.max(1_000, endMs - clock.wallMs());
    const reason = reasonOf(window);
    const plan = { kind, arguments: {}, selector: { terminals }, reason, lastsMs, actor: ITSELF };
    const planned = bulks.plan({ ...plan, window: window.name });
    if (!planned.ok) {
      // Too many others run, or the disk is full: it is tried again while the window lasts.
      if (planned.kind === 'invalid') records.keep(due, { state: 'failed', why: planned.reason });
      else for (const one of due) records.wait(one, planned.reason);
      return;
    }
    const { id: bulk, count } = planned.view;
    const why = `${kind.replaceAll('_', ' ')} of ${count} terminals, half of a store at a time`;
    if (!records.keep(due, { state: 'started', why, bulk })) return;
    const confirm = wordsOf(planned.view);
    const started = bulks.start(bulk, { count, reason, confirm, actor: ITSELF });
    if (!started.ok) records.keep(due, { state: 'failed', why: started.reason, bulk });
  };
}

/** A broker that dies between the two starts it again, which replaces it: an observation does nothing twice. */
function createObserving({ clock }: SchedulerOptions, records: Records, desk: Pick<Desk, 'start'>) {
  return (window: Window, due: Due): void => {
    const forMs = Math.max(MAINTENANCE_MS_MIN, due.endMs - clock.wallMs());
    const begun = desk.start({
      ...{ scope: 'store', subject: due.store, forMs, reason: reasonOf(window) },
      ...{ actor: ITSELF, window: window.name },
    });
    if (begun.ok) {
      const [maintenance] = begun.maintenances;
      const why = 'its watchdogs only watch';
      records.keep([due], { state: 'started', why, maintenance: maintenance?.id });
    } else if (begun.kind === 'invalid') {
      records.keep([due], { state: 'failed', why: begun.reason });
    } else records.wait(due, begun.reason);
  };
}

/** Between planning and starting the broker was killed: what was written down is done now, if there is time. */
function goOn({ bulks, log }: SchedulerOptions, runs: readonly Run[]): void {
  for (const { bulk, state, window } of runs) {
    const view = state === 'started' && bulk !== undefined ? bulks.get(bulk) : undefined;
    if (view?.state !== 'planned') continue;
    const reason = `window ${window}: gone on with after a restart of the broker`;
    const wish = { count: view.count, reason, confirm: wordsOf(view), actor: ITSELF };
    const started = bulks.start(view.id, wish);
    if (!started.ok) log.warn('a window was not gone on with', { window, reason: started.reason });
  }
}

export function createScheduler(
  options: SchedulerOptions,
  store: MaintenanceStore,
  desk: Pick<Desk, 'start'>,
  windows: () => readonly Window[],
): Scheduler {
  const records = createRecords(options, store);
  const restart = createRestarts(options, records);
  const observe = createObserving(options, records, desk);
  let isBegun = false;

  function act(window: Window, of: readonly Due[]): void {
    if (window.action === 'observe') {
      for (const one of of.slice(0, OBSERVED_PER_TICK_MAX)) observe(window, one);
      return;
    }
    const free = of.filter((one) => {
      const why = options.forbidden(one.store);
      if (why !== undefined) records.wait(one, why);
      return why === undefined;
    });
    if (free.length > 0) restart(window, free);
  }

  return {
    tick: () => {
      // Not when it is made: what a bulk action asks is not there yet.
      if (!isBegun) goOn(options, store.windows.runs());
      isBegun = true;
      const all = windows();
      if (all.length === 0) return;
      const nowMs = options.clock.wallMs();
      const { due, missed } = dueWindows(all, options.stores(), records.has, nowMs);
      for (const [window, of] of Map.groupBy(due, (one) => one.window)) act(window, of);
      const told = ({ window, date }: Due, why: string) => `${window.name}\0${date}\0${why}`;
      for (const of of Map.groupBy(missed, (one) => told(one, records.whyOf(one))).values()) {
        const [first] = of;
        if (first !== undefined) records.keep(of, { state: 'missed', why: records.whyOf(first) });
      }
    },
    forget: records.forget,
  };
}
