import { describe, expect, it } from 'vitest';
import { countSamples, createGrave, type Part } from '../../broker/sinks/parts.ts';
import { createSettling } from '../../broker/sinks/settle.ts';
import { random } from '../real/front-rig.ts';
import { createModel, type ModelOptions, part } from './sinks-model.ts';

const NOW_MS = 1_790_000_000_000;
const DAY_MS = 86_400_000;
const WINDOW: ModelOptions = { windowMs: 30 * DAY_MS, newestMs: NOW_MS };
const STOCK: ModelOptions = { windowMs: 0, newestMs: NOW_MS };

function settle(parts: readonly Part[], model: ReturnType<typeof createModel>) {
  const grave = createGrave();
  const settling = createSettling(parts, grave.bury);
  for (let next = settling.next(); next !== undefined; next = settling.next()) {
    const reason = model.take(next);
    if (reason === undefined) settling.accepted();
    else settling.refused(reason, `it said ${reason}`);
  }
  const buried = Object.fromEntries(
    grave.all().map(({ terminal, reason, count }) => [`${terminal} ${reason}`, count]),
  );
  return { taken: settling.taken(), buried };
}

const row = (endMs: number, count: number): [number, number][] =>
  Array.from({ length: count }, (_, i) => [endMs - (count - 1 - i) * 15_000, i]);
/** 100 series of 40 samples, as ten minutes of a till are. */
const till = (terminal: string, endMs: number): Part[] =>
  Array.from({ length: 100 }, (_, s) => part(terminal, `m${s}`, row(endMs, 40)));

describe('a refused request', () => {
  it('goes in one piece when nothing is wrong with it', () => {
    const model = createModel(WINDOW);
    expect(settle(till('lane-1', NOW_MS), model)).toEqual({ taken: 4_000, buried: {} });
    expect(model.requests()).toBe(1);
  });

  it('loses only its one bad sample, wherever that is', () => {
    for (const [at, bad] of [
      [0, NOW_MS - 31 * DAY_MS],
      [57, 1_000],
      [99, NOW_MS - 40 * DAY_MS],
    ] as const) {
      const parts = till('lane-1', NOW_MS);
      parts[at] = part('lane-1', `m${at}`, [[bad, 7], ...row(NOW_MS, 39)]);
      const model = createModel(WINDOW);
      expect(settle(parts, model)).toEqual({ taken: 3_999, buried: { 'lane-1 too_old': 1 } });
      expect(model.requests()).toBeLessThan(10);
    }
  });

  it('loses only the one that is there already with another value', () => {
    const parts = till('lane-1', NOW_MS);
    const model = createModel(WINDOW);
    model.take([part('lane-1', 'm33', [[NOW_MS, 1_000]])]);
    expect(settle(parts, model)).toEqual({ taken: 3_999, buried: { 'lane-1 duplicate': 1 } });
    expect(model.requests()).toBeLessThan(40);
  });

  it('loses a whole series whose labels are refused, and no other', () => {
    const model = createModel({ ...WINDOW, invalid: ['m5', 'm80'] });
    expect(settle(till('lane-1', NOW_MS), model)).toEqual({
      taken: 3_920,
      buried: { 'lane-1 invalid': 80 },
    });
  });

  it('is buried in a few requests when all of it is too old', () => {
    const model = createModel(WINDOW);
    const old = till('lane-1', NOW_MS - 35 * DAY_MS);
    expect(settle(old, model)).toEqual({ taken: 0, buried: { 'lane-1 too_old': 4_000 } });
    expect(model.requests()).toBeLessThan(12);
  });

  it('keeps what is young enough when its beginning is too old', () => {
    const model = createModel({ ...WINDOW, windowMs: 300_000 });
    const { taken, buried } = settle(till('lane-1', NOW_MS), model);
    expect([taken, buried]).toEqual([2_100, { 'lane-1 too_old': 1_900 }]);
    expect(model.requests()).toBeLessThan(40);
  });

  it('costs few requests where an old backlog meets a database without a window', () => {
    const model = createModel(STOCK);
    settle(till('lane-1', NOW_MS), model);
    const before = model.requests();
    const backlog = settle(till('lane-1', NOW_MS - 20 * 60_000), model);
    expect(backlog).toEqual({ taken: 0, buried: { 'lane-1 out_of_order': 4_000 } });
    expect(model.requests() - before).toBeLessThan(80);
  });

  it('without a window loses only the one sample that is out of order', () => {
    const parts = till('lane-1', NOW_MS);
    const model = createModel(STOCK);
    model.take([part('lane-1', 'm7', [[NOW_MS - 39 * 15_000 + 1, 1]])]);
    expect(settle(parts, model)).toEqual({ taken: 3_999, buried: { 'lane-1 out_of_order': 1 } });
  });

  it('has every sample either taken or buried, and with a window buries none that would be taken', () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const dice = random(seed);
      const windowMs = seed % 3 === 0 ? 0 : Math.round(dice() * 3_600_000) + 1;
      const model = createModel({
        windowMs,
        newestMs: NOW_MS,
        invalid: dice() < 0.3 ? ['m3'] : [],
      });
      model.take([part('lane-1', 'm2', [[NOW_MS - 60_000, 99]])]);
      const parts = Array.from({ length: 1 + Math.floor(dice() * 12) }, (_, s) => {
        const times = new Set<number>();
        const count = 1 + Math.floor(dice() * 20);
        while (times.size < count) times.add(NOW_MS - Math.floor(dice() * 300) * 15_000);
        const sorted = [...times].sort((a, b) => a - b);
        return part(
          `lane-${s % 2}`,
          `m${s}`,
          sorted.map((t, i): [number, number] => [t, i]),
        );
      });
      const good = createModel({ windowMs: windowMs || 1, newestMs: NOW_MS, invalid: [] });
      const { taken, buried } = settle(parts, model);
      const lost = Object.values(buried).reduce((sum, count) => sum + count, 0);
      expect([seed, taken + lost]).toEqual([seed, countSamples(parts)]);
      if (windowMs === 0) continue;
      // One at a time nothing hides behind anything else.
      const alone = parts
        .filter(({ template }) => !(template.text === 'm3{}' && buriedInvalid(buried)))
        .flatMap((one) =>
          one.timesMs.map((t, i) => ({ ...one, timesMs: [t], values: [one.values[i] ?? 0] })),
        );
      good.take([part('lane-1', 'm2', [[NOW_MS - 60_000, 99]])]);
      expect([seed, alone.filter((one) => good.take([one]) === undefined).length]).toEqual([
        seed,
        taken,
      ]);
    }
  });
});

const buriedInvalid = (buried: Record<string, number>): boolean =>
  Object.keys(buried).some((key) => key.endsWith('invalid'));
