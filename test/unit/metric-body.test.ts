import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMetricBody, encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import { decodeRaw, list, num } from '../../protocol/wire.ts';

const back = (snapshots: readonly Snapshot[]): readonly Snapshot[] => {
  const decoded = decodeMetricBody(encodeMetricBody(snapshots));
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.value;
};
/** One series over several instants. */
const over = (values: readonly number[]): Snapshot[] =>
  values.map((value, i) => ({ timeMs: i, samples: [{ name: 'a', labels: {}, value }] }));
const valuesOf = (snapshots: readonly Snapshot[]): number[] =>
  snapshots.flatMap(({ samples }) => samples.map(({ value }) => value));

describe('a metric body', () => {
  it('gives back whole numbers whose difference is beyond what a double counts', () => {
    const values = [Number.MAX_SAFE_INTEGER, -2, Number.MIN_SAFE_INTEGER, 5];
    expect(valuesOf(back(over(values)))).toEqual(values);
  });

  it('keeps a value at its instant when a series comes twice in one of them', () => {
    const twice = [
      { name: 'a', labels: {}, value: 1 },
      { name: 'a', labels: {}, value: 2 },
    ];
    expect(
      back([
        { timeMs: 5, samples: twice },
        { timeMs: 6, samples: [] },
      ]),
    ).toEqual([
      { timeMs: 5, samples: [{ name: 'a', labels: {}, value: 1 }] },
      { timeMs: 6, samples: [] },
    ]);
  });

  it('carries decimal fractions as whole numbers, and what is none as doubles', () => {
    const form = (values: readonly number[]): object => {
      const raw = decodeRaw('MetricBody', encodeMetricBody(over(values)), 10_000);
      if (!raw.ok) throw new Error(raw.reason);
      const read = (field: string) => (list(raw.value[field]) as readonly unknown[]).map(num);
      return { forms: read('forms'), deltas: read('deltas'), doubles: read('doubles') };
    };
    expect(form([12, 15])).toEqual({ forms: [1], deltas: [12, 3], doubles: [] });
    expect(form([0.137, 12.5, 3])).toEqual({
      forms: [4],
      deltas: [137, 12_363, -9_500],
      doubles: [],
    });
    expect(form([1_763_800_000.123])).toEqual({
      forms: [4],
      deltas: [1_763_800_000_123],
      doubles: [],
    });
    for (const values of [
      [0.1 + 0.2],
      [Math.PI, 1],
      [-0, 1.5],
      [Number.NaN, 1.5],
      [Infinity],
      [1e300],
      [1e-20],
      [0.000_000_000_000_001, 2 ** 52],
    ]) {
      expect(form(values), String(values)).toEqual({ forms: [17], deltas: [], doubles: values });
    }
  });

  it('gives every double back bit by bit, whichever form it took', () => {
    const decimal = fc
      .tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 17 }))
      .map(([whole, places]) => whole / 10 ** places);
    const sum = fc.tuple(decimal, decimal).map(([a, b]) => a + b);
    const odd = fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 2 ** 53, 5e-324, 1.5e308);
    const value = fc.oneof(decimal, sum, odd, fc.double(), fc.maxSafeInteger());
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 8 }), (values) => {
        const came = valuesOf(back(over(values)));
        expect(came.length).toBe(values.length);
        expect(came.every((one, i) => Object.is(one, values[i]))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps a label of any name, and a series that leaves its place', () => {
    const labels = Object.fromEntries([['__proto__', 'x']]);
    const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name, labels, value: 1 }));
    if (a === undefined || b === undefined || c === undefined) throw new Error('unreachable');
    const other = { ...b, labels: { other: 'x' } };
    const more = { ...b, labels: { ...labels, more: 'x' } };
    const snapshots = [
      { timeMs: 1, samples: [a, b, c] },
      { timeMs: 2, samples: [b, c] },
      { timeMs: 3, samples: [a, other, b, c] },
      { timeMs: 4, samples: [a, more, other] },
    ];
    const sorted = (all: readonly Snapshot[]) =>
      all.map(({ timeMs, samples }) => ({
        timeMs,
        samples: samples
          .map(({ name, labels: l }) => name + JSON.stringify(Object.entries(l)))
          .sort(),
      }));
    expect(sorted(back(snapshots))).toEqual(sorted(snapshots));
  });
});
