import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const idle = join(import.meta.dirname, '../../agent/system/idle.ts');

/** Of each thread of a process that gave way so far, one after the other: its priorities then. */
function prioritiesAfter(...steps: readonly string[]): number[] {
  const program = `
    import { readdirSync } from 'node:fs';
    import { getPriority } from 'node:os';
    import { giveWay, HASTY, LOWEST } from ${JSON.stringify(idle)};
    for (const step of [${steps.join(', ')}]) giveWay(step);
    const all = readdirSync('/proc/self/task').map((thread) => getPriority(Number(thread)));
    process.stdout.write(JSON.stringify([...new Set(all)]));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program]);
  return JSON.parse(stdout.toString());
}

describe.skipIf(process.platform !== 'linux')('a process that gives way', () => {
  it('does so with all its threads, first a little, then as far as it can', () => {
    expect(prioritiesAfter('HASTY')).toEqual([5]);
    expect(prioritiesAfter('HASTY', 'LOWEST')).toEqual([19]);
  });

  it('never takes back what it gave', () => {
    expect(prioritiesAfter('LOWEST', 'HASTY')).toEqual([19]);
  });
});
