// A till in trouble, seen from the centre: its errors as a kind with a count, its lines in what stands in for Loki, and
// in neither of them the number of a card. Real agent, real broker.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { ErrorAnswer } from '../../broker/errors/ask.ts';
import { LogsRig } from '../real/logs-rig.ts';
import { readKept } from './loki-standin.ts';
import { eventually } from './sinks-rig.ts';

const CARD = '4111111111111111';
const rig = new LogsRig();
let server: ChildProcess | undefined;
afterEach(async () => {
  server?.kill('SIGKILL');
  await rig.clean();
});

async function startServer(file: string): Promise<string> {
  server = spawn(process.execPath, [resolve('test/long/loki-standin.ts'), '0', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(server.stdout ?? server, 'data');
  const { port } = JSON.parse(String(line)) as { port: number };
  return `http://127.0.0.1:${port}`;
}

it('tells its errors as a kind, and its lines are forwarded', async () => {
  const file = join(rig.till.folder, 'kept.jsonl');
  await rig.startBroker({ sinks: { loki: { url: await startServer(file), name: 'loki' } } });
  rig.configureCommand([process.execPath, resolve('test/long/errors-till.js')]);
  void rig.till.start();
  await rig.till.ready('till');
  const authorization = `Bearer ${rig.token}`;
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${rig.url}${path}`, { headers: { authorization } });
    return (await response.json()) as T;
  };
  const { errors } = await eventually('kinds of errors', async () => {
    const answer = await ask<ErrorAnswer>('/api/v1/errors');
    return answer.errors.length >= 2 && answer;
  });
  expect(errors).toContainEqual(
    expect.objectContaining({
      ...{ component: 'till', level: 'error', terminals: 1, stores: 1, isNew: true },
      pattern: 'receipt * not printed, card *',
      versions: [expect.objectContaining({ version: '1.0.0', terminals: 1 })],
    }),
  );
  expect(JSON.stringify(errors)).not.toContain(CARD);

  const now = Date.now();
  const window = { sinceMs: now - 60_000, untilMs: now + 60_000, level: 'error' };
  await rig.ask(window);
  const kept = await eventually('forwarded lines', async () => {
    const { sinks } = await ask<{ sinks: { up: boolean; behindBatches: number }[] }>(
      '/api/v1/sinks',
    );
    const entries = readKept(file);
    return sinks[0]?.up === true && sinks[0].behindBatches === 0 && entries.length > 3 && entries;
  });
  expect(kept[0]).toMatchObject({
    stream: {
      job: 'tillwatch',
      store: 's-1',
      terminal: 'lane-1',
      component: 'till',
      source: 'pull',
    },
    metadata: { level: 'error' },
  });
  expect(kept[0]?.line).toContain('[PAN visa ....1111]');
  expect(JSON.stringify(kept)).not.toContain(CARD);

  const page = await eventually('the series of its records', async () => {
    const response = await fetch(`${rig.url}/metrics/terminals`, { headers: { authorization } });
    const text = await response.text();
    return /pos_component_log_records_total\{[^}]*level="error"[^}]*\} [1-9]/.test(text) && text;
  });
  expect(page).toMatch(/tillwatch_signatures\{[^}]*\} [23]\b/);
}, 60_000);
