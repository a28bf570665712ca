// Carries recurring windows out: restarts and reboots as bulk actions of the broker's own (half of a store at a time, each
// till when no sale is open, stopped by failures), observing as a maintenance of each store. That a store has had its
// window on a date is on disk before anything is done: a broker that dies in between has done too little, never
// something twice. A store in another maintenance waits until that is over or the window is.

import type { Audit } from '../audit.ts';
import type { lastRestore } from '../backup/restored.ts';
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
/** Dates that ran are read from disk again when there are twice as many and so many more. */
const RAN_MIN = 10_000;
const NOT_THERE = 'the broker was not there, or did not know the store yet';
const RESTORED = 'the broker was restored from a backup: it may have run since that was taken';

export type SchedulerOptions = {
  readonly database: Database;
  readonly bulks: Pick<Bulks, 'plan' | 'start' | 'get' | 'abort'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly log: Log;
  readonly stores: () => readonly WindowStore[];
  /** Of these stores; those in a maintenance of their own are left out. */
  readonly terminalsOf: (stores: ReadonlySet<string>) => readonly string[];
  /** Why nothing may be done in a store now. */
  readonly forbidden: (store: string) => string | undefined;
  /** The last one; undefined where there was none. */
  readonly restored?: ReturnType<typeof lastRestore>;
};

export type Scheduler = { readonly tick: () => void; readonly forget: (window: string) => void };

const reasonOf = ({ name, reason }: Window): string =>
  `window ${name}: ${reason}`.slice(0, REASON_CHARS_MAX);

/** Nobody is there to write them out; the number is that of the list all the same. */
const wordsOf = ({ kind, count }: Pick<BulkView, 'kind' | 'count'>): string =>
  `${kind.replaceAll('_', '-')} ${count}`;

/** What ran, on disk and in memory, and why others still wait. */
function createRecords({ database, audit, clock, log }: SchedulerOptions, store: MaintenanceStore) {
  let ran = new Set(store.windows.keys().map(runKey));
  let readAgain = 2 * ran.size + RAN_MIN;
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

  /** @returns whether it is on disk. */
  function transact(work: () => void): boolean {
    const done = database.transact(work);
    if (!done.ok) log.error('a maintenance window stands still', { reason: done.reason });
    return done.ok;
  }

  function put(runs: readonly Run[]): boolean {
    if (!transact(() => write(runs))) return false;
    for (const run of runs) {
      ran.add(runKey(run));
      waited.delete(runKey(run));
    }
    // On disk each window and store has few: what is not there any more is forgotten here, too.
    if (ran.size > readAgain) {
      ran = new Set(store.windows.keys().map(runKey));
      readAgain = 2 * ran.size + RAN_MIN;
    }
    return true;
  }

  return {
    put,
    has: (key: string): boolean => ran.has(key),
    wait: (due: Due, why: string): void => void waited.set(keyOf(due), why),
    whyOf: (due: Due): string => waited.get(keyOf(due)) ?? NOT_THERE,
    keep: (due: readonly Due[], rest: Pick<Run, 'state' | 'why'> & Partial<Run>): boolean => {
      const atMs = clock.wallMs();
      return put(
        due.map(
          ({ window, store: of, date }): Run => ({
            ...{ window: window.name, store: of, date, atMs },
            ...rest,
          }),
        ),
      );
    },
    /** They have not been: each is due again while it lasts. */
    takeBack: (runs: readonly Run[]): boolean => {
      const isDone = transact(() => {
        for (const run of runs) store.windows.drop(run);
      });
      if (isDone) for (const run of runs) ran.delete(runKey(run));
      return isDone;
    },
    forget: (window: string): void => {
      for (const key of ran) if (key.startsWith(`${window}\0`)) ran.delete(key);
      for (const key of waited.keys()) if (key.startsWith(`${window}\0`)) waited.delete(key);
    },
  };
}
type Records = ReturnType<typeof createRecords>;

/**
 * All stores of one window that are due until the same moment: one bulk action, which knows to spare half of each.
 * `unsure`: it was written down and could not be started.
 */
function createRestarts(
  { bulks, clock, terminalsOf }: SchedulerOptions,
  records: Records,
  unsure: () => void,
) {
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
    if (started.ok) return;
    if (started.kind === 'unavailable') unsure();
    else records.keep(due, { state: 'failed', why: started.reason, bulk });
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

/**
 * Between writing down and starting, the broker was killed: nothing was done, and the window is due again while it lasts.
 * Where a backup was taken at that moment, it was started afterwards, and is not done twice.
 * @returns whether that is settled.
 */
function settleUnstarted(
  { bulks, restored }: SchedulerOptions,
  records: Records,
  runs: readonly Run[],
): boolean {
  let isSettled = true;
  for (const [bulk, of] of Map.groupBy(runs, (run) => run.bulk)) {
    const [first] = of;
    if (bulk === undefined || first?.state !== 'started') continue;
    const view = bulks.get(bulk);
    if (view === undefined || view.startedMs !== undefined) continue;
    if (view.state === 'planned') {
      const stopped = bulks.abort(bulk, ITSELF, `window ${first.window}: it was never started`);
      if (!stopped.ok) isSettled = false;
      if (!stopped.ok) continue;
    }
    const isRestored = restored !== undefined && first.atMs < restored.restoredMs;
    const done = isRestored
      ? records.put(of.map((run) => ({ ...run, state: 'missed', why: RESTORED })))
      : records.takeBack(of);
    isSettled &&= done;
  }
  return isSettled;
}

export function createScheduler(
  options: SchedulerOptions,
  store: MaintenanceStore,
  desk: Pick<Desk, 'start'>,
  windows: () => readonly Window[],
): Scheduler {
  const records = createRecords(options, store);
  let isSettled = false;
  const restart = createRestarts(options, records, () => {
    isSettled = false;
  });
  const observe = createObserving(options, records, desk);
  const { restored } = options;
  /** What was done since the backup is not known; to observe twice does nothing twice. */
  const mayHaveRun = ({ window, beginMs, endMs }: Due): boolean =>
    restored !== undefined &&
    window.action !== 'observe' &&
    beginMs < restored.restoredMs &&
    endMs > restored.backupMs;

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
    for (const some of Map.groupBy(free, ({ endMs }) => endMs).values()) restart(window, some);
  }

  return {
    tick: () => {
      // Not when it is made: what a bulk action asks is not there yet.
      if (!isSettled) isSettled = settleUnstarted(options, records, store.windows.runs());
      const all = windows();
      if (all.length === 0 || !isSettled) return;
      const nowMs = options.clock.wallMs();
      const { due, missed } = dueWindows(all, options.stores(), records.has, nowMs);
      const [gone, open] = [due.filter(mayHaveRun), due.filter((one) => !mayHaveRun(one))];
      for (const [window, of] of Map.groupBy(open, (one) => one.window)) act(window, of);
      const whyOf = (one: Due) => (mayHaveRun(one) ? RESTORED : records.whyOf(one));
      const told = (one: Due) => `${one.window.name}\0${one.date}\0${whyOf(one)}`;
      for (const of of Map.groupBy([...gone, ...missed], told).values()) {
        const [first] = of;
        if (first !== undefined) records.keep(of, { state: 'missed', why: whyOf(first) });
      }
    },
    forget: records.forget,
  };
}
