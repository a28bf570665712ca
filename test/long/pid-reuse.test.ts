// The number of a dead component, or of its shim, given to a stranger by the kernel: nothing that the watchdog does to the
// dead is done to the stranger.

import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { need } from './parts.ts';

it('a stranger that got the number of a dead component or shim is left alone', (context) => {
  need(context, 'unshare', 'util-linux');
  // Not the first process of the namespace: everything that is orphaned would become its child.
  const script = '"$0" "$1"; exit $?';
  const child = resolve('test/long/pid-reuse-child.ts');
  let text: string;
  try {
    const args = ['-p', '-f', '-m', '--mount-proc', 'sh', '-c', script, process.execPath, child];
    text = execFileSync('unshare', args, { encoding: 'utf8', timeout: 60_000 });
  } catch (error) {
    if (process.env['TILLWATCH_REQUIRE'] === 'all') throw error;
    context.skip('a pid namespace of its own is not permitted here');
    return;
  }
  const told = text.trim().split('\n');
  expect(told.map((line) => JSON.parse(line))).toEqual(
    ['main', 'shim'].map((what) => ({
      what,
      exits: 1,
      believed: [null, null, {}],
      processes: [],
      frozen: false,
      isAdopted: false,
      again: true,
      state: 'S',
    })),
  );
});
