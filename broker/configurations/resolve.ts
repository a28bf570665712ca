// Which document a terminal gets, pure: the most specific one (named terminals, then its store, a label, a region, all),
// and nothing is merged, so that what a till runs is one text that somebody has read. Two of the same rank for one
// terminal are no choice; they are refused when the second is applied, and if they come to be so later, because a label
// was set or a till moved, neither is taken.

import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Selector } from '../bulk/select.ts';

/** The most specific first. */
export const RANKS = ['terminals', 'store', 'label', 'region', 'all'] as const;
export type Rank = (typeof RANKS)[number];

export type Scope =
  | { readonly rank: 'terminals'; readonly terminals: readonly string[] }
  | { readonly rank: 'store' | 'label' | 'region'; readonly value: string }
  | { readonly rank: 'all' };

/** What is known of a terminal that scopes ask for. */
export type Place = {
  readonly id: string;
  readonly store: string;
  readonly region: string | undefined;
  readonly labels: readonly string[];
};

/** A version that is meant for a scope. */
export type Meant = {
  readonly name: string;
  readonly version: number;
  readonly sha256: string;
  readonly scope: Scope;
};
export type Resolved =
  | { readonly kind: 'none' }
  | { readonly kind: 'one'; readonly meant: Meant }
  /** Of one rank: somebody has to choose. */
  | { readonly kind: 'several'; readonly rank: Rank; readonly names: readonly string[] };

const ONE_OF = 'selector: a document is for terminals, a store, a label, a region or all';

export function scopeOf(selector: Selector): Result<Scope> {
  const { terminals, store, label, region, all, ...others } = selector;
  const unfit = Object.entries(others).filter(([, value]) => value !== undefined);
  if (unfit[0] !== undefined) {
    return fail(`${ONE_OF}, not for a ${unfit[0][0]}: that changes while it is rolled out`);
  }
  const said = { terminals, store, label, region, all: all === true ? true : undefined };
  const ranks = RANKS.filter((rank) => said[rank] !== undefined);
  const [rank] = ranks;
  if (rank === undefined) return fail(`${ONE_OF}: say which`);
  if (ranks.length > 1) return fail(`${ONE_OF}: say one of them, not ${ranks.join(' and ')}`);
  if (rank === 'all') return ok({ rank });
  if (rank === 'terminals') return ok({ rank, terminals: [...new Set(terminals)].toSorted() });
  return ok({ rank, value: String(said[rank]) });
}

/** `store berlin-mitte`, `all terminals`. */
export function scopeText(scope: Scope): string {
  if (scope.rank === 'all') return 'all terminals';
  if (scope.rank !== 'terminals') return `${scope.rank} ${scope.value}`;
  const { terminals } = scope;
  const [first = ''] = terminals;
  return terminals.length === 1 ? `terminal ${first}` : `${first} and ${terminals.length - 1} more`;
}

export function isIn(scope: Scope, place: Place): boolean {
  switch (scope.rank) {
    case 'all':
      return true;
    case 'terminals':
      return scope.terminals.includes(place.id);
    case 'store':
      return scope.value === place.store;
    case 'label':
      return place.labels.includes(scope.value);
    case 'region':
      return scope.value === place.region;
  }
}

/** Looks up where a linear search over all documents would be done for each of ten thousand terminals. */
export function createResolver(all: readonly Meant[]): (place: Place) => Resolved {
  const tables = new Map<string, Meant[]>();
  const add = (key: string, meant: Meant): void => {
    tables.set(key, [...(tables.get(key) ?? []), meant]);
  };
  for (const meant of all) {
    const { scope } = meant;
    if (scope.rank === 'all') add('all', meant);
    else if (scope.rank !== 'terminals') add(`${scope.rank} ${scope.value}`, meant);
    else for (const id of scope.terminals) add(`terminals ${id}`, meant);
  }
  const keysOf = ({ id, store, region, labels }: Place, rank: Rank): readonly string[] => {
    if (rank === 'all') return ['all'];
    if (rank === 'label') return labels.map((label) => `label ${label}`);
    const value = { terminals: id, store, region }[rank];
    return value === undefined ? [] : [`${rank} ${value}`];
  };
  return (place) => {
    if (tables.size === 0) return { kind: 'none' };
    for (const rank of RANKS) {
      const found = keysOf(place, rank).flatMap((key) => tables.get(key) ?? []);
      // One document under two labels of the same till is still one.
      const names = [...new Set(found.map(({ name }) => name))].toSorted();
      const [meant] = found;
      if (meant === undefined) continue;
      return names.length === 1 ? { kind: 'one', meant } : { kind: 'several', rank, names };
    }
    return { kind: 'none' };
  };
}

/** @returns why one cannot stand beside another of its rank; `places` are those that there are now. */
export function conflictOf(
  wanted: Pick<Meant, 'name' | 'scope'>,
  others: readonly Pick<Meant, 'name' | 'scope'>[],
  places: readonly Place[],
): string | undefined {
  const { scope, name } = wanted;
  for (const other of others) {
    if (other.name === name || other.scope.rank !== scope.rank) continue;
    const same = sharedBy(scope, other.scope, places);
    if (same === undefined) continue;
    const both = `"${name}" and "${other.name}" would both be for ${same}`;
    return `${both}, by ${scope.rank}: make one of them more specific`;
  }
  return undefined;
}

function sharedBy(one: Scope, other: Scope, places: readonly Place[]): string | undefined {
  if (one.rank === 'all') return 'all terminals';
  if (one.rank === 'terminals' && other.rank === 'terminals') {
    const both = one.terminals.find((id) => other.terminals.includes(id));
    return both === undefined ? undefined : both;
  }
  if (one.rank !== 'terminals' && JSON.stringify(one) === JSON.stringify(other)) {
    return scopeText(one);
  }
  return places.find((place) => isIn(one, place) && isIn(other, place))?.id;
}
