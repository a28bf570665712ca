import { describe, expect, it } from 'vitest';
import { answerOf, POINTS_MAX, SERIES_ANSWERED_MAX } from '../../broker/history/answer.ts';
import { historyRig, load, START_MS } from './history-rig.ts';

describe('an answer about the past', () => {
  const rigWithMinutes = () => {
    const rig = historyRig();
    const snapshots = Array.from({ length: 40 }, (_, i) =>
      load(START_MS + i * 15_000, (i * 7) % 11),
    );
    rig.terminals.metrics('lane-1', ...snapshots);
    rig.pass(0);
    return rig;
  };

  it('holds every sample where they fit, and says so', () => {
    const answer = rigWithMinutes().ask();
    expect(answer).toMatchObject({ stepMs: 0, more: false, terminal: 'lane-1' });
    expect(answer.series[0]?.points).toHaveLength(40);
  });

  it('holds at most so many points, of buckets whose length it says', () => {
    const window = { sinceMs: START_MS, untilMs: START_MS + 599_999 };
    const { stepMs, series } = rigWithMinutes().ask({ ...window, pointsMax: 10 });
    expect(stepMs).toBe(60_000);
    expect(series[0]?.points).toHaveLength(10);
  });

  it.each([
    // 0 7 3 10, 6 2 9 5, 1 8 4 0
    ['last', [10, 5, 0]],
    ['max', [10, 9, 8]],
    ['avg', [5, 5.5, 3.25]],
  ] as const)('stands for a minute by %s', (by, values) => {
    const window = { sinceMs: START_MS, untilMs: START_MS + 179_999, stepMs: 60_000 };
    const { points } = rigWithMinutes().ask({ ...window, by }).series[0] ?? { points: [] };
    expect(points.map(([, value]) => value)).toEqual(values);
    expect(points.map(([at]) => (at - START_MS) / 60_000)).toEqual([0, 1, 2]);
  });

  it('takes a step that would be too many points as the shortest that fits', () => {
    const window = { sinceMs: START_MS, untilMs: START_MS + 599_999 };
    const { stepMs } = rigWithMinutes().ask({ ...window, pointsMax: 10, stepMs: 1_000 });
    expect(stepMs).toBe(60_000);
  });

  it('has the series that carry the labels asked for, and no other', () => {
    const rig = historyRig();
    const sample = (component: string, value: number) => ({
      name: 'pos_component_up',
      labels: { component },
      value,
    });
    rig.terminals.metrics('lane-1', {
      timeMs: START_MS,
      samples: [sample('sale', 1), sample('sync', 0)],
    });
    rig.pass(0);
    const name = 'pos_component_up';
    expect(rig.ask({ name }).series.map(({ labels }) => labels)).toEqual([
      { component: 'sale' },
      { component: 'sync' },
    ]);
    const only = rig.ask({ name, labels: { component: 'sync' } }).series;
    expect(only).toEqual([{ labels: { component: 'sync' }, points: [[START_MS, 0]] }]);
    expect(rig.ask({ name, labels: { constructor: 'x' } }).series).toEqual([]);
    expect(rig.ask({ name: 'constructor' }).series).toEqual([]);
  });

  it('is bounded in series, and says when there are more', () => {
    const rig = historyRig();
    const samples = Array.from({ length: SERIES_ANSWERED_MAX + 1 }, (_, i) => ({
      name: 'app_x',
      labels: { n: String(i) },
      value: i,
    }));
    rig.terminals.metrics('lane-1', { timeMs: START_MS, samples });
    rig.pass(0);
    const { series, more } = rig.ask({ name: 'app_x', pointsMax: POINTS_MAX });
    expect(series).toHaveLength(SERIES_ANSWERED_MAX);
    expect(more).toBe(true);
  });

  it('is bounded in all its points together, and says how long a bucket is', () => {
    const points = new Map(Array.from({ length: POINTS_MAX }, (_, i) => [i * 15_000, i] as const));
    const found = new Map(
      Array.from({ length: SERIES_ANSWERED_MAX }, (_, i) => [
        `${i}`,
        { labels: ['n', `${i}`], points },
      ]),
    );
    const window = { sinceMs: 0, untilMs: POINTS_MAX * 15_000 - 1, labels: {} };
    const query = { ...window, terminal: 'lane-1', name: 'app_x', by: 'last' as const };
    for (const stepMs of [undefined, 15_000]) {
      const { series, ...answer } = answerOf({ ...query, stepMs, pointsMax: POINTS_MAX }, found);
      expect(series).toHaveLength(SERIES_ANSWERED_MAX);
      expect(series.flatMap((one) => one.points).length).toBeLessThan(60_000);
      expect(answer.stepMs).toBeGreaterThan(15_000);
    }
  });
});
