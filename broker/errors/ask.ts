// Answers which kinds of errors there were: new ones first, then those that grow, then the most frequent. Rows of hours
// are added up here and not in SQL, because which terminals it were is the union of their runs of bytes. Hours are
// whole: the first one of a window counts with all of it. Pure over the rows it is given.

import { createUnion, type Union } from './members.ts';
import { HOUR_MS } from './room.ts';
import type { ErrorStore, HourRow, KindHead, KindRow } from './store.ts';

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
        sum = { count: 0, newer: 0, lastMs: 0, versions: new Map() };
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
      const known = sums.get(kind)?.versions.get(version);
      if (known === undefined || terminals === undefined) return;
      known.terminals = union(known.terminals, terminals);
    },
  };
}

type Ranked = { readonly head: KindHead; readonly sum: Sum; readonly isNew: boolean };

/** What comes first is what somebody who was woken wants to see first. */
const byUrgency = (hours: number) => (one: Ranked, other: Ranked) => {
  const grows = ({ sum }: Ranked): number =>
    Number(isGrowing({ growth: growthOf(sum, hours), count: sum.count }));
  return (
    Number(other.isNew) - Number(one.isNew) ||
    grows(other) - grows(one) ||
    other.sum.count - one.sum.count ||
    one.head.id - other.head.id
  );
};

/** Stores of terminals by number: asked once, because a kind may be on all of them. */
function createPlaces({ names, storeOf }: People, wanted: string | undefined) {
  const numbers = new Map<string, number>();
  /** 0: nobody, or not of the store that is wanted. */
  const places = new Uint32Array(names.length);
  for (const [number, name] of names.entries()) {
    const store = name === undefined ? undefined : storeOf(name);
    if (store === undefined || (wanted !== undefined && store !== wanted)) continue;
    const place = numbers.get(store) ?? numbers.size + 1;
    numbers.set(store, place);
    places[number] = place;
  }
  let round = 0;
  const seen = new Uint32Array(numbers.size + 1);
  return (union: Union | undefined): { readonly terminals: number; readonly stores: number } => {
    round += 1;
    let terminals = 0;
    let stores = 0;
    union?.each((number) => {
      const place = places[number] ?? 0;
      if (place === 0) return;
      terminals += 1;
      if (seen[place] === round) return;
      seen[place] = round;
      stores += 1;
    });
    return { terminals, stores };
  };
}

function viewOf(
  { sum, isNew }: Ranked,
  kind: KindRow,
  hours: number,
  whose: ReturnType<typeof createPlaces>,
  terminalsMax: number,
): ErrorView {
  const { id: _, lastMs: __, ...words } = kind;
  const all = createUnion(terminalsMax);
  const versions = [...sum.versions].map(([version, { count, terminals }]) => {
    if (terminals !== undefined) all.addAll(terminals);
    return { version, count, terminals: whose(terminals).terminals };
  });
  return {
    ...words,
    ...whose(all),
    ...{ count: sum.count, lastMs: sum.lastMs, isNew, growth: growthOf(sum, hours) },
    versions: versions.sort((one, other) => other.count - one.count),
  };
}

const matches = ({ component, level }: KindHead, query: ErrorQuery): boolean =>
  (query.component === undefined || query.component === component) &&
  (query.level === undefined || query.level === level);

/** @param sums of what happened in the window. */
export function answerOf(
  { sums, hours }: Pick<ReturnType<typeof createSums>, 'sums' | 'hours'>,
  query: ErrorQuery,
  store: Pick<ErrorStore, 'heads' | 'kind'>,
  people: People,
): ErrorAnswer {
  let overBound = 0;
  const found: Ranked[] = [];
  for (const head of store.heads()) {
    const sum = sums.get(head.id);
    if (sum === undefined || !matches(head, query)) continue;
    if (head.signature === '') overBound += sum.count;
    else found.push({ head, sum, isNew: head.firstMs >= query.sinceMs });
  }
  const shown = found.sort(byUrgency(hours)).slice(0, query.limit);
  const whose = createPlaces(people, query.store);
  const errors = shown.flatMap((ranked) => {
    const kind = store.kind(ranked.head.id);
    return kind === undefined ? [] : [viewOf(ranked, kind, hours, whose, people.names.length)];
  });
  return { errors, overBound, total: found.length };
}

/**
 * Of the fleet or of one store; for one terminal its own events are asked (errors.ts). A day of five thousand kinds is a
 * hundred thousand rows, a third of a second: it stops at each page of rows, so that others may have the loop.
 */
export function* askHours(
  store: Pick<ErrorStore, 'hours' | 'storeHours' | 'heads' | 'kind'>,
  query: ErrorQuery,
  people: People,
): Generator<undefined, ErrorAnswer> {
  const from = Math.floor(query.sinceMs / HOUR_MS);
  const to = Math.floor(query.untilMs / HOUR_MS);
  const { version } = query;
  const all = createSums(from, to, people.names.length);
  const isWanted = (row: HourRow): boolean => version === undefined || row.version === version;
  if (query.store !== undefined) {
    for (let hour = from; hour <= to; hour += 1) {
      const rows = store.storeHours(query.store, hour);
      for (const row of rows) if (isWanted(row)) all.add(row);
      if (rows.length > 0) yield;
    }
  }
  for (const rows of store.hours(from, to)) {
    for (const row of rows) {
      if (!isWanted(row)) continue;
      if (query.store === undefined) all.add(row);
      // Which terminals they were is written for the whole fleet.
      all.addTerminals(row);
    }
    yield;
  }
  return answerOf(all, query, store, people);
}
