import { describe, expect, it } from 'vitest';
import { decodeMetricBody, encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';

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
});
