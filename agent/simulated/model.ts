// What is known of one simulated terminal, and the turn in which a step works on it: a private draft and what
// it has led to so far, as in the watchdog's own state.ts. Plain data; till.ts and ailments.ts decide.

import type { Books } from './books.ts';
import { newBooks } from './books.ts';
import { type Character, COMPONENTS } from './character.ts';
import type { Dice } from './dice.ts';
import type { Effect } from './kinds.ts';
import { newPart, type Part, type PartEffect } from './part.ts';

/** A fault that lasts a while. */
export type Condition = {
  readonly effect: Effect;
  /** UnifiedPOS error code of a device, or empty. */
  readonly code: string;
  readonly sinceMs: number;
  readonly untilMs: number;
};

/** A version of the fleet configuration. */
export type Document = { readonly name: string; readonly version: number; readonly sha256: string };

/** Somebody's own, or that of a maintenance. */
export type Held = {
  readonly untilMs: number;
  readonly untilWallMs: number;
  readonly reason: string;
  readonly by: string;
  readonly maintenance: string | undefined;
};

/** Times are monotonic milliseconds of the simulator unless a name says wall. */
export type Till = {
  readonly who: Character;
  readonly parts: readonly Part[];
  readonly toStart: readonly string[];
  readonly conditions: readonly Condition[];
  /** Without power until then. */
  readonly offUntilMs: number | undefined;
  readonly books: Books;
  readonly bootId: string;
  readonly bootedMs: number;
  readonly configuration: Document | undefined;
  /** What became of versions that came here. */
  readonly trials: { readonly kept: number; readonly rolled_back: number };
  /** Two at most. */
  readonly holds: readonly Held[];
  readonly random: number;
};

export type TillEffect =
  | PartEffect
  /** Power is gone: nothing is measured, nothing is sent, what waits stays on its disk. */
  | { readonly kind: 'off' }
  /** A new agent process; `torn`: its outbox did not survive the power cut. */
  | { readonly kind: 'booted'; readonly torn: boolean }
  | { readonly kind: 'clock'; readonly jumpMs: number };

export type Turn = {
  till: Till;
  readonly now: number;
  readonly dice: Dice;
  readonly effects: TillEffect[];
};

export const partsOf = (who: Character, seed: number): Part[] =>
  COMPONENTS.map((name, at) => newPart(name, who.versions[name], seed + at));

export const newTill = (who: Character, wallMs: number): Till => ({
  who,
  parts: partsOf(who, who.seed),
  toStart: [],
  conditions: [],
  offUntilMs: undefined,
  books: newBooks(wallMs),
  bootId: '',
  bootedMs: 0,
  configuration: undefined,
  trials: { kept: 0, rolled_back: 0 },
  holds: [],
  random: who.seed,
});

export function changePart(
  turn: Turn,
  name: string,
  change: (part: Part, now: number, dice: Dice) => { part: Part; effects: readonly PartEffect[] },
): void {
  const parts = turn.till.parts.map((part) => {
    if (part.name !== name) return part;
    const stepped = change(part, turn.now, turn.dice);
    turn.effects.push(...stepped.effects);
    return stepped.part;
  });
  turn.till = { ...turn.till, parts };
}
