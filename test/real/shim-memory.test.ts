// What a component inherits of the agent's standing when memory is short: under systemd the agent and its shims
// are the last to be killed (OOMScoreAdjust=-900), the components must not be. Lowering a score is often not
// allowed where tests run, so a file stands in for the kernel's there.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parsePidFile, pidFile, SHIM, shimCommand } from '../../agent/watchdog/shim.ts';
import { until } from './agent-rig.ts';

const KERNELS = '/proc/self/oom_score_adj';
const folder = mkdtempSync(join(tmpdir(), 'tw-shim-'));
const started: number[] = [];
afterAll(() => {
  for (const pid of started) process.kill(-pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const text = (path: string): string => readFileSync(path, 'latin1').trim();

/** @returns the pids of the shim and of the component, once the latter is what it was started as. */
async function startShim(id: string, command: readonly string[]) {
  const [program = '', ...argv] = command;
  const child = spawn(program, argv, { detached: true, stdio: 'ignore' });
  if (child.pid !== undefined) started.push(child.pid);
  const told = await until('the shim started it', () => {
    try {
      return parsePidFile(readFileSync(pidFile(folder, id), 'latin1'));
    } catch {
      return false;
    }
  });
  await until('sleep runs', () => text(`/proc/${told.pid}/comm`) === 'sleep');
  return told;
}

/** With a file in place of the kernel's. @returns what stands there once the component runs. */
async function scoreAfter(id: string, score: string): Promise<string> {
  const file = join(folder, `${id}.score`);
  writeFileSync(file, `${score}\n`);
  const command = shimCommand(folder, id, ['sleep', '60']).map((word) =>
    word === SHIM ? word.replaceAll(KERNELS, file) : word,
  );
  await startShim(id, command);
  return text(file);
}

describe('a component of an agent that is spared when memory is short', () => {
  it('is not spared itself', async () => {
    expect(await scoreAfter('low', '-900')).toBe('0');
  });

  it('keeps an ordinary score, and one that makes it more likely to be killed', async () => {
    expect(await scoreAfter('ordinary', '0')).toBe('0');
    expect(await scoreAfter('high', '300')).toBe('300');
  });

  it('starts where there is no such file', async () => {
    const command = shimCommand(folder, 'none', ['sleep', '60']).map((word) =>
      word === SHIM ? word.replaceAll(KERNELS, join(folder, 'absent', 'score')) : word,
    );
    const { pid } = await startShim('none', command);
    expect(text(`/proc/${pid}/comm`)).toBe('sleep');
  });

  it('keeps a raised score as its shim does: with real scores', async () => {
    // Raising needs no right.
    const raise = [`echo 300 >${KERNELS}; exec "$@"`, 'sh'];
    const shim = shimCommand(folder, 'real', ['sleep', '60']);
    const { shimPid, pid } = await startShim('real', ['/bin/sh', '-c', ...raise, ...shim]);
    expect(text(`/proc/${shimPid}/oom_score_adj`)).toBe('300');
    expect(text(`/proc/${pid}/oom_score_adj`)).toBe('300');
  });
});
