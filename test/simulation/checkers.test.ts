// The checkers themselves: each finds every bug that was planted for it, in the same worlds in which they find
// nothing otherwise.

import { describe, expect, it } from 'vitest';
import { planted } from './planted.ts';
import { type Machines, simulate } from './world.ts';

/** Most are found within ten; a change of the machines may move the rare ones. */
const SEEDS_MAX = 2_000;
const STEPS = 6_000;

/** @returns the first seed whose run breaks this rule. */
function foundBy(checker: string, machines: Machines): number | undefined {
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    const { broken } = simulate({ seed, steps: STEPS, machines, harsh: seed % 2 === 0 });
    if (broken?.checker === checker) return seed;
  }
  return undefined;
}

for (const [checker, bugs] of Object.entries(planted)) {
  describe(`${checker} finds a machine that`, () => {
    for (const [bug, machines] of Object.entries(bugs)) {
      it(bug, () => {
        expect(foundBy(checker, machines)).toBeDefined();
      });
    }
  });
}
