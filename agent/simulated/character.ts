// What makes one simulated terminal differ from the next, for as long as it lives: versions, how busy its
// lane is, how wrong its clock, whether it is a lemon. Pure, from the fleet's seed and the terminal's name.
// Versions come store by store, because that is how a chain rolls out; some lanes always lag behind.

import { between, choose, diceFrom, seedFor } from './dice.ts';
import type { SimulatedTerminal } from './terminals.ts';

export const COMPONENTS = ['hardware', 'sale', 'sync'] as const;
export type ComponentName = (typeof COMPONENTS)[number];

export type Character = SimulatedTerminal & {
  readonly seed: number;
  readonly agentVersion: string;
  readonly versions: Readonly<Record<ComponentName, string>>;
  /** Terminal clock minus true time. */
  readonly clockErrorMs: number;
  /** Most hardware faults of a fleet are of a few terminals. */
  readonly lemon: boolean;
  /** Sales in its busiest hour. */
  readonly salesPerHour: number;
  /** Resident memory that the sale loses each hour (P3: one bad version). */
  readonly leakBytesPerHour: number;
};

type Share = { readonly version: string; readonly weight: number };
/** A rollout under way, one before it that never ended, and a bad candidate in a few stores. */
const VERSIONS: Readonly<Record<ComponentName | 'agent', readonly [Share, ...Share[]]>> = {
  agent: [
    { version: '0.1.0', weight: 88 },
    { version: '0.0.9', weight: 12 },
  ],
  sale: [
    { version: '2.4.1', weight: 56 },
    { version: '2.5.0', weight: 32 },
    { version: '2.3.9', weight: 8 },
    { version: '2.6.0-rc.1', weight: 4 },
  ],
  sync: [
    { version: '1.8.0', weight: 72 },
    { version: '1.7.4', weight: 22 },
    { version: '1.9.0', weight: 6 },
  ],
  hardware: [
    { version: '3.1.2', weight: 80 },
    { version: '3.0.5', weight: 20 },
  ],
};
const LEAKING = '2.6.0-rc.1';
/** research/pos.md section 7, P3: 1 to 20 MB an hour on a bad version. */
const LEAK_BYTES_PER_HOUR = 6_000_000;
/** Lanes that are not on their store's version. */
const STRAGGLERS = 0.08;
export const LEMON_SHARE = 0.1;

type ClockError = { readonly weight: number; readonly msMin: number; readonly msMax: number };
/** Two of three clocks are nearly right, every tenth is wrong by minutes. */
const CLOCKS: readonly [ClockError, ...ClockError[]] = [
  { weight: 65, msMax: 2_000, msMin: 0 },
  { weight: 25, msMax: 40_000, msMin: 2_000 },
  { weight: 10, msMax: 11 * 60_000, msMin: 60_000 },
];

function versionOf(what: ComponentName | 'agent', seed: number, who: SimulatedTerminal): string {
  const own = diceFrom(seedFor(seed, `${who.id} version ${what}`));
  const straggler = own.next() < STRAGGLERS;
  const dice = straggler ? own : diceFrom(seedFor(seed, `${who.store} version ${what}`));
  return choose(dice, VERSIONS[what]).version;
}

function characterOf(seed: number, who: SimulatedTerminal, lemon: boolean): Character {
  const dice = diceFrom(seedFor(seed, who.id));
  const clock = choose(dice, CLOCKS);
  const sign = dice.next() < 0.5 ? -1 : 1;
  const sale = versionOf('sale', seed, who);
  return {
    ...who,
    agentVersion: versionOf('agent', seed, who),
    versions: {
      hardware: versionOf('hardware', seed, who),
      sale,
      sync: versionOf('sync', seed, who),
    },
    clockErrorMs: Math.round(sign * between(dice, clock.msMin, clock.msMax)),
    lemon,
    salesPerHour: Math.round(between(dice, 18, 60)),
    leakBytesPerHour: sale === LEAKING ? LEAK_BYTES_PER_HOUR : 0,
    seed: dice.seed(),
  };
}

/** Exactly a tenth are lemons: a small fleet must not have none, or only them, by chance. */
export function charactersOf(seed: number, fleet: readonly SimulatedTerminal[]): Character[] {
  const rank = ({ id }: SimulatedTerminal): number => diceFrom(seedFor(seed, `${id} lemon`)).next();
  const ranked = fleet.toSorted((a, b) => rank(a) - rank(b));
  const lemons = new Set(
    ranked.slice(0, Math.round(fleet.length * LEMON_SHARE)).map(({ id }) => id),
  );
  return fleet.map((who) => characterOf(seed, who, lemons.has(who.id)));
}
