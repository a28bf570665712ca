// The agent's own log while its disk is full: /dev/full takes nothing, as a full disk does [full(4)].

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openOwnLog } from '../../agent/logs/own.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-log-'));
  path = join(folder, 'agent.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const linesOf = (name: string): Record<string, unknown>[] =>
  readFileSync(join(folder, name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
/** After a collection: what is held, not what was not yet cleared away. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
const turns = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a full disk silences the log only as long as it is full, and keeps nothing in memory', async () => {
  symlinkSync('/dev/full', path);
  const log = openOwnLog(path, false);
  log.info('before');
  await turns();
  const before = heldBytes();
  for (let round = 0; round < 20; round += 1) {
    for (let line = 0; line < 500; line += 1) log.info('x'.repeat(2_000));
    await turns();
  }
  expect(heldBytes() - before).toBeLessThan(5 * 2 ** 20);
  rmSync(path);
  log.warn('after', { component: 'sale' });
  await log.end();
  expect(linesOf('agent.log')).toMatchObject([
    { level: 'warn', message: 'after', component: 'sale', timestamp: expect.any(String) },
  ]);
});

test('it is for its owner, in whole lines, and no larger than its files may be', async () => {
  const limits = { bytesMax: 2_000, filesMax: 3 };
  const log = openOwnLog(path, false, { limits });
  for (let line = 0; line < 200; line += 1) log.info('a line', { line });
  await log.end();
  expect(readdirSync(folder).sort()).toEqual(['agent.log', 'agent1.log', 'agent2.log']);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const kept = ['agent2.log', 'agent1.log', 'agent.log'].flatMap((name) => {
    expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(2_000);
    return linesOf(name).map(({ line }) => line);
  });
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 200 - kept.length + i));
});
