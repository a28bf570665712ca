import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../broker/clock.ts';
import type { TerminalModel } from '../../broker/fleet/model.ts';
import { openLedger } from '../../broker/ledger.ts';
import { encodeEventBody } from '../../protocol/events.ts';
import { encodeMetricBody } from '../../protocol/metric-body.ts';
import { encodeBatch, type Stream } from '../../protocol/wire.ts';

const BATCHES = 1_500;
const PROGRAM = new URL('../real/registry-crash-main.ts', import.meta.url).pathname;
const EPOCH = new Uint8Array(16).fill(5);

/** Fills a ledger with events and samples, two of each in a batch. */
function fillLedger(folder: string): void {
  const ledger = openLedger({ path: join(folder, 'ledger.db'), clock: systemClock });
  const now = systemClock.wallMs() - BATCHES;
  const sample = { name: 'pos_host_load1', labels: {}, value: 1 };
  const batch = (stream: Stream, seq: number, body: Uint8Array) => {
    const facts = { epoch: EPOCH, stream, seq, createdMs: now, clockOffsetMs: 0 };
    const bytes = encodeBatch({ ...facts, encoding: 'identity', body });
    return { terminal: 'lane-1', batch: facts, bytes };
  };
  const batches = Array.from({ length: BATCHES }, (_, index) => {
    const seq = index + 1;
    const event = { timeMs: now + seq, kind: 'agent_stopping', component: '' };
    const fields = { reason: 'test', left: [] };
    const events = ['a', 'b'].map((id) => ({ ...event, id: `${id}${seq}`, fields }));
    const snapshot = { timeMs: now + seq, samples: [sample, { ...sample, name: 'pos_host_x' }] };
    return [
      batch('events', seq, encodeEventBody(events)),
      batch('metrics', seq, encodeMetricBody([snapshot])),
    ];
  });
  const appended = ledger.append(batches.flat());
  expect(appended.ok).toBe(true);
  ledger.close();
}

/** @returns whether it finished before it was killed. */
async function followUntilKilled(folder: string, ms: number): Promise<boolean> {
  const child = spawn(process.execPath, [PROGRAM, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString();
  });
  await expect.poll(() => said, { timeout: 20_000 }).toContain('started');
  const untilMs = systemClock.monotonicMs() + ms;
  while (!said.includes('done') && systemClock.monotonicMs() < untilMs) await wait(2);
  child.kill('SIGKILL');
  await once(child, 'exit');
  return said.includes('done');
}

it('counts every event and sample once when it is killed again and again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tillwatch-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  fillLedger(folder);
  let kills = 0;
  while (!(await followUntilKilled(folder, kills < 8 ? 5 + kills * 7 : 20_000))) kills += 1;
  const db = new DatabaseSync(join(folder, 'registry.db'), { readOnly: true });
  const row = db.prepare("SELECT model FROM terminals WHERE id = 'lane-1'").get();
  const { events, samples } = JSON.parse(String(row?.['model'])) as TerminalModel;
  const rows = db.prepare('SELECT count(*) AS n, count(DISTINCT seq) AS seqs FROM events').get();
  db.close();
  expect(kills).toBeGreaterThan(0);
  expect({ events, samples, ...rows }).toEqual({
    events: 2 * BATCHES,
    samples: 2 * BATCHES,
    n: 2 * BATCHES,
    seqs: BATCHES,
  });
});
