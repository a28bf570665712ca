// The broker's log while its disk is full: /dev/full takes nothing, as a full disk does [full(4)].

import { readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLog } from '../../broker/log.ts';
import { folder } from './fleet-rig.ts';

const linesOf = (path: string): Record<string, unknown>[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const turns = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a full disk silences the log only as long as it is full, and keeps nothing in memory', async () => {
  const dir = folder();
  const path = join(dir, 'broker.log');
  symlinkSync('/dev/full', path);
  const log = openLog(dir, {});
  log.info('before');
  await turns();
  const before = process.memoryUsage().heapUsed;
  for (let round = 0; round < 20; round += 1) {
    for (let line = 0; line < 500; line += 1) log.info('x'.repeat(2_000));
    await turns();
  }
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(15 * 2 ** 20);
  rmSync(path);
  log.warn('after', { terminal: 'lane-1' });
  await log.end();
  expect(linesOf(path)).toMatchObject([
    { level: 'warn', message: 'after', terminal: 'lane-1', timestamp: expect.any(String) },
  ]);
});

test('the log is for its owner, in whole lines, and no larger than its files may be', async () => {
  const dir = folder();
  const log = openLog(dir, {}, { bytesMax: 2_000, filesMax: 3 });
  for (let line = 0; line < 200; line += 1) log.info('a line', { line });
  await log.end();
  expect(readdirSync(dir).sort()).toEqual(['broker.log', 'broker1.log', 'broker2.log']);
  expect(statSync(join(dir, 'broker.log')).mode & 0o777).toBe(0o600);
  const kept = ['broker2.log', 'broker1.log', 'broker.log'].flatMap((name) => {
    expect(statSync(join(dir, name)).size).toBeLessThanOrEqual(2_000);
    return linesOf(join(dir, name)).map(({ line }) => line);
  });
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 200 - kept.length + i));
  const again = openLog(dir, {}, { bytesMax: 2_000, filesMax: 3 });
  again.info('appended');
  await again.end();
  expect(linesOf(join(dir, 'broker.log')).length).toBeGreaterThan(1);
});
