import { describe, expect, it } from 'vitest';
import {
  createChunkLane,
  createCredits,
  LOG_CHUNKS_ON_WAY_MAX,
  LOG_CHUNKS_PER_COMMIT,
  LOG_CHUNKS_PER_TERMINAL_MAX,
  LOG_CHUNKS_WAITING_MAX,
  PULL_SILENT_MS,
} from '../../broker/ingest/chunk-lane.ts';
import { LOG_WINDOW_QUICK_CHUNKS } from '../../protocol/limits.ts';

/** A lane whose helpings take so long, and time that only passes by timers. */
function lane(tookMs: number, terminalOf: (chunk: number) => string = String) {
  let now = 0;
  const due: { atMs: number; run: () => void }[] = [];
  const helpings: { atMs: number; chunks: readonly number[] }[] = [];
  const dropped: number[] = [];
  let settled = 0;
  const made = createChunkLane<number>({
    terminalOf,
    clock: { monotonicMs: () => now },
    timers: {
      after: (ms, run) => {
        const one = { atMs: now + ms, run };
        due.push(one);
        return () => due.splice(due.indexOf(one), 1);
      },
    },
    take: (chunks) => {
      helpings.push({ atMs: now, chunks });
      now += tookMs;
    },
    settle: () => {
      settled += 1;
    },
    dropped: (count) => dropped.push(count),
  });
  return {
    ...{ lane: made, helpings, dropped, due },
    settled: () => settled,
    fire: () => {
      const next = due.shift();
      now = Math.max(now, next?.atMs ?? now);
      next?.run();
    },
  };
}
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('the lane of log chunks', () => {
  it('takes a few with each commit, all in order, and rests for as long as that took while others are live', () => {
    const rig = lane(30);
    rig.lane.shared();
    rig.lane.add(numbers(10));
    expect(rig.helpings).toHaveLength(1);
    rig.lane.shared();
    rig.fire();
    rig.fire();
    expect(rig.helpings.flatMap(({ chunks }) => chunks)).toEqual(numbers(10));
    const starts = rig.helpings.map(({ atMs }) => atMs);
    expect(starts).toEqual([0, 60, 120]);
    expect(Math.max(...rig.helpings.map(({ chunks }) => chunks.length))).toBe(
      LOG_CHUNKS_PER_COMMIT,
    );
    expect([rig.settled(), rig.due.length]).toEqual([2, 0]);
  });

  it('does not rest where nothing else is to be done, but leaves the loop for a moment', () => {
    const rig = lane(30);
    rig.lane.add(numbers(18));
    rig.fire();
    rig.fire();
    expect(rig.helpings.map(({ atMs }) => atMs)).toEqual([0, 31, 62]);
    expect(rig.helpings.map(({ chunks }) => chunks.length)).toEqual([8, 8, 2]);
  });

  it('takes nothing with a commit that comes while it rests', () => {
    const rig = lane(30);
    rig.lane.shared();
    rig.lane.add(numbers(8));
    rig.lane.add(numbers(1));
    expect(rig.helpings).toHaveLength(1);
  });

  it('holds so many and no more, and counts what comes again', () => {
    const rig = lane(30);
    rig.lane.add(numbers(LOG_CHUNKS_WAITING_MAX + 7));
    expect(rig.dropped).toEqual([7]);
  });

  it('leaves room for others, whatever one terminal sends', () => {
    const rig = lane(30, (chunk) => (chunk < 1_000 ? 'hostile' : `till-${chunk}`));
    rig.lane.shared();
    rig.lane.add(numbers(LOG_CHUNKS_WAITING_MAX * 2));
    expect(rig.dropped).toEqual([LOG_CHUNKS_WAITING_MAX * 2 - LOG_CHUNKS_PER_TERMINAL_MAX]);
    rig.lane.add([1_001, 1_002]);
    expect(rig.dropped).toHaveLength(1);
    while (rig.due.length > 0) rig.fire();
    const taken = rig.helpings.flatMap(({ chunks }) => chunks);
    expect(taken).toEqual([...numbers(LOG_CHUNKS_PER_TERMINAL_MAX), 1_001, 1_002]);
    rig.lane.add([1]);
    expect(rig.dropped).toHaveLength(1);
  });

  it('does nothing any more once it is closed', () => {
    const rig = lane(1);
    rig.lane.add(numbers(20));
    rig.lane.close();
    expect(rig.due).toHaveLength(0);
  });
});

describe('credits of pulls', () => {
  it('are a whole window for a few, and one chunk each for a hundred', () => {
    const time = { now: 0 };
    const credits = createCredits({ monotonicMs: () => time.now });
    expect(credits.each()).toBe(LOG_WINDOW_QUICK_CHUNKS);
    for (const n of numbers(100)) credits.heard(`pull ${n}`);
    expect(credits.each()).toBe(1);
    for (const n of numbers(84)) credits.ended(`pull ${n}`);
    expect(credits.each()).toBe(LOG_CHUNKS_ON_WAY_MAX / 16);
    time.now += PULL_SILENT_MS + 1;
    expect(credits.each()).toBe(LOG_WINDOW_QUICK_CHUNKS);
  });
});
