// The demo as a stranger runs it: from dist/, in a folder of its own. It tells its story, checks each step
// and leaves no process; after a kill -9 a new one ends what was left.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findMarked, type Identity, isAlive, signalTo } from '../../cli/demo/identity.ts';
import { killMarked } from '../../cli/demo/leftovers.ts';

const markOf = (home: string): string =>
  createHash('sha256')
    .update(realpathSync(join(home, '.tillwatch')))
    .digest('hex')
    .slice(0, 16);

let folder: string;
let mark: string;
let otherMark: string | undefined;
let demos: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-demo-'));
  mkdirSync(join(folder, '.tillwatch'));
  mark = markOf(folder);
  otherMark = undefined;
  demos = [];
});
afterEach(async () => {
  for (const demo of demos) demo.kill('SIGKILL');
  await killMarked(mark);
  if (otherMark !== undefined) await killMarked(otherMark);
  rmSync(folder, { recursive: true, force: true });
});

type Demo = { child: ChildProcess; text: () => string; exit: Promise<number | string | null> };

function startDemo(...argv: string[]): Demo {
  const child = spawn(process.execPath, [resolve('dist/tillwatch.mjs'), 'demo', ...argv], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  demos.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      text += String(chunk);
    });
  }
  const exit = new Promise<number | string | null>((done) =>
    child.once('exit', (code, signal) => done(signal ?? code)),
  );
  return { child, text: () => text, exit };
}

const until = async (demo: Demo, words: string): Promise<void> => {
  await expect
    .poll(() => demo.text(), { timeout: 120_000, interval: 100 })
    .toEqual(expect.stringContaining(words));
};

describe('what is built', () => {
  it('names no folder of the machine that built it', () => {
    const files = readdirSync('dist', { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.mjs'),
    );
    expect(files.length).toBeGreaterThan(7);
    const naming = files.filter((name) =>
      readFileSync(join('dist', name), 'utf8').includes(resolve('.')),
    );
    expect(naming).toEqual([]);
  });
});

describe('the demo', () => {
  it('tells its story once, exits 0 and leaves no process', async () => {
    const demo = startDemo('--once');
    const code = await demo.exit;
    const text = demo.text();
    expect(text).not.toContain('failed');
    expect(code, text).toBe(0);
    expect(findMarked(mark)).toEqual([]);
    for (const words of [
      'suspected',
      'confirmed, a hang',
      'the same basket',
      'succeeded',
      'took over',
      '10 components run',
      'as it was cut',
      'EPTR_REC_EMPTY',
      'tillwatch terminal ha-lane-1 says why',
      'what had waited is printed',
      'E_NOHARDWARE',
      'it reads 4006381333931',
      '[PAN visa ....1111]',
    ]) {
      expect(text).toContain(words);
    }
    expect(text).toMatch(/\d+ sales rung up, all of them at head office/);
    expect(text).toContain('no process is left');
    expect(text.replaceAll(/[ -]/g, '')).not.toContain('4111111111111111');
    // What a roll of paper or a cable mends is no reason to start anything again.
    expect(text).toMatch(/Restarts on the real ones: 1 \w+ \(\w+\), 1 \w+ \(\w+\), 1 \w+\s+\(/);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text).not.toMatch(/\n {4}at |[{}]/); // no stack traces, no JSON
  });

  it('ends every process at Ctrl-C, also in the middle of its story', async () => {
    const demo = startDemo();
    await until(demo, '2. ');
    expect(findMarked(mark).length).toBeGreaterThan(10);
    demo.child.kill('SIGINT');
    await demo.exit;
    expect(findMarked(mark)).toEqual([]);
  });

  it('ends when its parent is gone', async () => {
    // A shell that starts it and is killed before it could pass anything on.
    const script = `"${process.execPath}" "${resolve('dist/tillwatch.mjs')}" demo & echo $!; wait`;
    const shell = spawn('/bin/sh', ['-c', script], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    demos.push(shell);
    let text = '';
    shell.stdout.on('data', (chunk) => {
      text += String(chunk);
    });
    await expect.poll(() => text, { timeout: 60_000 }).toContain('1. ');
    shell.kill('SIGKILL');
    await expect.poll(() => findMarked(mark).length, { timeout: 40_000 }).toBe(0);
    const pid = Number(text.split('\n')[0]);
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false);
  });

  // A whole story costs most of a minute: one is enough for both.
  it('that was killed with SIGKILL is cleaned up by the next, which says as JSON lines what it says in words', async () => {
    const first = startDemo();
    await until(first, '2. ');
    // Everything that could end the components is killed with it; they alone sell on.
    const records = JSON.parse(
      readFileSync(join(folder, '.tillwatch', 'processes.json'), 'utf8'),
    ) as { demo: Identity; processes: Identity[] };
    for (const one of [records.demo, ...records.processes]) signalTo(one, 'SIGKILL');
    await first.exit;
    const left: Identity[] = findMarked(mark);
    expect(left.length).toBeGreaterThan(6);
    const second = startDemo('--once', '--json');
    await until(second, 'An earlier demo of this folder left');
    await until(second, '"heading"');
    expect(left.filter(isAlive)).toEqual([]);
    expect(await second.exit, second.text()).toBe(0);
    expect(findMarked(mark)).toEqual([]);
    const lines = second
      .text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ kind }) => kind === 'heading').length).toBeGreaterThanOrEqual(10);
    expect(lines.filter(({ kind }) => kind === 'bad')).toEqual([]);
  });

  it('is refused while another of the same folder runs, which goes on', async () => {
    const first = startDemo();
    await until(first, '2. ');
    const second = startDemo('--once');
    expect(await second.exit).toBe(69);
    expect(second.text()).toMatch(/^tillwatch: a demo of this folder runs already \(process \d+\)/);
    expect(second.text()).toContain(String(first.child.pid));
    await until(first, '3. ');
    first.child.kill('SIGTERM');
    expect(await first.exit).toBe(0);
    expect(findMarked(mark)).toEqual([]);
  });

  it('takes the next free ports when the usual ones are taken, and says which', async () => {
    const first = startDemo();
    await until(first, '1. ');
    const other = join(folder, 'other');
    mkdirSync(join(other, '.tillwatch'), { recursive: true });
    otherMark = markOf(other);
    const second = spawn(process.execPath, [resolve('dist/tillwatch.mjs'), 'demo'], {
      cwd: other,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    demos.push(second);
    let text = '';
    second.stdout.on('data', (chunk) => {
      text += String(chunk);
    });
    await expect.poll(() => text, { timeout: 60_000 }).toContain('1. ');
    const url = (said: string) => /https:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
    expect(url(text)).toMatch(/^https:/);
    expect(url(text)).not.toBe(url(first.text()));
    const operator = JSON.parse(readFileSync(join(other, '.tillwatch', 'operator.json'), 'utf8'));
    expect(operator.url).toBe(url(text));
    const ended = new Promise((done) => second.once('exit', done));
    second.kill('SIGTERM');
    await ended;
  });
});
