// Thousands of bulk actions in a hostile world: whatever chance does, no rule is broken, and each checker finds the bug
// that was planted for it.

import { describe, expect, it } from 'vitest';
import type { BulkModel } from '../../broker/bulk/model.ts';
import { Broken } from './bulk-checkers.ts';
import { type Plant, type See, simulate } from './bulk-world.ts';

const RUNS = 400;
const FIRST = Number(process.env['SEED'] ?? 1);

describe('bulk actions in a world of chance', () => {
  it('keep every rule, and come to an end', () => {
    const ends = new Map<string, number>();
    let asked = 0;
    for (let seed = FIRST; seed < FIRST + RUNS; seed += 1) {
      try {
        const world = simulate(seed);
        asked += world.asked.length;
        for (const state of world.states) ends.set(state, (ends.get(state) ?? 0) + 1);
      } catch (cause) {
        throw new Error(`seed ${seed}: SEED=${seed} shows it again`, { cause });
      }
    }
    expect(asked).toBeGreaterThan(RUNS * 5);
    expect(ends.get('done')).toBeGreaterThan(RUNS / 2);
    expect(ends.get('aborted')).toBeGreaterThan(0);
    expect([...ends.keys()].filter((state) => state === 'running')).toEqual([]);
  });

  const again = (after: BulkModel, change: (model: BulkModel) => BulkModel): BulkModel =>
    after.state === 'running' ? change(after) : after;
  const plants: readonly (readonly [string, Plant])[] = [
    [
      'a second command for one terminal',
      (_before, after) =>
        again(after, (model) => ({
          ...model,
          targets: model.targets.map((target) =>
            target.state === 'failed' ? { ...target, state: 'waiting' } : target,
          ),
        })),
    ],
    [
      'more than half of what sells in a store',
      (_before, after) =>
        again(after, (model) => ({
          ...model,
          targets: model.targets.map((target) =>
            target.state === 'sent' ? { ...target, state: 'skipped' } : target,
          ),
        })),
    ],
    [
      'a retired terminal is waited for',
      (before, after) => ({
        ...after,
        targets: after.targets.map((target, place) =>
          target.reason === 'the terminal was retired' ? (before.targets[place] ?? target) : target,
        ),
      }),
    ],
    ['more than its share of the fleet', (_before, after) => ({ ...after, fleetSize: 10_000 })],
    [
      'a command after the abort',
      (before, after) =>
        after.state === 'aborted' ? { ...after, state: 'running', targets: before.targets } : after,
    ],
    [
      'a command while it is paused',
      (before, after) =>
        before.state === 'running' && after.state === 'paused' && after.why.startsWith('paused')
          ? { ...after, state: 'running' }
          : after,
    ],
    [
      'a terminal outside of the frozen list',
      (_before, after) =>
        again(after, (model) => ({
          ...model,
          targets: model.targets.map((target, place) =>
            place === 0 && target.state === 'waiting' ? { ...target, terminal: 's0-99' } : target,
          ),
        })),
    ],
  ];
  const half = 'more than half of what sells in a store';
  const sights: readonly (readonly [string, See, string])[] = [
    ['who was moved, where the list says', (tick) => ({ ...tick, moved: new Map() }), half],
    [
      'the dead as selling',
      (tick) => ({ ...tick, selling: new Map([...tick.selling].map(([name]) => [name, 99])) }),
      half,
    ],
    ['nothing of others', (tick) => ({ ...tick, others: new Map() }), half],
    [
      'nobody as gone',
      (tick) => ({ ...tick, gone: new Map() }),
      'a retired terminal is waited for',
    ],
  ];
  const blind: Plant = (_, after) => after;
  it.each(sights)('break a rule that sees %s', (_, see, rule) => {
    expect(breaks(rule, blind, see)).toContain(rule);
  });

  it.each(plants)('break, when it is planted, the rule: %s', (rule, plant) => {
    expect(breaks(rule, plant)).toContain(rule);
  });
});

/** @returns rules that are broken within some runs, up to the one that is looked for. */
function breaks(rule: string, plant: Plant, see?: See): readonly string[] {
  const found = new Set<string>();
  for (let seed = 1; seed <= RUNS && !found.has(rule); seed += 1) {
    try {
      simulate(seed, plant, see);
    } catch (cause) {
      if (!(cause instanceof Broken)) throw cause;
      found.add(cause.message.replace(/ \(.*/, ''));
    }
  }
  return [...found];
}
