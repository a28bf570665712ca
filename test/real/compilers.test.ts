// The agent rests without V8's optimising compilers and gets them back for work that is ten times slower without:
// seen by what V8 itself says that it optimised.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AGENT_FLAGS } from '../bench/rig.ts';

const PATTERNS = resolve('agent/watchdog/patterns.ts');
const HOT =
  'let sum = 0; const add = (n) => { sum += n; }; for (let n = 0; n < 1e6; n += 1) add(n);';

/** @returns whether V8 optimised anything. */
function optimises(script: string): boolean {
  const argv = [...AGENT_FLAGS, '--trace-opt', '--input-type=module', '-e', script];
  const told = execFileSync(process.execPath, argv, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return told.includes('completed optimizing');
}

describe("V8's optimising compilers", () => {
  it('are off in an agent, however hot a function becomes', () => {
    expect(optimises(HOT)).toBe(false);
  });

  it('are on from the first pattern of a configuration', () => {
    const match = `const { compilePattern } = await import(${JSON.stringify(PATTERNS)});
      const { matches } = await compilePattern('(FATAL|panic).*code=[0-9]+');
      for (let n = 0; n < 20_000; n += 1) matches('info sale ' + n + ' article 4006381333931');`;
    expect(optimises(match)).toBe(true);
  });

  it('are those that the start of the agent leaves out', () => {
    const own = readFileSync('deploy/tillwatch-agent', 'utf8');
    for (const flag of AGENT_FLAGS) expect(own).toContain(` ${flag} `);
  });
});
