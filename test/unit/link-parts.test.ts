import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BACKOFF, reconnectDelayMs } from '../../agent/link/backoff.ts';
import { fullBucket, refill, spend } from '../../agent/link/pace.ts';
import { createBrokerTime } from '../../agent/telemetry/time.ts';
import { fly, isDue, land, RESEND } from '../../agent/telemetry/window.ts';
import { fakeClock, START_MS } from './outbox-rig.ts';

describe('backoff', () => {
  test('the first try comes within a second, later ceilings double up to five minutes', () => {
    const ceilings = Array.from({ length: 12 }, (_, failures) =>
      reconnectDelayMs(BACKOFF, failures, 1),
    );
    expect(ceilings).toEqual([
      1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000,
    ]);
  });

  test('the draw is uniform below the ceiling, and never zero or without end', () => {
    expect(reconnectDelayMs(BACKOFF, 5, 0.5)).toBe(8_000);
    expect(reconnectDelayMs(BACKOFF, 5, 0)).toBe(20);
    expect(reconnectDelayMs(BACKOFF, Number.MAX_SAFE_INTEGER, 0.999)).toBeLessThanOrEqual(300_000);
  });
});

describe('pace', () => {
  test('over any time no more than the pace plus one second and one batch is sent', () => {
    const batches = fc.array(
      fc.record({ bytes: fc.integer({ min: 1, max: 5_000 }), waitMs: fc.nat(2_000) }),
    );
    fc.assert(
      fc.property(batches, fc.integer({ min: 100, max: 10_000 }), (queue, pace) => {
        let bucket = refill(fullBucket(0), pace, 0);
        let now = 0;
        let sent = 0;
        for (const { bytes, waitMs } of queue) {
          now += waitMs;
          bucket = refill(bucket, pace, now);
          if (bucket.tokens <= 0) continue;
          bucket = spend(bucket, bytes);
          sent += bytes;
          expect(sent).toBeLessThanOrEqual(pace * (1 + now / 1_000) + 5_000);
        }
      }),
    );
  });

  test('a batch larger than the pace still goes, and is paid for afterwards', () => {
    let bucket = spend(refill(fullBucket(0), 100, 0), 1_000);
    bucket = refill(bucket, 100, 8_900);
    expect(bucket.tokens).toBeLessThan(0);
    expect(refill(bucket, 100, 9_100).tokens).toBeGreaterThan(0);
  });
});

describe('resends', () => {
  test('wait 30 s, then twice as long up to ten minutes, with jitter upwards only', () => {
    let flight = fly(undefined, 0, RESEND, 0.5);
    const waits = Array.from({ length: 8 }, () => {
      const waitMs = flight.dueMs - flight.sentMs;
      flight = fly(flight, flight.dueMs, RESEND, 0.5);
      return Math.round(waitMs / 1_000);
    });
    expect(waits).toEqual([33, 66, 132, 264, 528, 660, 660, 660]);
  });

  test('a new session makes it due at once and remembers when it was sent first', () => {
    const landed = land(fly(undefined, 0, RESEND, 0));
    expect(isDue(landed, 1)).toBe(true);
    expect(fly(landed, 1, RESEND, 0)).toMatchObject({ sends: 1, firstMs: 0, dueMs: 30_001 });
  });
});

describe('the time of the broker', () => {
  test('is within half a round trip after one answer, and better after a shorter one', () => {
    const clock = fakeClock(0);
    const time = createBrokerTime(clock);
    clock.pass(1_000);
    expect(time.known()).toBe(false);
    time.learn(START_MS, 800);
    expect(time.nowMs()).toBe(START_MS + 400);
    clock.pass(1_000);
    time.learn(START_MS + 1_000 + 10, 20);
    expect(time.nowMs()).toBe(START_MS + 1_020);
  });

  test('is the own clock where no answer contradicts it', () => {
    const clock = fakeClock(0);
    const time = createBrokerTime(clock);
    clock.pass(1_000);
    time.learn(clock.wallMs() - 300, 800);
    expect(time.nowMs()).toBe(clock.wallMs());
    time.learn(clock.wallMs() - 5, 20);
    expect(time.nowMs()).toBe(clock.wallMs());
  });

  test('a slow answer moves nothing that it does not contradict', () => {
    const clock = fakeClock(0);
    const time = createBrokerTime(clock);
    time.learn(START_MS, 10);
    clock.pass(5_000);
    time.learn(START_MS + 2_000, 3_500);
    expect(time.nowMs()).toBe(START_MS + 5_005);
  });

  test('a clock of the broker that was put right is followed', () => {
    const clock = fakeClock(0);
    const time = createBrokerTime(clock);
    time.learn(START_MS, 10);
    clock.pass(60_000);
    time.learn(START_MS + 3_660_000, 200);
    expect(Math.abs(time.nowMs() - (START_MS + 3_660_000))).toBeLessThanOrEqual(200);
  });

  test('whatever answers come, an honest broker with any delays is never misjudged by more than one', () => {
    const answers = fc.array(
      fc.record({ up: fc.nat(4_000), down: fc.nat(4_000), waitMs: fc.nat(600_000) }),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(answers, (all) => {
        const clock = fakeClock(0);
        const time = createBrokerTime(clock);
        const truth = () => START_MS + clock.monotonicMs();
        let best = Infinity;
        for (const { up, down, waitMs } of all) {
          clock.pass(waitMs + up);
          const stamped = truth();
          clock.pass(down);
          time.learn(stamped, up + down);
          best = Math.min(best, up + down);
          expect(Math.abs(time.nowMs() - truth())).toBeLessThanOrEqual(up + down + 1);
        }
      }),
    );
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60])('%d is no time', (value) => {
    const time = createBrokerTime(fakeClock());
    expect(time.learn(value, 1)).toBe(false);
    expect([time.known(), time.offsetMs(), time.nowMs()]).toEqual([false, 0, START_MS]);
  });
});
