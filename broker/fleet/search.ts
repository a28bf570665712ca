// Terminals by what somebody looks for, page by page. Filters and order work on the records in memory and
// only what is on the page is made into views, so that ten thousand terminals cost milliseconds. A cursor
// holds the place (the sort key and the id of the last terminal) and not a number of rows: terminals that
// come and go in front of it move nobody onto another page.

import { fail, ok, type Result } from '../../protocol/result.ts';
import { type Describe, UNDESCRIBED } from './describe.ts';
import { own, type TerminalModel } from './model.ts';
import type { Presence } from './presence.ts';
import { AGENT } from './rollup.ts';
import { restartCounts, type TerminalView } from './view.ts';

export const SORT_KEYS = ['id', 'store', 'presence', 'lastSeen', 'restarts'] as const;
export type SortKey = (typeof SORT_KEYS)[number];
/** With a minus in front: the highest first. */
export type Sort = SortKey | `-${SortKey}`;

/** In the order in which somebody is needed. */
const PRESENCE_RANK: Record<Presence, number> = { lost: 0, late: 1, never: 2, online: 3 };
/** Longer ones were not made here. */
export const CURSOR_CHARS_MAX = 512;

export type TerminalQuery = {
  readonly store?: string | undefined;
  /** Of its store. */
  readonly region?: string | undefined;
  /** It or its store carries this one. */
  readonly label?: string | undefined;
  readonly presence?: Presence | undefined;
  /** Runs this version of this component, or of the agent under the name "agent". */
  readonly version?: { readonly component: string; readonly version: string } | undefined;
  /** Has a component in this state. */
  readonly state?: string | undefined;
  /** A part of the id or the store, small or capital. */
  readonly search?: string | undefined;
  readonly sort: Sort;
  readonly limit: number;
  readonly cursor?: string | undefined;
};

export type TerminalPage = {
  readonly terminals: readonly TerminalView[];
  /** How many fit, on all pages. */
  readonly total: number;
  readonly next: string | null;
};

/** Where a terminal stands in the order asked for. */
type Place = { readonly key: string | number; readonly id: string };
type Found = Place & { readonly model: TerminalModel };

const encodeCursor = (sort: Sort, { key, id }: Place): string =>
  Buffer.from(JSON.stringify([sort, key, id])).toString('base64url');

const NO_CURSOR =
  'cursor: this is not one that this broker gave: take it from "next" of the page before';

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function decodeCursor(text: string, sort: Sort): Result<Place> {
  if (text.length > CURSOR_CHARS_MAX) return fail(NO_CURSOR);
  const parts = parse(Buffer.from(text, 'base64url').toString('utf8'));
  if (!Array.isArray(parts) || parts.length !== 3) return fail(NO_CURSOR);
  const [by, key, id] = parts as readonly unknown[];
  if (typeof id !== 'string' || typeof by !== 'string') return fail(NO_CURSOR);
  if (by !== sort) return fail('cursor: it is of another order; ask with the same "sort" again');
  const isText = sort.endsWith('id') || sort.endsWith('store');
  if (isText ? typeof key !== 'string' : !Number.isFinite(key)) return fail(NO_CURSOR);
  return ok({ key: key as string | number, id });
}

const order = (a: string | number, b: string | number): number => (a < b ? -1 : a > b ? 1 : 0);

/** Ties by id upwards, whichever way the key goes: an order without ties is what paging needs. */
const comparer =
  (sort: Sort) =>
  (a: Place, b: Place): number =>
    (sort.startsWith('-') ? order(b.key, a.key) : order(a.key, b.key)) || order(a.id, b.id);

function runs(
  model: TerminalModel,
  { component, version }: { component: string; version: string },
) {
  if (component === AGENT && model.agent.version === version) return true;
  const found = own(model.components, component);
  return found?.listed === true && found.version === version;
}

function fits(model: TerminalModel, query: TerminalQuery, describe: Describe): boolean {
  const { store, state, version, search, region, label } = query;
  if (store !== undefined && model.store !== store) return false;
  if (region !== undefined && describe.region(model.id, model) !== region) return false;
  if (label !== undefined && !describe.labels(model.id, model).includes(label)) return false;
  if (query.presence !== undefined && model.presence !== query.presence) return false;
  if (version !== undefined && !runs(model, version)) return false;
  if (state !== undefined) {
    const has = Object.values(model.components).some((one) => one.listed && one.state === state);
    if (!has) return false;
  }
  // Ids and stores are written small [protocol/ids.ts].
  const part = search?.toLowerCase();
  return part === undefined || model.id.includes(part) || model.store.includes(part);
}

/** Of components that are listed, as the view shows them. */
const restartsOf = (model: TerminalModel): number =>
  restartCounts(model)
    .filter(({ component }) => model.components[component]?.listed)
    .reduce((sum, { count }) => sum + count, 0);

/** @param show makes a view of what is on the page. @returns a function that finds; it counts a record's restarts once, as records never change. */
export function createSearch(
  show: (model: TerminalModel) => TerminalView,
  describe: () => Describe = () => UNDESCRIBED,
) {
  const restarts = new WeakMap<TerminalModel, number>();
  const restartsOnce = (model: TerminalModel): number => {
    const count = restarts.get(model) ?? restartsOf(model);
    restarts.set(model, count);
    return count;
  };
  const keyOf: Record<SortKey, (model: TerminalModel) => string | number> = {
    id: ({ id }) => id,
    store: ({ store }) => store,
    presence: ({ presence }) => PRESENCE_RANK[presence],
    lastSeen: ({ lastSeenMs }) => lastSeenMs ?? -1,
    restarts: restartsOnce,
  };
  return (models: readonly TerminalModel[], query: TerminalQuery): Result<TerminalPage> => {
    const { sort, limit } = query;
    const from = query.cursor === undefined ? undefined : decodeCursor(query.cursor, sort);
    if (from?.ok === false) return from;
    const key = keyOf[sort.replace(/^-/, '') as SortKey];
    const compare = comparer(sort);
    const found: Found[] = [];
    const described = describe();
    let total = 0;
    for (const model of models) {
      if (!fits(model, query, described)) continue;
      total += 1;
      const one = { key: key(model), id: model.id, model };
      if (from === undefined || compare(one, from.value) > 0) found.push(one);
    }
    const page = found.sort(compare).slice(0, limit);
    const last = page.at(-1);
    const isLast = last === undefined || found.length <= page.length;
    return ok({
      terminals: page.map(({ model }) => show(model)),
      total,
      next: isLast ? null : encodeCursor(sort, last),
    });
  };
}
