import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { systemClock } from '../../broker/clock.ts';
import { openLedger } from '../../broker/ledger.ts';
import { countSeqs } from '../../protocol/ranges.ts';

type Told = [terminal: string, seq: number, result: string];

/** Runs the child from `first` on and kills it after `ms`. @returns the commits that it told of. */
async function runAndKill(path: string, first: number, ms: number): Promise<Told[]> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../real/ledger-child.ts'), path, String(first)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await once(child.stdout, 'data');
  await new Promise((resolve) => setTimeout(resolve, ms));
  child.kill('SIGKILL');
  await once(child, 'close');
  const whole = output.slice(0, output.lastIndexOf('\n'));
  return whole.split('\n').flatMap((line) => JSON.parse(line) as Told[]);
}

test('a ledger killed in the middle of its work has everything it told of, once', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tw-kill-'));
  const path = join(dir, 'ledger.db');
  try {
    const promised = new Set<string>();
    let next = 1;
    for (const ms of [1, 7, 30, 60, 90]) {
      const told = await runAndKill(path, next, ms);
      for (const [terminal, seq, result] of told) {
        // Begun again behind the last that was told, so some were committed and never told of.
        expect(['new', 'duplicate']).toContain(result);
        promised.add(`${terminal}/${seq}`);
        next = Math.max(next, seq + 1);
      }
    }
    const ledger = openLedger({ path, clock: systemClock });
    const rows = ledger.readAfter(0, 1_000_000);
    const found: string[] = [];
    for (let page = rows; page.length > 0; ) {
      found.push(...page.map(({ terminal, seq }) => `${terminal}/${seq}`));
      page = ledger.readAfter(page.at(-1)?.id ?? 0, 10_000);
    }
    expect(new Set(found).size).toBe(found.length);
    expect(promised.size).toBeGreaterThan(20);
    expect([...promised].filter((key) => !found.includes(key))).toEqual([]);
    const epochHex = '01'.repeat(16);
    const remembered = ['lane-0', 'lane-1', 'lane-2'].reduce(
      (sum, terminal) => sum + countSeqs(ledger.ranges(terminal, epochHex, 'events')),
      0,
    );
    expect(remembered).toBe(found.length);
    ledger.close();
    const db = new DatabaseSync(path);
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    db.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});
