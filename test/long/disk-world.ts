// Runs a program of a test in a mount namespace with small disks of its own: `<folder>/data` and `<folder>/run` are
// tmpfs, seen by nobody else and gone with it. The program tells what it saw in JSON, a line for each thing.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'vitest';
import { need } from './parts.ts';

function canMount(): boolean {
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** @returns what it told, by its `what`. */
export function onSmallDisk(
  context: TestContext,
  program: string,
  size: string,
): Record<string, Record<string, unknown>> {
  need(context, 'unshare', 'util-linux');
  need(context, 'fallocate', 'util-linux');
  if (!canMount()) {
    if (process.env['TILLWATCH_REQUIRE'] === 'all') throw new Error('unshare -m is not permitted');
    context.skip('unshare -m is not permitted here');
  }
  const folder = mkdtempSync(join(tmpdir(), 'tw-world-'));
  try {
    for (const name of ['data', 'run']) mkdirSync(join(folder, name));
    const script =
      'mount -t tmpfs -o "size=$2" none "$1/data" && mount -t tmpfs -o size=20m none "$1/run" && ' +
      'TMPDIR="$1/data" exec "$3" "$4" "$1"';
    const args = ['-m', 'sh', '-c', script, 'sh', folder, size, process.execPath, resolve(program)];
    const options = { encoding: 'utf8', timeout: 400_000, maxBuffer: 16 * 1024 * 1024 } as const;
    const lines = execFileSync('unshare', args, options).trim().split('\n');
    const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    return Object.fromEntries(told.map((entry) => [String(entry['what']), entry]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const tell = (what: string, more: object): void => {
  process.stdout.write(`${JSON.stringify({ what, ...more })}\n`);
};
export const pause = (ms: number): Promise<void> =>
  new Promise((done) => {
    setTimeout(done, ms);
  });
