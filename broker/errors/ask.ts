// Answers which kinds of errors there were: new ones first, then those that grow, then the most frequent. Rows of hours
// are added up here and not in SQL, because which terminals it were is the union of their runs of bytes. Hours are
// whole: the first one of a window counts with all of it. Pure over the rows it is given.

import { createUnion, type Union } from './members.ts';
import { HOUR_MS } from './room.ts';
import type { ErrorStore, HourRow, KindRow } from './store.ts';

export type ErrorQuery = {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly version?: string | undefined;
  readonly store?: string | undefined;
  readonly component?: string | undefined;
  readonly terminal?: string | undefined;
  readonly level?: 'error' | 'warn' | undefined;
  readonly limit: number;
};

export type ErrorView = {
  readonly signature: string;
  readonly component: string;
  readonly level: 'error' | 'warn';
  readonly pattern: string;
  readonly sample: string;
  /** Whose the sample is: where to ask for the lines. */
  readonly terminal: string;
  readonly count: number;
  readonly terminals: number;
  readonly stores: number;
  readonly versions: readonly {
    readonly version: string;
    readonly count: number;
    readonly terminals: number;
  }[];
  readonly firstMs: number;
  readonly lastMs: number;
  /** First seen in the fleet within the window. */
  readonly isNew: boolean;
  /** Counts of the newer half of the window for each one of the older; 1 where a window has no halves. */
  readonly growth: number;
};

export type ErrorAnswer = {
  readonly errors: readonly ErrorView[];
  /** Records of kinds that terminals did not tell apart. */
  readonly overBound: number;
  /** Kinds that matched, shown or not. */
  readonly total: number;
};

/** It grows when the newer half has so many times the older, and that is no chance. */
export const GROWING = 2;
const GROWING_COUNT_MIN = 10;

type Sum = {
  count: number;
  newer: number;
  lastMs: number;
  terminals: Union | undefined;
  /** Undefined: not asked of the fleet. */
  readonly versions: Map<string, { count: number; terminals: Union | undefined }>;
};

/** In which a terminal's number stands for its name and store. */
export type People = {
  readonly names: readonly (string | undefined)[];
  readonly storeOf: (terminal: string) => string;
};

function growthOf({ count, newer }: Sum, hours: number): number {
  if (hours < 2) return 1;
  const older = count - newer;
  return Math.round((newer / Math.max(1, older)) * 100) / 100;
}

export const isGrowing = ({ growth, count }: Pick<ErrorView, 'growth' | 'count'>): boolean =>
  growth >= GROWING && count >= GROWING_COUNT_MIN;

/** What comes first is what somebody who was woken wants to see first. */
const byUrgency = (one: ErrorView, other: ErrorView): number =>
  Number(other.isNew) - Number(one.isNew) ||
  Number(isGrowing(other)) - Number(isGrowing(one)) ||
  other.count - one.count ||
  one.signature.localeCompare(other.signature);

/** Adds up rows of a window. */
export function createSums(fromHour: number, toHour: number, terminalsMax: number) {
  const sums = new Map<number, Sum>();
  const hours = toHour - fromHour + 1;
  // Of an odd number of hours the one in the middle is older.
  const middle = fromHour + Math.ceil(hours / 2);
  const union = (before: Union | undefined, members: Uint8Array): Union => {
    const all = before ?? createUnion(terminalsMax);
    all.add(members);
    return all;
  };
  return {
    hours,
    sums,
    add: ({ kind, version, count, hour, lastMs }: HourRow): void => {
      let sum = sums.get(kind);
      if (sum === undefined) {
        sum = { count: 0, newer: 0, lastMs: 0, terminals: undefined, versions: new Map() };
        sums.set(kind, sum);
      }
      sum.count += count;
      sum.lastMs = Math.max(sum.lastMs, lastMs);
      if (hour >= middle) sum.newer += count;
      const known = sum.versions.get(version);
      if (known === undefined) sum.versions.set(version, { count, terminals: undefined });
      else known.count += count;
    },
    /** Whose they were, of what was added. */
    addTerminals: ({ kind, version, terminals }: HourRow): void => {
      const sum = sums.get(kind);
      const known = sum?.versions.get(version);
      if (sum === undefined || known === undefined || terminals === undefined) return;
      sum.terminals = union(sum.terminals, terminals);
      known.terminals = union(known.terminals, terminals);
    },
  };
}

type Whose = { readonly terminals: number; readonly stores: number };

/** @param wanted only of this store; of all where it is not said. */
function whose(union: Union | undefined, people: People, wanted: string | undefined): Whose {
  const stores = new Set<string>();
  let terminals = 0;
  union?.each((number) => {
    const name = people.names[number];
    if (name === undefined) return;
    const store = people.storeOf(name);
    if (wanted !== undefined && store !== wanted) return;
    terminals += 1;
    stores.add(store);
  });
  return { terminals, stores: stores.size };
}

function viewOf(kind: KindRow, sum: Sum, hours: number, query: ErrorQuery, people: People) {
  const { id: _, lastMs: __, ...words } = kind;
  const versions = [...sum.versions]
    .map(([version, { count, terminals }]) => ({
      ...{ version, count },
      terminals: whose(terminals, people, query.store).terminals,
    }))
    .sort((one, other) => other.count - one.count);
  return {
    ...words,
    ...whose(sum.terminals, people, query.store),
    ...{ count: sum.count, versions, lastMs: sum.lastMs },
    isNew: kind.firstMs >= query.sinceMs,
    growth: growthOf(sum, hours),
  };
}

const matches = ({ component, level }: KindRow, query: ErrorQuery): boolean =>
  (query.component === undefined || query.component === component) &&
  (query.level === undefined || query.level === level);

/** @param sums of what happened in the window. @param kindOf undefined: it was deleted meanwhile. */
export function answerOf(
  { sums, hours }: Pick<ReturnType<typeof createSums>, 'sums' | 'hours'>,
  query: ErrorQuery,
  kindOf: (id: number) => KindRow | undefined,
  people: People,
): ErrorAnswer {
  let overBound = 0;
  const found: ErrorView[] = [];
  for (const [id, sum] of sums) {
    const kind = kindOf(id);
    if (kind === undefined || !matches(kind, query)) continue;
    if (kind.signature === '') overBound += sum.count;
    else found.push(viewOf(kind, sum, hours, query, people));
  }
  const errors = found.sort(byUrgency).slice(0, query.limit);
  return { errors, overBound, total: found.length };
}

/** Of the fleet or of one store; for one terminal its own events are asked (errors.ts). */
export function askHours(
  store: Pick<ErrorStore, 'hours' | 'storeHours' | 'kind' | 'terminalNames'>,
  query: ErrorQuery,
  people: People,
): ErrorAnswer {
  const from = Math.floor(query.sinceMs / HOUR_MS);
  const to = Math.floor(query.untilMs / HOUR_MS);
  const { version } = query;
  const all = createSums(from, to, people.names.length);
  const isWanted = (row: HourRow): boolean => version === undefined || row.version === version;
  if (query.store !== undefined) {
    for (let hour = from; hour <= to; hour += 1) {
      for (const row of store.storeHours(query.store, hour)) if (isWanted(row)) all.add(row);
    }
  }
  for (const row of store.hours(from, to)) {
    if (!isWanted(row)) continue;
    if (query.store === undefined) all.add(row);
    // Which terminals they were is written for the whole fleet.
    all.addTerminals(row);
  }
  return answerOf(all, query, store.kind, people);
}
