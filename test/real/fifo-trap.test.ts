// A FIFO in the place of a file that the agent reads: whoever opens it for reading waits for a writer, for ever. A
// component knows the name of its own output (/proc/self/fd/1) and those of its run directory, and can put one there;
// the agent must not stand still for it. Asked in a process of its own, as a mistake here stops whoever makes it.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

let folder: string;
let fifo: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-fifo-'));
  fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
});
afterEach(() => rmSync(folder, { recursive: true }));

function tell(module: string, expression: string): string {
  const code = `const m = await import(${JSON.stringify(resolve(module))});
    process.stdout.write(JSON.stringify(await ${expression}) ?? 'undefined');
    process.exit();`;
  const args = ['--input-type=module', '-e', code, fifo];
  const { stdout, stderr, error } = spawnSync(process.execPath, args, {
    ...{ timeout: 10_000, killSignal: 'SIGKILL', encoding: 'utf8' },
  });
  return error === undefined && stderr === '' ? stdout : `${error?.message} ${stderr}`;
}
const path = 'process.argv[1]';

it('a small file that became a FIFO is read as absent, at once', () => {
  expect(tell('agent/system/files.ts', `m.realFiles.read(${path})`)).toBe('undefined');
  expect(tell('agent/system/files.ts', `m.realFiles.readEnd(${path}, 100)`)).toBe('undefined');
});

it('last lines are not waited for either, and no thread of the pool is lost to them', () => {
  // Four of them are the whole pool: one that waits takes the agent's other files with it.
  const all = `Promise.all(Array.from({ length: 8 }, () => m.readLastLines(${path})))`;
  expect(tell('agent/evidence/last-lines.ts', all)).toBe('[[],[],[],[],[],[],[],[]]');
});
