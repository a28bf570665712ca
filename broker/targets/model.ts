// Which version of a component a terminal should run. A target names terminals by one thing only (this terminal, this store,
// a label, a region, everywhere), and of those that mean a terminal the most specific one wins; the order is fixed, so
// that nobody has to know who was first. Two labels can mean one terminal: that is refused when the second is set, and
// where labels change afterwards the newer one wins and the list says so. Pure, from targets and places to an answer.

import { own, type TerminalModel } from '../fleet/model.ts';
import { AGENT } from '../fleet/rollup.ts';

/** The most specific first. */
export const RANKS = ['terminal', 'store', 'label', 'region', 'all'] as const;
export type Rank = (typeof RANKS)[number];
/** `candidate`: what is tried; `control`: what it is compared with. */
export const TARGET_ROLES = ['candidate', 'control'] as const;
export type TargetRole = (typeof TARGET_ROLES)[number];

export type Target = {
  readonly component: string;
  readonly version: string;
  readonly role: TargetRole;
  readonly rank: Rank;
  /** Id of the terminal or store, the label, the region; empty for `all`. */
  readonly value: string;
  readonly by: string;
  readonly reason: string;
  readonly setMs: number;
};

/** Where a terminal stands, as far as targets ask. */
export type Place = {
  readonly terminal: string;
  readonly store: string;
  readonly region: string | undefined;
  readonly labels: readonly string[];
};

/** What is set once: a second one of the same key replaces it. */
export const keyOf = ({ component, rank, value }: Pick<Target, 'component' | 'rank' | 'value'>) =>
  `${component}\0${rank}\0${value}`;

/** As people write it. */
export const whoOf = ({ rank, value }: Pick<Target, 'rank' | 'value'>): string =>
  rank === 'all' ? 'the whole fleet' : `${rank} ${value}`;

const newestFirst = (a: Target, b: Target): number =>
  b.setMs - a.setMs || (a.value < b.value ? -1 : 1);

export type Resolved = {
  readonly target: Target;
  /** Others of the same rank that mean it as well, and lost. */
  readonly rivals: readonly Target[];
};

/** @returns what one component of a terminal should run. */
export type Resolve = (place: Place) => readonly Resolved[];

const valuesOf: Readonly<Record<Rank, (place: Place) => readonly string[]>> = {
  terminal: ({ terminal }) => [terminal],
  store: ({ store }) => [store],
  label: ({ labels }) => labels,
  region: ({ region }) => (region === undefined ? [] : [region]),
  all: () => [''],
};

/** Made once for each change of the targets: a terminal costs a few look-ups then. */
export function createResolve(targets: readonly Target[]): Resolve {
  const byKey = new Map(targets.map((target) => [keyOf(target), target]));
  const components = [...new Set(targets.map(({ component }) => component))].sort();
  const ranks = RANKS.filter((rank) => targets.some((target) => target.rank === rank));
  const find = (component: string, place: Place): Resolved | undefined => {
    for (const rank of ranks) {
      const found = valuesOf[rank](place)
        .map((value) => byKey.get(keyOf({ component, rank, value })))
        .filter((target) => target !== undefined)
        .sort(newestFirst);
      const [target, ...rivals] = found;
      if (target !== undefined) return { target, rivals };
    }
    return undefined;
  };
  return (place) =>
    components.map((component) => find(component, place)).filter((one) => one !== undefined);
}

const agrees = (a: Target, b: Target): boolean => a.version === b.version && a.role === b.role;

export type Conflict = {
  readonly target: Target;
  readonly terminal: string;
  readonly more: number;
};

/** @returns who of the same rank already says something else of a terminal that the new one means. */
export function conflictOf(
  targets: readonly Target[],
  wish: Target,
  places: readonly Place[],
): Conflict | undefined {
  const rivals = targets.filter(
    (other) =>
      other.component === wish.component &&
      other.rank === wish.rank &&
      other.value !== wish.value &&
      !agrees(other, wish),
  );
  if (rivals.length === 0) return undefined;
  const of = valuesOf[wish.rank];
  const meant = places.filter((place) => of(place).includes(wish.value));
  for (const target of rivals) {
    const both = meant.filter((place) => of(place).includes(target.value));
    const [first] = both;
    if (first !== undefined) return { target, terminal: first.terminal, more: both.length - 1 };
  }
  return undefined;
}

/** What runs there; undefined: no such component, or nobody said. */
export function runningOf(model: TerminalModel, component: string): string | undefined {
  if (component === AGENT) return model.agent.version || undefined;
  const found = own(model.components, component);
  return found?.listed === true && found.version !== '' ? found.version : undefined;
}

/** Nobody knows what a terminal does that is not heard of. */
export const isSilent = ({ presence }: Pick<TerminalModel, 'presence'>): boolean =>
  presence === 'lost' || presence === 'never';
