// The drill on the till's own disk, on one of 50 MB that nobody else sees: limits are shares of so small a disk.

import { expect, it } from 'vitest';
import type { DrillReport } from '../../protocol/drill.ts';
import { onSmallDisk } from './disk-world.ts';

it('disk-full: each level comes, the floor is not touched, and the room is there again', (context) => {
  const told = onSmallDisk(context, 'test/long/drill-disk-child.ts', '50m');
  const { exit, report } = told['drilled'] as { exit: number; report: DrillReport };
  expect(report).toMatchObject({ fault: 'disk-full', state: 'passed' });
  expect(exit).toBe(0);
  const { numbers } = report;
  const levels = ['journal', 'evidence', 'metrics'].map((level) => numbers[level] ?? Number.NaN);
  expect(levels).toEqual(levels.toSorted((a, b) => a - b));
  expect(numbers['freeBytesMin']).toBeGreaterThan(numbers['floorBytes'] ?? Infinity);
  const after = told['after'] ?? {};
  expect(after).toMatchObject({ ballast: false, sale: 1 });
  const { freeBefore, freeAfter } = after;
  expect(Number(freeAfter)).toBeGreaterThan(Number(freeBefore) - 4_000_000);
  // An agent that is killed in the middle leaves the ballast to the next one.
  expect(told['killed']).toEqual({ what: 'killed', ballast: true });
  expect(told['cleaned']).toBeDefined();
});
