// Recurring windows as people add, read and remove them: what each is, which stores it means now, when it begins next and
// what it did last. What it does is the scheduler's.

import { isId } from '../../protocol/ids.ts';
import { MAINTENANCE_MS_MAX } from '../../protocol/limits.ts';
import type { Audit } from '../audit.ts';
import type { Clock } from '../clock.ts';
import type { Actor } from '../commands/commands.ts';
import { wrongReason } from '../commands/request.ts';
import { type Refusal, refuse } from '../commands/view.ts';
import type { Database } from '../fleet/database.ts';
import type { MaintenanceStore } from './store.ts';
import {
  ACTIONS,
  type Action,
  atText,
  means,
  nextOf,
  type Run,
  readAt,
  WINDOW_MS_MIN,
  WINDOWS_MAX,
  type Window,
  type WindowStore,
  type WindowStores,
} from './windows.ts';

/** Of what it did, in the list. */
const RUNS_SHOWN_MAX = 20;
const NAMED_MAX = 5;
const UNAVAILABLE = 'it could not be written down; the log of the broker says why';

export type WindowWish = {
  readonly name: string;
  readonly where: WindowStores;
  /** As in "sun 03:00". */
  readonly at: string;
  readonly forMs: number;
  readonly action: Action;
  readonly reason: string;
  readonly actor: Actor;
};
export type WindowView = Omit<Window, 'days' | 'atMin'> & {
  readonly at: string;
  /** Stores that it means now, and the first few of which nobody knows the time zone. */
  readonly stores: number;
  readonly withoutZone: readonly string[];
  /** Where it begins first. */
  readonly next: { readonly atMs: number; readonly zone: string } | undefined;
  /** The newest first. */
  readonly runs: readonly Run[];
};
export type WindowAnswer = { readonly ok: true; readonly window: WindowView } | Refusal;

export type CalendarOptions = {
  readonly database: Database;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly stores: () => readonly WindowStore[];
  /** Whether there is such a store at all. */
  readonly isStore: (id: string) => boolean;
};

export type Calendar = {
  readonly all: () => readonly Window[];
  readonly list: () => readonly WindowView[];
  readonly add: (wish: WindowWish) => WindowAnswer;
  readonly remove: (name: string, actor: Actor, reason: string) => WindowAnswer;
};

/** @returns what is wrong with it, but for when it begins. */
function wrongWindow(wish: WindowWish, isStore: (id: string) => boolean): string | undefined {
  const { name, where, forMs, action, reason } = wish;
  if (!isId(name)) return `name: "${name.slice(0, 40)}" is none: 1 to 32 of a-z, 0-9 and "-"`;
  const { stores, region, label, all } = where;
  const said = [stores, region, label, all === true ? true : undefined];
  if (said.filter((one) => one !== undefined).length !== 1) {
    return 'where: say which stores by one of stores, region, label or all';
  }
  const stranger = stores?.find((id) => !isStore(id));
  if (stranger !== undefined) return `where: there is no store "${stranger.slice(0, 40)}"`;
  if (stores?.length === 0) return 'where: name at least one store';
  if (!ACTIONS.includes(action)) return `do: one of ${ACTIONS.join(', ')}`;
  if (!(forMs >= WINDOW_MS_MIN && forMs <= MAINTENANCE_MS_MAX)) {
    return `forMs: a window lasts from 1 minute to ${MAINTENANCE_MS_MAX / 3_600_000} hours`;
  }
  return wrongReason(reason);
}

export function openCalendar(
  options: CalendarOptions,
  store: MaintenanceStore,
  forget: (window: string) => void,
): Calendar {
  const { database, audit, clock, isStore } = options;
  let windows = store.windows.all();

  function viewOf(window: Window, stores: readonly WindowStore[]): WindowView {
    const { days, atMin, ...rest } = window;
    const meant = stores.filter((one) => means(window.where, one));
    const zones = [...new Set(meant.flatMap(({ zone }) => zone ?? []))];
    const [next] = zones
      .flatMap((zone) => {
        const atMs = nextOf(window, zone, clock.wallMs());
        return atMs === undefined ? [] : [{ atMs, zone }];
      })
      .sort((a, b) => a.atMs - b.atMs);
    return {
      ...{ ...rest, at: atText({ days, atMin }), stores: meant.length, next },
      withoutZone: meant
        .filter(({ zone }) => zone === undefined)
        .map(({ id }) => id)
        .slice(0, NAMED_MAX),
      runs: store.windows.newest(window.name, RUNS_SHOWN_MAX),
    };
  }

  function add(wish: WindowWish): WindowAnswer {
    const wrong = wrongWindow(wish, isStore);
    if (wrong !== undefined) return refuse('invalid', wrong);
    const at = readAt(wish.at);
    if (!at.ok) return refuse('invalid', at.reason);
    const { name, where, forMs, action, actor } = wish;
    if (windows.some((one) => one.name === name)) {
      return refuse('conflict', `there is a window ${name} already: remove it first`);
    }
    if (windows.length >= WINDOWS_MAX) return refuse('too_many', `at most ${WINDOWS_MAX} windows`);
    const own = { by: actor.name, reason: wish.reason.trim(), addedMs: clock.wallMs() };
    const window: Window = { name, where, ...at.value, forMs, action, ...own };
    const done = database.transact(() => {
      store.windows.add(window);
      const detail = { where, at: atText(window), forMs, action };
      const said = { operator: actor.name, action: 'maintenance.window.add', subject: name };
      audit.write({ ...said, reason: own.reason, outcome: 'ok', detail });
    });
    if (!done.ok) return refuse('unavailable', UNAVAILABLE);
    windows = [...windows, window];
    return { ok: true, window: viewOf(window, options.stores()) };
  }

  function remove(name: string, actor: Actor, given: string): WindowAnswer {
    const unclear = wrongReason(given);
    if (unclear !== undefined) return refuse('invalid', unclear);
    const window = windows.find((one) => one.name === name);
    if (window === undefined) return refuse('unknown_terminal', `there is no window ${name}`);
    const view = viewOf(window, options.stores());
    const done = database.transact(() => {
      store.windows.remove(name);
      const said = { operator: actor.name, action: 'maintenance.window.remove', subject: name };
      audit.write({ ...said, reason: given.trim(), outcome: 'ok', detail: { at: view.at } });
    });
    if (!done.ok) return refuse('unavailable', UNAVAILABLE);
    windows = windows.filter((one) => one !== window);
    forget(name);
    return { ok: true, window: view };
  }

  return {
    all: () => windows,
    list: () => {
      const stores = options.stores();
      return windows.map((one) => viewOf(one, stores));
    },
    add,
    remove,
  };
}
