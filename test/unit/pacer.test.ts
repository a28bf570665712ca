// What the broker measures for the pace: how old a batch is, from its body alone, and how fast the slowest
// reader of the ledger moves on.

import { describe, expect, test } from 'vitest';
import { newestSampleMs } from '../../broker/ingest/newest-sample.ts';
import { createPacer, LOOKS_PER_SECOND_MAX } from '../../broker/ingest/pacer.ts';
import type { LedgerStats, Slowest } from '../../broker/ledger.ts';
import { FLOOR_BYTES_PER_SECOND, START_BYTES_PER_SECOND } from '../../broker/pace.ts';
import { packBody } from '../../protocol/body.ts';
import { encodeMetricBody } from '../../protocol/metric-body.ts';
import type { Batch } from '../../protocol/wire.ts';

const NOW_MS = 1_700_000_000_000;
const DAY_MS = 86_400_000;

function batch(timesMs: readonly number[], stream: Batch['stream'] = 'metrics'): Batch {
  const samples = Array.from({ length: 40 }, (_, n) => ({
    name: 'app_sales_total',
    labels: { lane: `${n}` },
    value: n,
  }));
  const body = encodeMetricBody(timesMs.map((timeMs) => ({ timeMs, samples })));
  const envelope = { epoch: new Uint8Array(16), stream, seq: 1, createdMs: NOW_MS };
  return { ...envelope, clockOffsetMs: 0, ...packBody(body) };
}

describe('the newest sample of a batch', () => {
  test.each([[[NOW_MS]], [[NOW_MS - 15_000, NOW_MS]], [[5, 10, DAY_MS]]])('of %j', (timesMs) => {
    expect(newestSampleMs(batch(timesMs))).toBe(timesMs.at(-1));
  });

  test('of a batch without samples, and of bytes that are none, is not known', () => {
    const whole = batch([NOW_MS]);
    expect(newestSampleMs(batch([]))).toBeUndefined();
    for (const body of [new Uint8Array(0), Buffer.from('no body'), whole.body.subarray(0, 30)]) {
      expect(newestSampleMs({ encoding: 'gzip', body })).toBeUndefined();
    }
    // Cut inside its instants, and with other fields in front of them.
    expect(newestSampleMs({ encoding: 'identity', body: Buffer.of(10, 6, 1) })).toBeUndefined();
    expect(newestSampleMs({ encoding: 'identity', body: Buffer.of(18, 1, 7, 10, 1, 4) })).toBe(2);
  });
});

/** A pacer whose ledger stands where the test says, and whose seconds it counts. */
function setUp() {
  let tick = (): void => {};
  let seconds = 0;
  let slowest: Slowest | undefined;
  const stats = { bytesAppended: 1_000_000, rowsAppended: 1_000 };
  const pacer = createPacer({
    ledger: { slowest: () => slowest, stats: () => stats as LedgerStats },
    clock: { wallMs: () => NOW_MS + seconds * 1_000, monotonicMs: () => seconds * 1_000 },
    timers: {
      every: (_ms, run) => {
        tick = run;
        return () => {};
      },
    },
  });
  return {
    pacer,
    second: (now?: Slowest): void => {
      slowest = now;
      seconds += 1;
      tick();
    },
  };
}

test('terminals with old samples share the budget, those with new ones do not', () => {
  const { pacer } = setUp();
  pacer.committed('lane-1', batch([NOW_MS - DAY_MS]), 8_000);
  pacer.committed('lane-2', batch([NOW_MS - 60_000]), 1_000);
  pacer.committed('lane-3', batch([NOW_MS - DAY_MS], 'events'), 1_000);
  expect(pacer.figures().terminals).toBe(1);
});

test('of one terminal one batch a second is looked at, of all together a number', () => {
  const { pacer, second } = setUp();
  const [live, old] = [batch([NOW_MS]), batch([NOW_MS - DAY_MS])];
  pacer.committed('lane-1', live, 1_000);
  pacer.committed('lane-1', old, 8_000);
  expect(pacer.figures().terminals).toBe(0);
  second();
  pacer.committed('lane-1', old, 8_000);
  expect(pacer.figures().terminals).toBe(1);
  second();
  for (let n = 0; n < LOOKS_PER_SECOND_MAX + 50; n += 1) pacer.committed(`t${n}`, old, 8_000);
  expect(pacer.figures().terminals).toBe(1 + LOOKS_PER_SECOND_MAX);
});

test('a reader that falls behind takes the pace down to half of what it takes, by name', () => {
  const { pacer, second } = setUp();
  const reader = (follower: string, id: number, behindS: number): Slowest => {
    return { follower, id, rows: 500, sinceMs: NOW_MS - behindS * 1_000 };
  };
  pacer.committed('lane-1', batch([NOW_MS - DAY_MS]), 8_000);
  expect(pacer.share()).toBe(START_BYTES_PER_SECOND);
  // 100 rows of 1 000 bytes a second.
  for (let s = 1; s < 8; s += 1) second(reader('remoteWrite', 100 * s, 20));
  expect(pacer.share()).toBe(50_000);
  // Where another one has come to says nothing of this one.
  second(reader('history', 9_000_000, 20));
  expect(pacer.share()).toBe(50_000);
  for (let s = 1; s < 400; s += 1) second(reader('remoteWrite', 700, 3_600));
  expect(pacer.share()).toBe(FLOOR_BYTES_PER_SECOND);
});
