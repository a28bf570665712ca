// The agent's loop when the machine sleeps: monotonic time stood still meanwhile, so no deadline has come nearer,
// and none may be moved.

import { expect, it } from 'vitest';
import { Loop, SWEEP_MS } from '../../agent/loop.ts';

it('a machine that slept for eight hours moves no deadline: monotonic time did not pass', () => {
  let monotonicMs = 1_000;
  let sleptMs = 0;
  let sweep = (): void => undefined;
  const told: number[] = [];
  const silent = (): void => undefined;
  const loop = new Loop({
    clock: {
      wallMs: () => 0,
      monotonicMs: () => monotonicMs,
      bootMs: () => monotonicMs + sleptMs,
      bootId: () => 'boot',
    },
    timers: {
      after: () => silent,
      every: (_ms, run) => {
        sweep = run;
        return silent;
      },
    },
    log: { info: silent, warn: silent, error: silent },
    handle: silent,
    settled: silent,
    paused: (gapMs) => told.push(gapMs),
    lateMsMax: 100,
    observe: silent,
  });
  monotonicMs += SWEEP_MS;
  sweep();
  expect(told).toEqual([]);
  sleptMs = 8 * 3_600_000;
  monotonicMs += SWEEP_MS;
  sweep();
  expect(told).toEqual([0]);
  expect(loop.stats().pauses).toBe(1);
  // Stopped while awake is another thing: that time did pass.
  monotonicMs += 5_000;
  sweep();
  expect(told).toEqual([0, 5_000]);
});
