// What sinks know after a start: of the broker, with a ledger that was put back from a backup, and of their
// thread alone. A real ledger, a real thread and a database that answers what the test says.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemTimers } from '../../broker/clock.ts';
import { type Ledger, openLedger } from '../../broker/ledger.ts';
import { type Sinks, startSinks } from '../../broker/sinks/sinks.ts';
import { uncompress } from '../../broker/sinks/snappy.ts';
import { openSinkStore } from '../../broker/sinks/store.ts';
import { encodeMetricBody } from '../../protocol/metric-body.ts';

const LIMITS = { days: 30, rowsMax: 5 };
const LONG = { timeout: 10_000 };
vi.setConfig({ testTimeout: 20_000 });
let dir: string;
let ledger: Ledger;
let server: Server;
let status: number;
let sinks: Sinks | undefined;
let said: string[];
let written: number;
let tellStores: (stores: ReadonlyMap<string, string>) => void;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tw-sinks-'));
  ledger = openLedger({ path: join(dir, 'ledger.db'), clock: { wallMs: Date.now } });
  said = [];
  written = 0;
  status = 204;
  let canaries = 0;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'GET') response.writeHead(404).end();
      else {
        const text = Buffer.from(uncompress(Buffer.concat(chunks))).toString('latin1');
        const isCanary = text.includes('tillwatch_sink_canary');
        if (isCanary) canaries += 1;
        else if (status < 300) written += 1;
        // It takes nothing of the past, so what it has taken is not sent again.
        const isPast = isCanary && canaries % 2 === 0;
        response.writeHead(isPast ? 400 : status).end(isPast ? 'out of order sample' : '');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await sinks?.stop();
  sinks = undefined;
  ledger.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});

function append(count: number): void {
  for (let i = 0; i < count; i += 1) {
    const samples = [{ name: 'app_sales_total', labels: { terminal: 'lane-1' }, value: i }];
    ledger.appendOwn('metrics', encodeMetricBody([{ timeMs: Date.now() + i, samples }]));
  }
}
const path = (): string => join(dir, 'sinks.db');
const openStore = () => openSinkStore(path(), 0, () => {}, LIMITS);
const cursor = (): number => {
  const store = openStore();
  const known = store.readCursor('db', ledger.generation);
  store.close();
  return known;
};

function start(): Sinks {
  const { port } = server.address() as { port: number };
  const url = `http://127.0.0.1:${port}/api/v1/write`;
  const common = { name: 'db', url, headers: {}, timeoutMs: 2_000, batchSamples: 1_000 };
  const say = (sentence: string, fields?: object): void => {
    said.push(`${sentence} ${JSON.stringify(fields)}`);
  };
  sinks = startSinks({
    config: { remoteWrite: [{ kind: 'remote_write', ...common }], seriesPerTerminal: 300 },
    deadLetters: LIMITS,
    path: path(),
    ledger,
    onStores: (listener) => {
      tellStores = listener;
      return () => {};
    },
    timers: systemTimers,
    log: { info: say, warn: say, error: say },
  });
  return sinks;
}
/** A message that its thread cannot take: plain for the broker, which reads it first. */
function killThread(): void {
  let reads = 0;
  const stores = {
    *[Symbol.iterator]() {
      reads += 1;
      if (reads > 1) yield 5;
    },
  };
  tellStores(stores as unknown as ReadonlyMap<string, string>);
}

test('a ledger that was put back is known as such also after a start while nothing is taken', async () => {
  const store = openStore();
  const nowMs = Date.now();
  store.move({ sink: 'db', generation: ledger.generation, cursor: 9, buried: [], nowMs });
  store.close();
  append(4);
  status = 503;
  const running = start();
  append(2);
  await expect.poll(() => running.status()[0]?.up, LONG).toBe(false);
  await running.stop();
  expect(said.join()).toContain('the ledger is older');
  expect(cursor()).toBe(4);
});

test('a thread that died goes on where it was, also with what came since the broker started', async () => {
  const running = start();
  append(5);
  await expect.poll(() => running.status()[0]?.cursor, LONG).toBe(5);
  const before = written;
  killThread();
  await expect.poll(() => said.join(), LONG).toContain('a worker ended');
  append(1);
  await expect.poll(() => running.status()[0]?.cursor, LONG).toBe(6);
  expect(said.filter((one) => one.includes('older'))).toEqual([]);
  expect(running.status()[0]?.taken).toBe(1);
  expect(written).toBe(before + 1);
});

test('a sink whose thread has died is not up', async () => {
  const running = start();
  append(1);
  await expect.poll(() => running.figures()[0]?.up, LONG).toBe(true);
  killThread();
  await expect.poll(() => said.join(), LONG).toContain('a worker ended');
  expect(running.figures()[0]?.up).toBe(false);
  expect(running.status()[0]?.lastError).toContain('not iterable');
  await expect.poll(() => running.figures()[0]?.up, LONG).toBe(true);
});
