// What of a component's output has to go: decided from sizes and holes alone.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type JournalFile,
  judgeCrowd,
  judgeRate,
  judgeSize,
  withHole,
} from '../../agent/capture.ts';
import { grow, isOver, tell } from '../../agent/flood.ts';
import { HOLES_MAX, type Hole, keptBytes } from '../../agent/logs/holes.ts';

const MEBIBYTE = 1024 * 1024;
const hole = (from: number, to: number): Hole => ({
  ...{ from, to, bytes: to - from, firstMs: 0, lastMs: 0, reason: 'rate' },
});
const file = (path: string, size: number, modifiedMs: number, holes: Hole[] = []): JournalFile => ({
  ...{ path, inode: 1, size, modifiedMs, holes },
  allocated: keptBytes(holes, { from: 0, to: size }),
});
const told = ({ remove, punch }: ReturnType<typeof judgeSize>) => ({
  remove: remove.map(({ path }) => path),
  punch: punch.map(({ file: of, ranges }) => [of.path, ...ranges]),
});

describe('what is kept of output', () => {
  it('is the newest five lives, the open one always', () => {
    const files = [1, 2, 3, 4, 5, 6, 7].map((n) => file(`${n}.log`, 10, n));
    expect(told(judgeSize(files, '1.log', 100)).remove).toEqual(['2.log', '3.log']);
    expect(told(judgeSize(files, undefined, 100)).remove).toEqual(['1.log', '2.log']);
  });

  it('loses the oldest bytes first: whole files, then the front of the next', () => {
    const files = [file('c', MEBIBYTE, 1), file('b', MEBIBYTE, 2), file('a', MEBIBYTE, 3)];
    expect(told(judgeSize(files, 'a', 2 * MEBIBYTE))).toEqual({
      remove: ['c'],
      punch: [['b', { from: 0, to: MEBIBYTE / 4 }]],
    });
    expect(told(judgeSize(files, 'a', 3 * MEBIBYTE))).toEqual({ remove: [], punch: [] });
  });

  it('is counted in blocks: a file of a terabyte that holds a megabyte is small', () => {
    const large = file('a', 2 ** 40, 1, [hole(0, 2 ** 40 - MEBIBYTE)]);
    expect(told(judgeSize([large], 'a', MEBIBYTE))).toEqual({ remove: [], punch: [] });
    const grown = { ...large, size: large.size + MEBIBYTE, allocated: 2 * MEBIBYTE };
    expect(told(judgeSize([grown], 'a', MEBIBYTE)).punch).toEqual([
      ['a', { from: 0, to: grown.size - MEBIBYTE * (7 / 8) }],
    ]);
  });

  it('is within its bound, and the open file stays, whatever there was', () => {
    const bytes = fc.integer({ min: 0, max: 5 * MEBIBYTE });
    const range = fc
      .tuple(bytes, bytes)
      .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
    const shape = fc.record({ size: bytes, holes: fc.array(range, { maxLength: 6 }) });
    fc.assert(
      fc.property(fc.array(shape, { minLength: 1, maxLength: 5 }), (shapes) => {
        const files = shapes.map(({ size, holes }, at) => {
          const made = holes
            .filter(({ from, to }) => from < to && to <= size)
            .reduce<Hole[]>((all, one) => withHole(all, { ...hole(0, 1), ...one }).holes, []);
          return file(`${at}`, size, at, made);
        });
        const open = `${files.length - 1}`;
        const { remove, punch } = judgeSize(files, open, MEBIBYTE);
        let left = 0;
        for (const one of files) {
          if (remove.includes(one)) continue;
          const freed = punch.find((entry) => entry.file === one)?.ranges ?? [];
          const after = freed.reduce<Hole[]>(
            (all, piece) => withHole(all, { ...hole(0, 1), ...piece }).holes,
            [...one.holes],
          );
          left += keptBytes(after, { from: 0, to: one.size });
        }
        expect(left).toBeLessThanOrEqual(MEBIBYTE + 16 * 1024);
        expect(remove.map(({ path }) => path)).not.toContain(open);
      }),
    );
  });
});

describe('output that is too fast', () => {
  const growth = { from: 1_000, elapsedMs: 1_000, bytesPerSecondMax: 1_000_000 };
  it('is what is over its rate; the newest stays', () => {
    expect(judgeRate({ ...growth, size: 1_001_000 })).toBeUndefined();
    expect(judgeRate({ ...growth, size: 5_001_000 })).toEqual({ from: 1_000, to: 4_001_000 });
    expect(judgeRate({ ...growth, size: 5_001_000, elapsedMs: 60_000 })).toBeUndefined();
  });

  it('is told once when it is over, and once in a while as long as it is not', () => {
    let flood = grow(undefined, 100, 0);
    expect(tell(flood, 5_000, false)).toBeUndefined();
    expect(tell(flood, 10_000, false)?.bytes).toBe(100);
    expect(isOver(flood, 10_000)).toBe(true);
    expect(tell(flood, 1, true)?.bytes).toBe(100);
    const said: number[] = [];
    for (let second = 1; second <= 7_200; second += 1) {
      flood = grow(flood, 1, second * 1_000);
      const told = tell(flood, second * 1_000, false);
      if (told === undefined) continue;
      flood = told.flood;
      said.push(told.bytes);
    }
    expect(said).toEqual([160, 3_600]);
  });

  it('leaves at most so many holes: the oldest piece between two of them goes', () => {
    const holes = Array.from({ length: HOLES_MAX + 1 }, (_, n) => hole(n * 100, n * 100 + 50));
    expect(judgeCrowd(holes.slice(1))).toBeUndefined();
    expect(judgeCrowd(holes)).toEqual({ from: 50, to: 100 });
  });
});
