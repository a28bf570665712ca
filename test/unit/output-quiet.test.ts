// Looking at output that nobody prints costs a till next to nothing, and is soon enough when somebody does again.

import { expect, it } from 'vitest';
import { createOutput } from '../../agent/output.ts';
import { type FileStat, realJournalDisk } from '../../agent/system/journal-files.ts';
import { fakeTime, quiet } from './fleet-rig.ts';

const FILE = '/logs/sale/a.log';

it('quiet output is looked at every other second, and each second again once it grows', async () => {
  const { clock, timers, pass } = fakeTime();
  let asked = 0;
  let size = 100;
  const stat = (path: string): Promise<FileStat> => {
    asked += 1;
    const times = { modifiedMs: clock.wallMs(), blockBytes: 4096 };
    return Promise.resolve({ path, inode: 1, size, allocated: 4096, ...times });
  };
  const output = createOutput({
    ...{ logDir: '/logs', bytesMax: 2 ** 20, bytesPerSecondMax: 2 ** 20, clock, timers },
    ...{ log: quiet, report: () => undefined },
    puncher: { punch: never, collapse: never, allocate: never },
    disk: { ...realJournalDisk, stat, list: () => Promise.resolve([]) },
  });
  const seconds = async (count: number, grows: number): Promise<number> => {
    asked = 0;
    for (let n = 0; n < count; n += 1) {
      size += grows;
      output.tidy('sale', FILE);
      await output.settled();
      pass(1_000);
    }
    return asked;
  };
  expect(await seconds(30, 10)).toBe(30);
  await seconds(40, 0);
  expect(await seconds(30, 0)).toBeLessThanOrEqual(16);
  await seconds(2, 10);
  expect(await seconds(20, 10)).toBe(20);
  // Another life is nobody's quiet output.
  await seconds(60, 0);
  asked = 0;
  output.tidy('sale', '/logs/sale/b.log');
  await output.settled();
  expect(asked).toBe(1);
  output.stop();
});

const never = (): never => {
  throw new Error('nothing is to be freed');
};
