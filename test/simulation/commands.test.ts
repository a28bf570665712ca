// Somebody hostile between broker and terminal can delay, and nothing else. Seeds are printed when they find something:
// run one alone with SEED=number.

import { describe, expect, it } from 'vitest';
import { judge } from './commands-checker.ts';
import { CommandsWorld, type Sabotage } from './commands-world.ts';

const SEEDS = 150;
const only = process.env['SEED'];
const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, n) => n + 1) : [Number(only)];

const complaintsOf = (seed: number, sabotage: Sabotage = 'none'): string[] =>
  judge(new CommandsWorld(seed, sabotage).run()).map(
    ({ what, id }) => `seed ${seed}: ${id} ${what}`,
  );

describe('a terminal behind somebody hostile', () => {
  it('runs nothing twice, unsigned, too late or too often', () => {
    let ran = 0;
    const found: string[] = [];
    for (const seed of seeds) {
      const facts = new CommandsWorld(seed).run();
      ran += facts.filter(({ kind }) => kind === 'ran').length;
      found.push(...judge(facts).map(({ what, id }) => `seed ${seed}: ${id} ${what}`));
    }
    expect(found).toEqual([]);
    // A terminal that obeys nothing would pass everything above.
    expect(ran).toBeGreaterThan(seeds.length);
  });

  it.each<[Sabotage, string]>([
    ['forgets', 'ran twice'],
    ['no_floor', 'against proof'],
    ['believes_all', 'was not issued so'],
    ['no_bounds', 'in an hour'],
    ['no_expiry', 'with an honest clock'],
  ])('is caught when it %s', (sabotage, what) => {
    const found = seeds.slice(0, 40).flatMap((seed) => complaintsOf(seed, sabotage));
    expect(found.filter((complaint) => complaint.includes(what)).length).toBeGreaterThan(0);
  });
});
