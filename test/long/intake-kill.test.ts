// Records are in the journal exactly once, whatever becomes of who brings them there.

import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { countsIn, recordsIn } from './intake-rig.ts';

const CHILD = resolve('test/long/intake-child.ts');
const KILLS = 8;

function begin(folder: string, file: string): { child: ChildProcess; behind: () => number } {
  let behind = -1;
  const child = spawn(process.execPath, [CHILD, folder, file, '1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout?.on('data', (text: Buffer) => {
    behind = Number(text.toString().trim().split('\n').at(-1));
  });
  return { child, behind: () => behind };
}

const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

it('an agent that is killed again and again takes each record into the journal once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tw-intake-kill-'));
  const file = join(folder, 'logs', 'sale', 'a.log');
  mkdirSync(join(folder, 'logs', 'sale'), { recursive: true });
  let printed = 0;
  const print = (count: number): void => {
    let text = '';
    for (let n = 0; n < count; n += 1) {
      printed += 1;
      text += `line ${printed} card 4111111111111111\n\tat second line of ${printed}\n`;
    }
    // Cut anywhere, as a writer's buffer is.
    const at = Math.floor(Math.random() * text.length);
    appendFileSync(file, text.slice(0, at));
    appendFileSync(file, text.slice(at));
  };
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const { child, behind } = begin(folder, file);
      const isKilled = new Promise((done) => child.once('exit', done));
      print(2_000);
      while (behind() < 0) await wait(5);
      for (let n = 0; n < 5; n += 1) {
        print(Math.floor(Math.random() * 3_000));
        await wait(Math.random() * 30);
      }
      child.kill('SIGKILL');
      await isKilled;
    }
    const { child, behind } = begin(folder, file);
    while (behind() !== 0) await wait(20);
    child.kill('SIGKILL');
    const records = recordsIn(folder);
    const numbers = records.map(({ text }) => Number(/^line (\d+) card \[PAN/.exec(text)?.[1]));
    expect(numbers).toEqual(Array.from({ length: printed }, (_, index) => index + 1));
    expect(records.every(({ text }) => text.endsWith(`of ${/\d+/.exec(text)?.[0]}`))).toBe(true);
    expect(readFileSync(file).includes('4111')).toBe(false);
    const counted = countsIn(folder).filter(({ component }) => component === 'sale');
    expect(counted).toEqual([{ component: 'sale', level: 'none', version: '1', count: printed }]);
    const journal = join(folder, 'journal', 'sale');
    for (const name of readdirSync(journal)) {
      expect(readFileSync(join(journal, name)).includes('411111')).toBe(false);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
