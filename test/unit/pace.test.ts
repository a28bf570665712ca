// The pace of those that catch up, over simulated seconds: terminals that were away, a reader of the ledger
// that takes so much a second in the order in which it came, and live data in between. The readers here
// are measured as the broker measures them: by how far they have come.

import { describe, expect, test } from 'vitest';
import {
  BACKLOG_AGE_MS,
  createPace,
  FLOOR_BYTES_PER_SECOND,
  firstBudget,
  START_BYTES_PER_SECOND,
  stepBudget,
} from '../../broker/pace.ts';

const BATCH_BYTES = 8_000;
const LIVE_BATCH_BYTES = 1_050;
const OLD_MS = BACKLOG_AGE_MS + 1;
const MIB = 1024 * 1024;

type Plan = {
  readonly returning: number;
  readonly backlogBytes: number;
  readonly live: number;
  /** What the reader takes at second `s`. */
  readonly takes: (s: number) => number;
  readonly seconds: number;
  readonly max?: number;
};
type Row = { readonly bytes: number; readonly atS: number; readonly isLive: boolean };

/** @returns what a person would look at afterwards. */
function run({ returning, backlogBytes, live, takes, seconds, max = 8 * MIB }: Plan) {
  const pace = createPace(max);
  // Each fills its bucket at the pace that its last acknowledgement told; the first came with a live batch.
  const terminals = Array.from({ length: returning }, (_, index) => ({
    id: `t${index}`,
    left: backlogBytes,
    told: 0,
    bucket: 0,
    backS: index % 30,
  }));
  let queue: Row[] = [];
  let head = 0;
  const seen = { liveLagSMax: 0, endS: 0, sentMax: 0, shareMin: Infinity };
  const lags: number[] = [];
  for (let s = 0; s < seconds; s += 1) {
    let sent = 0;
    for (let n = 0; n < live; n += 1) {
      if ((n + s) % 60 !== 0) continue;
      queue.push({ bytes: LIVE_BATCH_BYTES, atS: s, isLive: true });
      pace.received(`live${n}`, LIVE_BATCH_BYTES, 15_000, s * 1_000);
    }
    for (const terminal of terminals) {
      // Its live batches are acknowledged, too.
      if (terminal.backS <= s && (s - terminal.backS) % 60 === 0) terminal.told = pace.share();
      if (terminal.left <= 0 || terminal.backS > s) continue;
      terminal.bucket += terminal.told;
      while (terminal.bucket >= BATCH_BYTES && terminal.left > 0) {
        terminal.bucket -= BATCH_BYTES;
        terminal.left -= BATCH_BYTES;
        sent += BATCH_BYTES;
        queue.push({ bytes: BATCH_BYTES, atS: s, isLive: false });
        pace.received(terminal.id, BATCH_BYTES, OLD_MS, s * 1_000);
        terminal.told = pace.share();
      }
      if (terminal.left <= 0) seen.endS = s;
    }
    let room = takes(s);
    let took = 0;
    while (head < queue.length && room >= (queue[head]?.bytes ?? 0)) {
      const row = queue[head] as Row;
      head += 1;
      room -= row.bytes;
      took += row.bytes;
      if (row.isLive) seen.liveLagSMax = Math.max(seen.liveLagSMax, s - row.atS);
      if (row.isLive) lags.push(s - row.atS);
    }
    if (head > 100_000) {
      queue = queue.slice(head);
      head = 0;
    }
    const behindMs = head < queue.length ? (s - (queue[head]?.atS ?? s)) * 1_000 : 0;
    pace.tick({ behindMs, taken: took }, (s + 1) * 1_000);
    seen.sentMax = Math.max(seen.sentMax, sent);
    seen.shareMin = Math.min(seen.shareMin, pace.share());
  }
  lags.sort((a, b) => a - b);
  const left = terminals.reduce((sum, terminal) => sum + Math.max(0, terminal.left), 0);
  return { ...seen, left, liveLagSP99: lags[Math.floor(lags.length * 0.99)] ?? 0, pace };
}

describe('1 000 terminals that come back after a day', () => {
  const day = { returning: 1_000, backlogBytes: 1_500_000, live: 10_000 };

  test('neither drown a slow reader nor the live data in front of it, and all of them end', () => {
    // A database that takes 450 kB/s, of which live data needs 175.
    const seen = run({ ...day, takes: () => 450_000, seconds: 4 * 3_600 });
    expect(seen.left).toBe(0);
    expect(seen.liveLagSMax).toBeLessThan(60);
    expect(seen.liveLagSP99).toBeLessThan(30);
    expect(seen.pace.figures().terminals).toBe(0);
    // Half of what it takes would be 1:51 h.
    expect(seen.endS).toBeGreaterThan(1.4 * 3_600);
    expect(seen.endS).toBeLessThan(2.5 * 3_600);
  });

  test('end in minutes where the reader is fast, within the configured budget', () => {
    const seen = run({ ...day, takes: () => 50 * MIB, seconds: 1_800, max: 4 * MIB });
    expect(seen.left).toBe(0);
    expect(seen.endS).toBeLessThan(900);
    expect(seen.liveLagSMax).toBe(0);
    expect(seen.sentMax).toBeLessThan(2 * 4 * MIB);
  });

  test('go on at the floor while a reader is down, and faster when it is back', () => {
    const takes = (s: number): number => (s >= 300 && s < 2_400 ? 0 : 3 * MIB);
    const seen = run({ ...day, takes, seconds: 2 * 3_600 });
    expect(seen.left).toBe(0);
    expect(seen.shareMin).toBe(FLOOR_BYTES_PER_SECOND);
    expect(seen.endS).toBeGreaterThan(2_400);
  });
});

test('a reader that can take less than live data leaves everybody the floor', () => {
  const plan = { returning: 50, backlogBytes: 40_000, live: 10_000 };
  const seen = run({ ...plan, takes: () => 100_000, seconds: 1_800 });
  expect(seen.shareMin).toBe(FLOOR_BYTES_PER_SECOND);
  expect(seen.left).toBe(0);
});

describe('the budget', () => {
  const step = { seconds: 1, max: 8 * MIB, isAsked: true };
  const busy = { behindMs: 15_000, taken: 400_000, live: 100_000 };

  test('is half of what the slowest reader takes, once that is behind', () => {
    const budget = { bytesPerSecond: MIB, capacity: undefined };
    expect(stepBudget(budget, busy, step).bytesPerSecond).toBe(200_000);
  });

  test('leaves live data what it needs of the rest', () => {
    const budget = { bytesPerSecond: MIB, capacity: undefined };
    const much = { ...busy, live: 300_000 };
    expect(stepBudget(budget, much, step).bytesPerSecond).toBe(60_000);
    expect(stepBudget(budget, { ...busy, live: 500_000 }, step).bytesPerSecond).toBe(0);
  });

  test('grows while readers keep up and somebody asks, up to its bound', () => {
    let budget = firstBudget(8 * MIB);
    for (let s = 0; s < 200; s += 1) {
      budget = stepBudget(budget, { behindMs: 0, taken: 5, live: 0 }, step);
    }
    expect(budget.bytesPerSecond).toBe(8 * MIB);
    const unasked = { ...step, isAsked: false };
    budget = stepBudget(budget, { behindMs: 0, taken: 5, live: 0 }, unasked);
    expect(budget.bytesPerSecond).toBe(START_BYTES_PER_SECOND);
  });

  test('comes back soon to what is known to be borne, and finds out slowly what more is', () => {
    let budget = { bytesPerSecond: 0, capacity: 800_000 as number | undefined };
    const goOn = (seconds: number): void => {
      for (let s = 0; s < seconds; s += 1) {
        budget = stepBudget(budget, { behindMs: 0, taken: 5, live: 0 }, step);
      }
    };
    goOn(70);
    expect(Math.floor(budget.bytesPerSecond / 1_000)).toBeGreaterThanOrEqual(400);
    expect(budget.bytesPerSecond).toBeLessThan(450_000);
    goOn(140);
    expect(budget.bytesPerSecond).toBeGreaterThan(790_000);
    expect(budget.bytesPerSecond).toBeLessThan(900_000);
  });

  test('never begins above what is configured', () => {
    expect(firstBudget(1_000).bytesPerSecond).toBe(1_000);
  });
});

describe('who catches up', () => {
  test('is known by the age of its samples, and has caught up when no old ones come', () => {
    const pace = createPace();
    pace.received('live', 1_000, 60_000, 0);
    pace.received('unknown', 1_000, undefined, 0);
    pace.received('back', 8_000, OLD_MS, 0);
    expect(['live', 'unknown', 'back'].map(pace.isCatchingUp)).toEqual([false, false, true]);
    // Its live batches in between say nothing about its backlog.
    pace.received('back', 1_000, 15_000, 20_000);
    pace.tick({ behindMs: 0, taken: 0 }, 29_000);
    expect(pace.isCatchingUp('back')).toBe(true);
    pace.tick({ behindMs: 0, taken: 0 }, 31_000);
    expect(pace.isCatchingUp('back')).toBe(false);
  });

  test('shares with the others, and nobody gets less than the floor', () => {
    const pace = createPace(100_000);
    expect(pace.share()).toBe(100_000);
    for (let n = 0; n < 10; n += 1) pace.received(`t${n}`, 8_000, OLD_MS, 0);
    expect(pace.share()).toBe(10_000);
    for (let n = 0; n < 10_000; n += 1) pace.received(`t${n}`, 8_000, OLD_MS, 0);
    expect(pace.share()).toBe(FLOOR_BYTES_PER_SECOND);
    expect(pace.figures()).toEqual({ bytesPerSecond: 100_000, terminals: 10_000 });
  });
});
