import { describe, expect, test } from 'vitest';
import { SeriesBudget } from '../../agent/telemetry/budget.ts';
import type { Outward, OutwardUnit } from '../../agent/telemetry/series.ts';
import type { Sample } from '../../protocol/metric-body.ts';

const unit = (key: string, { app = true, size = 1 } = {}): OutwardUnit => ({
  key,
  name: app ? `app_${key}` : key,
  isApp: app,
  samples: Array.from({ length: size }, (_, part) => ({
    name: app ? `app_${key}` : key,
    labels: { key, part: String(part) },
    value: 1,
  })),
});
const range = (from: number, until: number): string[] =>
  Array.from({ length: until - from }, (_, index) => `s${from + index}`);
const from = (component: string, units: readonly OutwardUnit[]): Outward => ({
  component,
  units,
  left: [],
});
const of = (component: string, keys: readonly string[]): Outward =>
  from(
    component,
    keys.map((key) => unit(key)),
  );
const own = (count: number): Sample[] =>
  Array.from({ length: count }, (_, index) => ({ name: `own${index}`, labels: {}, value: 1 }));
const keys = (samples: readonly Sample[]): string[] => [
  ...new Set(samples.flatMap(({ labels }) => labels['key'] ?? [])),
];
const HOUR = 60 * 60_000;

describe('a budget of series', () => {
  test('goes to what was sent before, however the component orders what it says', () => {
    const budget = new SeriesBudget();
    const first = budget.take(own(4), [of('sale', range(0, 20))], 10);
    expect(keys(first.samples)).toEqual(range(0, 6));
    const mixed = [...range(20, 40), ...range(0, 20).reverse()];
    const later = budget.take(own(4), [of('sale', mixed)], 10, 15_000);
    expect(keys(later.samples).toSorted()).toEqual(range(0, 6));
    expect(later.dropped.get('sale')).toHaveLength(34);
  });

  test('keeps a place for an hour for what is missing', () => {
    const budget = new SeriesBudget();
    budget.take([], [of('sale', range(0, 6))], 6);
    const gone = [...range(1, 6), ...range(10, 20)];
    const missing = budget.take([], [of('sale', gone)], 6, HOUR / 2);
    expect(keys(missing.samples)).toEqual(range(1, 6));
    const back = budget.take([], [of('sale', range(0, 20))], 6, HOUR);
    expect(keys(back.samples)).toEqual(range(0, 6));
    budget.take([], [of('sale', gone)], 6, HOUR + 1);
    const given = budget.take([], [of('sale', gone)], 6, 2 * HOUR + 2);
    expect(keys(given.samples)).toEqual([...range(1, 6), 's10']);
  });

  test('a component that restarts finds its places, and its neighbour does not flap', () => {
    const budget = new SeriesBudget();
    const both = [of('sale', range(0, 50)), of('sync', range(0, 50))];
    const before = budget.take([], both, 20);
    const alone = budget.take([], [of('sale', range(0, 50))], 20, 15_000);
    expect(alone.samples).toHaveLength(10);
    const after = budget.take([], both, 20, 30_000);
    expect(after.samples).toEqual(before.samples);
  });

  test('of our own series shrinks and grows by the most of the hour', () => {
    const budget = new SeriesBudget();
    const sale = [of('sale', range(0, 20))];
    budget.take(own(4), sale, 10);
    const less = budget.take(own(6), sale, 10, 15_000);
    expect(keys(less.samples)).toEqual(range(0, 4));
    expect(keys(budget.take(own(4), sale, 10, 30_000).samples)).toEqual(range(0, 4));
    expect(keys(budget.take(own(4), sale, 10, 2 * HOUR).samples)).toEqual(range(0, 6));
  });

  test('is taken from what a component invents by what the catalogue knows', () => {
    const budget = new SeriesBudget();
    budget.take([], [of('sale', range(0, 5))], 5);
    const units = [...range(0, 5).map((key) => unit(key)), unit('pos_x', { app: false })];
    const { samples, dropped } = budget.take([], [from('sale', units)], 5, 15_000);
    expect(keys(samples)).toEqual(['pos_x', ...range(0, 4)]);
    expect(dropped.get('sale')).toEqual(['app_s4']);
  });

  test('is never spent on half a histogram', () => {
    const units = ['h0', 'h1', 'h2'].map((key) => unit(key, { size: 4 }));
    const taken = new SeriesBudget().take([], [from('sale', [...units, unit('one')])], 10);
    expect(taken.samples).toHaveLength(9);
    expect(keys(taken.samples)).toEqual(['h0', 'h1', 'one']);
    expect(taken.dropped.get('sale')).toEqual(Array(4).fill('app_h2'));
  });

  test('goes on over an agent that is replaced', () => {
    const before = new SeriesBudget();
    before.take([], [of('sale', range(0, 20))], 5);
    const after = new SeriesBudget(before.places(), 7);
    const { samples } = after.take([], [of('sale', range(0, 20).reverse())], 5, 8);
    expect(keys(samples)).toEqual(range(0, 5));
  });

  test('is no less ours when others want it: the last of our own are cut alone', () => {
    const { samples, dropped } = new SeriesBudget().take(own(12), [of('sale', ['s'])], 10);
    expect(samples).toEqual(own(10));
    expect([...dropped]).toEqual([
      ['agent', ['own10', 'own11']],
      ['sale', ['app_s']],
    ]);
  });
});
