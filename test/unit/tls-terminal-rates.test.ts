import { describe, expect, test } from 'vitest';
import {
  BURST_SECONDS,
  createTerminalRates,
  PAUSE_MS_MAX,
  PAUSE_MS_MIN,
} from '../../broker/mqtt/terminal-rates.ts';

const LIMITS = {
  ...{ connectsPerMinute: 6, publishesPerSecond: 10, bytesPerSecond: 1_000, smallPerSecond: 2 },
};
const rig = (terminalsMax?: number) => createTerminalRates(LIMITS, terminalsMax);

describe('how often a terminal may connect', () => {
  test('is enough for a bad line: its minute at once, and one for each share of it', () => {
    const rates = rig();
    for (let n = 0; n < 6; n += 1) expect(rates.connect('lane-1', 0)).toBe(0);
    expect(rates.connect('lane-1', 0)).toBe(PAUSE_MS_MIN);
    const slow = rig();
    for (let ms = 0; ms < 600_000; ms += 10_000) expect(slow.connect('lane-1', ms)).toBe(0);
  });

  test('a crash loop is let in less and less, and once a minute in the end', () => {
    const rates = rig();
    const letIn: number[] = [];
    for (let ms = 0; ms < 1_200_000; ms += 100) {
      if (rates.connect('lane-1', ms) === 0) letIn.push(ms);
    }
    const late = letIn.filter((ms) => ms > 600_000);
    expect(late.length).toBeGreaterThan(0);
    expect(letIn.filter((ms) => ms < 60_000).length).toBeLessThanOrEqual(12);
    expect(late.length).toBeLessThanOrEqual((600_000 / PAUSE_MS_MAX) * LIMITS.connectsPerMinute);
  });

  test('its pause doubles while it goes on, up to the longest, and says how long is left', () => {
    const rates = createTerminalRates({ ...LIMITS, connectsPerMinute: 0.0001 });
    let nowMs = 0;
    const pauses: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      const pauseMs = rates.connect('lane-1', nowMs);
      pauses.push(pauseMs);
      expect(rates.connect('lane-1', nowMs + 400)).toBe(pauseMs - 400);
      nowMs += pauseMs;
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1_000));
  });

  test('after a quiet time its pauses are short again', () => {
    const rates = createTerminalRates({ ...LIMITS, connectsPerMinute: 0.0001 });
    rates.connect('lane-1', 0);
    expect(rates.connect('lane-1', 1_000)).toBe(2_000);
    expect(rates.connect('lane-1', 3_600_000)).toBe(PAUSE_MS_MIN);
  });

  test('does not concern its neighbour', () => {
    const rates = rig();
    for (let n = 0; n < 100; n += 1) rates.connect('lane-1', 0);
    expect(rates.connect('lane-2', 0)).toBe(0);
  });

  test('is remembered of so many terminals and no more', () => {
    const rates = rig(2);
    for (let n = 0; n < 7; n += 1) rates.connect('lane-1', 0);
    expect(rates.connect('lane-1', 0)).toBeGreaterThan(0);
    for (const other of ['lane-2', 'lane-3']) rates.connect(other, 0);
    expect(rates.connect('lane-1', 0)).toBe(0);
  });
});

describe('how much a terminal may publish', () => {
  test('a backlog comes at once up to its burst, then at the pace', () => {
    const flow = rig().flowOf('lane-1', 0);
    const burst = LIMITS.publishesPerSecond * BURST_SECONDS;
    for (let n = 0; n < burst; n += 1) expect(flow.take(1, 0)).toBeUndefined();
    expect(flow.take(1, 0)).toEqual({ limit: 'publishes', waitMs: 100 });
    expect(flow.take(1, 0)).toEqual({ limit: 'publishes', waitMs: 200 });
    expect(flow.take(1, 200)).toEqual({ limit: 'publishes', waitMs: 100 });
    expect(flow.take(1, 10_000)).toBeUndefined();
  });

  test('large batches are held by their bytes', () => {
    const flow = rig().flowOf('lane-1', 0);
    expect(flow.take(10_000, 0)).toBeUndefined();
    expect(flow.take(500, 0)).toEqual({ limit: 'bytes', waitMs: 500 });
  });

  test('is the same bucket after a reconnect', () => {
    const rates = rig();
    rates.flowOf('lane-1', 0).take(11_000, 0);
    expect(rates.flowOf('lane-1', 100).take(0, 100)).toEqual({ limit: 'bytes', waitMs: 900 });
  });

  test('over an hour is what the limit says, whoever waits as asked', () => {
    const flow = rig().flowOf('lane-1', 0);
    let taken = 0;
    for (let nowMs = 0; nowMs < 3_600_000; ) {
      const slow = flow.take(50, nowMs);
      taken += 1;
      nowMs += slow?.waitMs ?? 0;
      if (slow === undefined) nowMs += 0.001;
    }
    expect(taken / 3_600).toBeGreaterThan(LIMITS.publishesPerSecond * 0.99);
    expect(taken / 3_600).toBeLessThan(LIMITS.publishesPerSecond * 1.01);
  });
});

describe('how many small packets a terminal may send', () => {
  const passed = (flow: ReturnType<ReturnType<typeof rig>['flowOf']>, bytes: number, ms: number) =>
    Array.from({ length: 1_000 }, () => flow.small(bytes, ms)).filter(Boolean).length;

  test('is its burst at once and then its pace, over all its connections', () => {
    const rates = rig();
    const burst = LIMITS.smallPerSecond * BURST_SECONDS;
    expect(passed(rates.flowOf('lane-1', 0), 0, 0)).toBe(burst);
    expect(passed(rates.flowOf('lane-1', 1_000), 0, 1_000)).toBe(LIMITS.smallPerSecond);
    expect(passed(rates.flowOf('lane-1', 3_600_000), 0, 3_600_000)).toBe(burst);
    expect(passed(rates.flowOf('lane-2', 0), 0, 0)).toBe(burst);
  });

  test('is fewer when they are long, and has nothing to do with what it publishes', () => {
    const flow = rig().flowOf('lane-1', 0);
    expect(passed(flow, 1_024, 0)).toBe(2);
    expect(flow.take(1, 0)).toBeUndefined();
    for (let n = 0; n < 1_000; n += 1) flow.take(0, 0);
    expect(rig().flowOf('lane-1', 0).small(0, 0)).toBe(true);
  });
});
