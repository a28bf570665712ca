// A component that prints faster than is taken in: the answer says that its newest records are missing.

import { expect, it } from 'vitest';
import type { Job } from '../../agent/logs/pull/job.ts';
import { blocksOf, commandFor, jobOf, journalOf, terminalOver, wishOf, work } from './pull-rig.ts';

it('an answer that lacks what was printed last says so', async () => {
  const path = await journalOf(blocksOf('sale', 3));
  const behind = await work(jobOf(path, { wish: wishOf({ behind: true }) }));
  expect(behind.end?.totals).toMatchObject({ truncated: true, cutBy: 'behind' });
  const whole = await work(jobOf(path));
  expect(whole.end?.totals).toMatchObject({ truncated: false, cutBy: '' });
  expect(behind.text).toBe(whole.text);
});

it.each([
  ['of the component that is asked for', [{ component: 'sale', bytes: 33_000_000 }], true],
  ['of another', [{ component: 'sync', bytes: 33_000_000 }], false],
  ['of half a line', [{ component: 'sale', bytes: 80 }], false],
])('a request is told what is behind: %s', async (_what, bytes, expected) => {
  const path = await journalOf(blocksOf('sale', 3));
  const jobs: Job[] = [];
  const world = terminalOver(path, {
    intake: { catchUp: () => Promise.resolve(), behind: () => bytes },
    startPull: (job) => {
      jobs.push(job);
      return { pid: 1, go: () => {}, cancel: () => {}, stop: () => {} };
    },
  });
  world.open().begin(commandFor());
  await world.turn();
  expect(jobs.map(({ wish }) => wish.behind)).toEqual([expected]);
});
