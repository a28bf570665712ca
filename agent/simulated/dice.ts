// Chance that can be replayed: every draw of a simulation comes from a seed that its model carries, so that
// the same seed gives the same fleet, the same faults and the same restarts, whatever the machine does
// meanwhile. The generator is the watchdog's own (backoff.ts).

import { random } from '../watchdog/backoff.ts';

export type Dice = {
  /** In [0, 1). */
  readonly next: () => number;
  /** Go on from here next time. */
  readonly seed: () => number;
};

export function diceFrom(seed: number): Dice {
  let state = seed;
  return {
    next: () => {
      const drawn = random(state);
      state = drawn.seed;
      return drawn.value;
    },
    seed: () => state,
  };
}

/** A seed for each thing with a name, from one for all (FNV-1a, 32 bits). */
export function seedFor(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < name.length; at += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  }
  // Stirred once, because names that differ in one digit differ in few bits.
  return random(hash | 0).seed;
}

export const between = (dice: Dice, min: number, max: number): number =>
  min + (max - min) * dice.next();

/** Small ones are the rule and large ones the exception, as with outages. */
export const logBetween = (dice: Dice, min: number, max: number): number =>
  Math.exp(between(dice, Math.log(min), Math.log(max)));

/** Time to the next of something that happens `perMs` times a millisecond. */
export const untilNext = (dice: Dice, perMs: number): number =>
  perMs > 0 ? -Math.log(1 - dice.next()) / perMs : Infinity;

/** @param choices at least one; weights need no particular sum. */
export function choose<T extends { readonly weight: number }>(
  dice: Dice,
  choices: readonly [T, ...T[]],
): T {
  let left = dice.next() * choices.reduce((sum, { weight }) => sum + weight, 0);
  for (const choice of choices) {
    left -= choice.weight;
    if (left < 0) return choice;
  }
  return choices[0];
}

const hex = (dice: Dice, digits: number): string =>
  Math.floor(dice.next() * 16 ** digits)
    .toString(16)
    .padStart(digits, '0');

/** Shaped like a UUID of version 4 [RFC 9562 5.4], and the same in every replay. */
export const uuidFrom = (dice: Dice): string =>
  `${hex(dice, 8)}-${hex(dice, 4)}-4${hex(dice, 3)}-a${hex(dice, 3)}-${hex(dice, 6)}${hex(dice, 6)}`;
