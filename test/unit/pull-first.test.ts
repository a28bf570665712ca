// The first chunk of an answer is a small one: somebody waits for a first line, and on a slow line a whole chunk
// takes half a second. What follows is as large as it may be, and the answer is the same.

import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { blocksOf, jobOf, journalOf, work } from './pull-rig.ts';

it('begins with a small chunk, goes on with large ones, and loses nothing between', async () => {
  const line = (n: number): string => `line ${n}: ${'bread and milk '.repeat(6)}`;
  const path = await journalOf(blocksOf('sale', 8_000, line, 1_000));
  const whole = await work(jobOf(path));
  const [first = 0, second = 0] = whole.chunks.map(({ body }) => body.length);
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThanOrEqual(32 * 1024);
  expect(second).toBeGreaterThan(128 * 1024);
  expect(createHash('sha256').update(whole.text).digest('hex')).toBe(whole.end?.sha256);
});
