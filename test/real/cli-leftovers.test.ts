// What a demo left behind is found by its mark and ended, also after everything that knew of it was
// killed; a process of somebody else is never touched, whatever its pid was before.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claim } from '../../cli/demo/claim.ts';
import { bootId, findMarked, identify, isAlive, MARK, signalTo } from '../../cli/demo/identity.ts';
import { endEarlier, killMarked, writeRecords } from '../../cli/demo/leftovers.ts';
import { plainEnvironment } from './plain-environment.ts';

const mark = `test-${process.pid}`;
let folder: string;
let children: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-left-'));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const sleeper = async (env: Record<string, string> = {}, ignoreTerm = false) => {
  const script = `${ignoreTerm ? "trap '' TERM INT; " : ''}echo up; while :; do sleep 1; done`;
  const child = spawn('/bin/sh', ['-c', script], {
    env: { ...plainEnvironment, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  children.push(child);
  await new Promise((up) => child.stdout.once('data', up));
  const identity = identify(child.pid ?? 0);
  if (identity === undefined) throw new Error('the child is not there');
  return identity;
};
const tell = (counts: number[]) => (count: number) => counts.push(count);

describe('a process', () => {
  it('is known by boot, pid and start time, and gone once it is dead', async () => {
    const child = await sleeper();
    expect(isAlive(child)).toBe(true);
    expect(isAlive({ ...child, startTicks: '1' })).toBe(false);
    expect(isAlive({ ...child, bootId: 'another' })).toBe(false);
    expect(signalTo({ ...child, startTicks: '1' }, 'SIGKILL')).toBe(false);
    expect(isAlive(child)).toBe(true);
    expect(signalTo(child, 'SIGKILL')).toBe(true);
    await expect.poll(() => isAlive(child)).toBe(false);
  });
});

describe('what carries the mark', () => {
  it('is found with its children and ended although it ignores polite signals', async () => {
    const marked = await sleeper({ [MARK]: mark }, true);
    const other = await sleeper({ [MARK]: `${mark}-other` });
    expect(findMarked(mark).map(({ pid }) => pid)).toContain(marked.pid);
    expect(findMarked(mark).map(({ pid }) => pid)).not.toContain(other.pid);
    expect(await killMarked(mark)).toEqual([]);
    expect(isAlive(marked)).toBe(false);
    expect(findMarked(mark)).toEqual([]);
    expect(isAlive(other)).toBe(true);
  });
});

describe('the claim of a folder', () => {
  it('is one process’s alone and ends with it, also by kill -9', async () => {
    const mine = await claim(mark, 0);
    expect(mine).toBeTypeOf('function');
    expect(await claim(mark, 0)).toBe(undefined);
    expect(await claim(`${mark}-other`, 0)).toBeTypeOf('function');
    mine?.();
    const script = `import { claim } from '${resolve('cli/demo/claim.ts')}';
      console.log(typeof await claim('${mark}', 2_000)); setInterval(() => {}, 1_000);`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(other);
    const said = await new Promise((done) => other.stdout.once('data', (text) => done(`${text}`)));
    expect(said).toBe('function\n');
    expect(await claim(mark, 0)).toBe(undefined);
    other.kill('SIGKILL');
    const again = await claim(mark, 5_000);
    expect(again).toBeTypeOf('function');
    again?.();
  });
});

describe('a new demo', () => {
  const file = () => join(folder, 'processes.json');

  it('ends what an earlier one recorded, and what only the mark tells', async () => {
    const demo = { bootId: bootId(), pid: 999_999_999, startTicks: '1' };
    const [recorded, marked] = [await sleeper(), await sleeper({ [MARK]: mark })];
    const runRoot = join(folder, 'tillwatch-run');
    mkdirSync(runRoot);
    writeRecords(file(), { demo, processes: [recorded], runRoot });
    const told: number[] = [];
    const { ended, left } = await endEarlier(file(), mark, tell(told));
    expect(left).toEqual([]);
    expect([recorded, marked].filter(isAlive)).toEqual([]);
    expect(ended).toBeGreaterThanOrEqual(2);
    expect(existsSync(runRoot)).toBe(false);
    expect(told).toEqual([ended]);
  });

  it('touches no process that has an old pid by chance', async () => {
    const stranger = await sleeper();
    const before = { ...stranger, startTicks: '1' };
    writeRecords(file(), { demo: before, processes: [before], runRoot: join(folder, 'x') });
    const told: number[] = [];
    expect(await endEarlier(file(), mark, tell(told))).toEqual({ ended: 0, left: [] });
    expect(told).toEqual([]);
    expect(isAlive(stranger)).toBe(true);
  });

  it('removes no folder that is not named as a demo’s', async () => {
    const gone = { bootId: bootId(), pid: 999_999_999, startTicks: '1' };
    const precious = join(folder, 'precious');
    mkdirSync(precious);
    writeRecords(file(), { demo: gone, processes: [], runRoot: precious });
    await endEarlier(file(), mark, () => {});
    expect(() => rmSync(precious, { recursive: true })).not.toThrow();
  });

  it('starts with half a file of records, or with none', async () => {
    expect(await endEarlier(file(), mark, () => {})).toEqual({ ended: 0, left: [] });
    writeFileSync(file(), '{"demo":');
    expect(await endEarlier(file(), mark, () => {})).toEqual({ ended: 0, left: [] });
  });
});
