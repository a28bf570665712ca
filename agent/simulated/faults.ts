// When what goes wrong where: one endless row of faults for each terminal, each store and each version in
// use, drawn ahead from the table of kinds.ts. Pure: a source and its next fault follow from the source
// alone, so that a year can be counted in a test in which no time passes. Correlation matters more than
// rate (research/pos.md section 7): what a store or a version shares comes to all of it at once, and
// lemons have most of the hardware faults, while the rate over the whole fleet stays the table's.

import { type Character, COMPONENTS, type ComponentName, LEMON_SHARE } from './character.ts';
import { choose, type Dice, diceFrom, logBetween, seedFor, untilNext } from './dice.ts';
import { FAULTS, type FaultKind, VERSION_WIDE } from './kinds.ts';

export const YEAR_MS = 365 * 86_400_000;
/** Of the kinds that a version can share; with the table's rates a tenth of all incidents. */
export const VERSION_SHARE = 0.3;
/** A tenth of the terminals has seven tenths of the hardware faults (H6). */
const LEMON_FACTOR = 7;
const SOUND_FACTOR = (1 - LEMON_SHARE * LEMON_FACTOR) / (1 - LEMON_SHARE);

export type Scope = 'terminal' | 'store' | 'version';

export type Fault = {
  readonly kind: FaultKind;
  readonly scope: Scope;
  /** Terminal id, store, or `component version`. */
  readonly target: string;
  /** Which process it concerns, where it concerns one. */
  readonly component: ComponentName;
  readonly durationMs: number;
};

type Chance = {
  readonly kind: FaultKind;
  readonly component: ComponentName;
  /** How often a year. */
  readonly weight: number;
};

export type Source = {
  readonly scope: Scope;
  readonly target: string;
  readonly chances: readonly Chance[];
  readonly perMs: number;
  readonly random: number;
  /** When the next one comes, in milliseconds of the simulation. */
  readonly atMs: number;
};

/** The processes that a kind can strike; data is sync's business, a stall that of hardware. */
function victims({ id, effect }: FaultKind): readonly ComponentName[] {
  if (effect === 'crash' || effect === 'hang' || effect === 'exhausted') return COMPONENTS;
  if (effect === 'crash_loop' || effect === 'tender' || effect === 'logs') return ['sale'];
  return id.startsWith('D') ? ['sync'] : ['hardware'];
}

/** All chances of one kind, evenly over the processes that it may strike. */
function chancesOf(kind: FaultKind, factor: number): Chance[] {
  const struck = victims(kind);
  const weight = (kind.perYear * factor) / struck.length;
  return struck.map((component) => ({ kind, component, weight }));
}

function ownChances({ lemon }: Character): Chance[] {
  return FAULTS.filter(({ per }) => per === 'terminal').flatMap((kind) => {
    if (VERSION_WIDE.has(kind.id)) return chancesOf(kind, 1 - VERSION_SHARE);
    if (kind.nature !== 'hardware') return chancesOf(kind, 1);
    return chancesOf(kind, lemon ? LEMON_FACTOR : SOUND_FACTOR);
  });
}

const storeChances: readonly Chance[] = FAULTS.filter(({ per }) => per === 'store').flatMap(
  (kind) => chancesOf(kind, 1),
);

const versionChances = (component: ComponentName): Chance[] =>
  FAULTS.filter(({ id }) => VERSION_WIDE.has(id))
    .flatMap((kind) => chancesOf(kind, VERSION_SHARE))
    .filter((chance) => chance.component === component);

function later(source: Source, dice: Dice): Source {
  const atMs = source.atMs + untilNext(dice, source.perMs);
  return { ...source, atMs, random: dice.seed() };
}

/** Every source of a fleet's faults, each with the time of its first. `rate` multiplies all of them. */
export function sourcesOf(fleet: readonly Character[], seed: number, rate: number): Source[] {
  const made = (scope: Scope, target: string, chances: readonly Chance[]): Source => {
    const perYear = chances.reduce((sum, { weight }) => sum + weight, 0);
    const random = seedFor(seed, `faults ${scope} ${target}`);
    const perMs = (perYear * rate) / YEAR_MS;
    return later({ scope, target, chances, perMs, random, atMs: 0 }, diceFrom(random));
  };
  const stores = new Set(fleet.map(({ store }) => store));
  const versions = COMPONENTS.flatMap((component) => {
    const used = new Set(fleet.map((who) => who.versions[component]));
    return [...used].map((version) => ({ component, version }));
  });
  return [
    ...fleet.map((who) => made('terminal', who.id, ownChances(who))),
    ...[...stores].map((store) => made('store', store, storeChances)),
    ...versions.map(({ component, version }) =>
      made('version', `${component} ${version}`, versionChances(component)),
    ),
  ];
}

/** The fault that is due at `source.atMs`, and the source with the time of the one after it. */
export function nextFault(source: Source): { readonly fault: Fault; readonly source: Source } {
  const dice = diceFrom(source.random);
  const [first, ...others] = source.chances;
  if (first === undefined) throw new Error(`nothing can happen to ${source.target}`);
  const { kind, component } = choose(dice, [first, ...others]);
  const [min, max] = kind.seconds;
  const durationMs = min === max ? min * 1_000 : Math.round(logBetween(dice, min, max) * 1_000);
  const { scope, target } = source;
  return { fault: { kind, scope, target, component, durationMs }, source: later(source, dice) };
}

export const strikes = ({ scope, target, component }: Fault, who: Character): boolean => {
  if (scope === 'terminal') return who.id === target;
  if (scope === 'store') return who.store === target;
  return `${component} ${who.versions[component]}` === target;
};
