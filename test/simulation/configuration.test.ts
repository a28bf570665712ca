// Hundreds of tills on which documents are tried in a hostile world: whatever is killed and whatever the disk refuses, no
// rule is broken, each trial ends, and each rule finds the bug that was planted for it.

import { describe, expect, it } from 'vitest';
import { step } from '../../agent/configuration/machine.ts';
import type { Effect } from '../../agent/configuration/model.ts';
import { Broken, type Machine, World } from './configuration-world.ts';

const RUNS = 150;
const FIRST = Number(process.env['SEED'] ?? 1);

function simulate(seed: number, machine?: Machine): World {
  const world = new World(seed, machine);
  try {
    world.run();
  } catch (cause) {
    throw new Error(`seed ${seed}: SEED=${seed} shows it again`, { cause });
  }
  return world;
}

const without =
  (kind: Effect['kind']): Machine =>
  (model, event, now) => {
    const next = step(model, event, now);
    return { ...next, effects: next.effects.filter((effect) => effect.kind !== kind) };
  };

/** Its attempt is made without being counted. */
const uncounted: Machine = (model, event, now) => {
  if (event.kind !== 'found' || typeof event.found.notes !== 'object')
    return step(model, event, now);
  const { trial } = event.found.notes;
  if (trial === undefined) return step(model, event, now);
  const notes = { ...event.found.notes, trial: { ...trial, attempts: 0 } };
  return step(model, { ...event, found: { ...event.found, notes } }, now);
};

/** Kept as soon as it runs. */
const credulous: Machine = (model, event, now) =>
  step(model, event.kind === 'look' ? { ...event, unready: [] } : event, now);

describe('documents in a world of chance', () => {
  it('are kept or left, and the last good one is never lost', () => {
    const ends = new Map<string, number>();
    let kills = 0;
    for (let seed = FIRST; seed < FIRST + RUNS; seed += 1) {
      const world = simulate(seed);
      kills += world.kills;
      for (const what of world.ends.values()) ends.set(what, (ends.get(what) ?? 0) + 1);
    }
    expect(kills).toBeGreaterThan(RUNS * 50);
    for (const what of ['kept', 'rolled_back', 'refused']) {
      expect(ends.get(what)).toBeGreaterThan(RUNS);
    }
  });

  it.each([
    ['an attempt that is not counted', uncounted],
    ['a text that is kept unseen', credulous],
    ['an agent that does not begin anew', without('anew')],
  ])('%s is found', (_, machine) => {
    const found = (seed: number): boolean => {
      try {
        simulate(seed, machine);
        return false;
      } catch (error) {
        return error instanceof Error && error.cause instanceof Broken;
      }
    };
    expect(Array.from({ length: 20 }, (_unused, seed) => seed + 1).some(found)).toBe(true);
  });
});
