// Nothing lost, nothing doubled: three real tills tell a real broker what they see while that broker is
// killed with SIGKILL again and again. Who knows the truth is a third party: a component that numbers the
// snapshots taken of it, and the test itself, which counts the crashes that it causes.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, it } from 'vitest';
import { unpackBody } from '../../protocol/body.ts';
import { decodeEventBody } from '../../protocol/events.ts';
import { decodeMetricBody } from '../../protocol/metric-body.ts';
import { type Batch, decodeBatch } from '../../protocol/wire.ts';
import { fault, Rig, until } from '../real/agent-rig.ts';
import { openBench, type Running } from '../real/broker-rig.ts';

const LANES = ['lane-1', 'lane-2', 'lane-3'];
const BROKER_KILLS = 4;
const STABLE_MS = 200;
const seed = Number(process.env['TILLWATCH_SEED'] ?? Date.now() % 1_000_000);
let state = seed;
const random = (): number => {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
  return state / 2 ** 31;
};
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

const bench = openBench();
const tills = LANES.map((id) => ({ id, rig: new Rig(), crashes: 0 }));
afterEach(async () => {
  for (const { rig } of tills) await rig.clean();
  await bench.close();
});

const configure = (mqtt: number, http: number): string => {
  const file = bench.configure();
  const terminals = LANES.map((id) => ({ id, store: 'store-1' }));
  const text = readFileSync(file, 'utf8')
    .replace('mqtt: { port: 0 }', `mqtt: { port: ${mqtt} }`)
    .replace('http: { port: 0 }', `http: { port: ${http} }`)
    .replace(/terminals: .*/, `terminals: ${JSON.stringify(terminals)}`);
  return bench.write(text);
};

function startTill({ id, rig }: (typeof tills)[number], port: number): void {
  const counter = {
    name: 'counter',
    command: [process.execPath, resolve('test/real/scrape-counter.ts')],
    version: '1.0.0',
    env: { COUNTER_FILE: join(rig.folder, 'counter') },
  };
  rig.configure(
    [
      counter,
      fault('victim', [], {
        backoff: { minMs: 50, maxMs: 200, stableMs: STABLE_MS },
        budget: { restarts: 1000, windowMs: 60_000, retryMs: 60_000 },
      }),
    ],
    {
      terminal: id,
      broker: { plainText: true, host: '127.0.0.1', port },
      link: { reconnectMsMin: 50, reconnectMsMax: 500 },
      sampling: { everyMs: 200, sendMs: 400 },
    },
  );
  void rig.start();
}

/** Every committed batch, straight from the broker's disk. */
function ledger(): (Batch & { terminal: string; bytes: Uint8Array })[] {
  const db = new DatabaseSync(bench.data('ledger.db'), { readOnly: true });
  const rows = db
    .prepare('select terminal, body from batch join lane on lane.id = batch.lane order by batch.id')
    .all();
  db.close();
  return rows.map((row) => {
    const batch = decodeBatch(row['body'] as Uint8Array);
    if (!batch.ok) throw new Error(batch.reason);
    const body = unpackBody(batch.value);
    if (!body.ok) throw new Error(body.reason);
    return { ...batch.value, terminal: String(row['terminal']), bytes: body.value };
  });
}

function arrived(terminal: string): { numbers: number[]; opened: string[] } {
  const own = ledger().filter((batch) => batch.terminal === terminal);
  const numbers: number[] = [];
  const opened: string[] = [];
  for (const { stream, bytes } of own) {
    if (stream === 'metrics') {
      const snapshots = decodeMetricBody(bytes);
      if (!snapshots.ok) throw new Error(snapshots.reason);
      for (const { samples } of snapshots.value) {
        for (const { name, value } of samples)
          if (name === 'app_scrapes_total') numbers.push(value);
      }
    }
    if (stream === 'events') {
      const events = decodeEventBody(bytes);
      if (!events.ok) throw new Error(events.reason);
      for (const { kind, fields } of events.value) {
        if (kind === 'incident_opened') opened.push(String(fields['incident']));
      }
    }
  }
  return { numbers: numbers.sort((a, b) => a - b), opened };
}

async function crashOne(): Promise<void> {
  const till = tills[Math.floor(random() * tills.length)];
  if (till === undefined) return;
  const pid = await till.rig.ready('victim', till.crashes + 1);
  // Sooner after its last crash it would be the same incident, opened once.
  await sleep(STABLE_MS * 4);
  process.kill(pid, 'SIGKILL');
  till.crashes += 1;
  await till.rig.ready('victim', till.crashes + 1);
}

it(`every sample and event arrives once while the broker is killed (TILLWATCH_SEED=${seed})`, async () => {
  let broker: Running = await bench.start(configure(0, 0));
  const { mqttPort } = broker;
  const fixed = configure(mqttPort, Number(new URL(broker.url).port));
  for (const till of tills) startTill(till, mqttPort);
  for (const till of tills) await till.rig.ready('victim');
  for (let round = 0; round < BROKER_KILLS; round += 1) {
    await crashOne();
    await sleep(random() * 1_500);
    broker.child.kill('SIGKILL');
    await broker.exit;
    await crashOne();
    await sleep(random() * 1_500);
    broker = await bench.start(fixed);
  }
  const given = tills.map(({ rig }) => Number(readFileSync(join(rig.folder, 'counter'), 'utf8')));
  for (const [index, till] of tills.entries()) {
    const upTo = given[index] ?? 0;
    expect(upTo).toBeGreaterThan(20);
    await until(`${till.id}: the last snapshot arrives`, () =>
      arrived(till.id).numbers.some((n) => n > upTo),
    );
    const { numbers, opened } = arrived(till.id);
    expect(numbers, `${till.id} snapshots`).toEqual(numbers.map((_, i) => i + 1));
    expect(opened.length, `${till.id} crashes`).toBe(till.crashes);
    expect(new Set(opened).size).toBe(opened.length);
    const seqs = ledger()
      .filter((b) => b.terminal === till.id && b.stream === 'events')
      .map((b) => b.seq);
    expect(seqs.sort((a, b) => a - b)).toEqual(seqs.map((_, i) => i + 1));
  }
  const events = await bench.api(broker.url, 'events?kind=incident_opened&limit=1000');
  const crashes = tills.reduce((sum, till) => sum + till.crashes, 0);
  expect(events['events']).toHaveLength(crashes);
});
