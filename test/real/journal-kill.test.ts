// A journal whose writer is killed again and again, at any moment: every record is in it exactly once, and the places
// say how far it is.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openJournal } from '../../agent/logs/journal/journal.ts';
import { openReader } from '../../agent/logs/journal/reader.ts';

const CHILD = fileURLToPath(new URL('journal-child.ts', import.meta.url));
const ALWAYS = { sinceMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };

async function runAndKill(folder: string, ms: number): Promise<void> {
  const child = spawn(process.execPath, [CHILD, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), gone]);
  await sleep(ms);
  child.kill('SIGKILL');
  const [, signal] = await gone;
  expect(signal).toBe('SIGKILL');
}

function numbersIn(folder: string): number[] {
  const reader = openReader(folder);
  const numbers: number[] = [];
  for (const block of reader.blocks('sale', ALWAYS)) {
    const read = reader.read(block);
    if (read.ok) numbers.push(...read.value.map(({ text }) => Number.parseInt(text, 10)));
  }
  expect(reader.missed()).toEqual({ gone: 0, damaged: 0 });
  reader.close();
  return numbers;
}

it('holds every record exactly once, however often its writer is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tillwatch-journal-kill-'));
  try {
    for (const ms of [1, 37, 211, 83, 307, 5]) {
      await runAndKill(folder, ms);
      const numbers = numbersIn(folder);
      expect(numbers).toEqual(numbers.map((_, index) => index));
    }
    const nothing = (): void => undefined;
    const journal = openJournal({
      folder,
      clock: { wallMs: () => 0, monotonicMs: () => 0 },
      log: { info: nothing, warn: nothing, error: nothing },
    });
    const numbers = numbersIn(folder);
    expect(numbers.length).toBeGreaterThan(100);
    expect(journal.places('sale')).toEqual([{ path: '/sale.log', inode: 1, to: numbers.length }]);
    expect(journal.note('sale')).toBe(`${numbers.length}`);
    await journal.settled();
    journal.close();
    await journal.settled();
    expect(readdirSync(join(folder, 'sale')).every((name) => name.endsWith('.seg'))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
