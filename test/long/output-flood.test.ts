// A component that prints 50 MB/s on a disk of 200 MB, under a real agent: it is never held up, the disk is never
// full, and every line that is missing in the journal lies where a record tells of it.

import { expect, it } from 'vitest';
import { onSmallDisk } from './disk-world.ts';

const MEBIBYTE = 1024 * 1024;

it('a component that prints 50 MB/s neither waits nor fills the disk', (context) => {
  const { flood, events } = onSmallDisk(context, 'test/long/output-flood-child.ts', '200m');
  const at = (name: string): number => Number(flood?.[name]);
  expect(at('freeLeast')).toBeGreaterThan(40 * MEBIBYTE);
  expect(at('most')).toBeLessThan(150 * MEBIBYTE);
  // 30 s of it, minus what a starved machine could not print.
  expect(at('keptBytes') + at('gone')).toBeGreaterThan(200 * MEBIBYTE);
  // A megabyte a second is kept, in the journal, and no more of it on the disk than that is bound to.
  expect(at('keptBytes')).toBeLessThan(50 * MEBIBYTE);
  expect(at('lines')).toBeGreaterThan(10_000);
  expect(at('waitedMs')).toBeLessThan(2_000);
  // Once for the flood, not for each second of it; what the bound of all output took is no flood.
  const told = (events?.['bytes'] ?? []) as number[];
  expect(told).toHaveLength(1);
  expect(told[0]).toBeGreaterThan(150 * MEBIBYTE);
});
