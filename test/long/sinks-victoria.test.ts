// The broker's sink against a real VictoriaMetrics: the same promises as for Prometheus. It takes any age,
// and keeps a sample that comes twice once only where it is told to.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Snapshot } from '../../protocol/metric-body.ts';
import { type Bench, openBench, type Running } from '../real/broker-rig.ts';
import { need } from './parts.ts';
import { type Database, deliver, eventually, metricBatch, openVictoria } from './sinks-rig.ts';

const DEDUP = '-dedup.minScrapeInterval=1ms';
const RETENTION = '-retentionPeriod=12';
const DAY_MS = 86_400_000;

let bench: Bench;
let database: Database | undefined;
let broker: Running;
beforeEach((context) => {
  need(context, 'victoria-metrics', 'victoria-metrics');
  bench = openBench();
});
afterEach(async () => {
  await bench?.close();
  await database?.close();
  database = undefined;
});

async function startWith(...flags: string[]): Promise<Database> {
  database = await openVictoria(...flags);
  await database.start();
  broker = await bench.start(configure(database));
  return database;
}
const configure = ({ url }: Database): string => bench.configure(`sinks: { remoteWrite: ${url} }`);
const port = (): number => broker.mqttPort;

const stretch = (untilMs: number, first: number, samples = 40): Snapshot[] =>
  Array.from({ length: samples }, (_, i) => ({
    timeMs: untilMs - (samples - 1 - i) * 15_000,
    samples: [{ name: 'pos_test_total', labels: { component: 'sale' }, value: first + i }],
  }));
const count = async (selector: string): Promise<number> => {
  const found = await database?.samples(selector, 0);
  return found?.reduce((sum, { values }) => sum + values.length, 0) ?? 0;
};
const sentences = async (): Promise<readonly string[]> => {
  const { sinks } = (await bench.api(broker.url, 'sinks')) as {
    sinks: { up: boolean | null; sentences: string[] }[];
  };
  return sinks[0]?.up === true ? sinks[0].sentences : Promise.reject(new Error('not yet'));
};

describe('a VictoriaMetrics with deduplication', () => {
  it('has live samples and those of three weeks ago, with their own times and whose they are', async () => {
    const victoria = await startWith(DEDUP, RETENTION);
    const nowMs = Date.now();
    const oldMs = nowMs - 21 * DAY_MS;
    await deliver(port, 'lane-1', [
      metricBatch(1, stretch(nowMs, 100, 4)),
      metricBatch(2, stretch(oldMs, 0)),
    ]);
    await eventually('44 samples', async () => (await count('pos_test_total')) === 44);
    const found = await victoria.samples('pos_test_total', 0);
    expect(found.map(({ metric }) => metric)).toEqual([
      { __name__: 'pos_test_total', component: 'sale', store: 'store-1', terminal: 'lane-1' },
    ]);
    expect(found[0]?.values[0]).toEqual([oldMs - 39 * 15_000, 0]);
    expect(found[0]?.values.at(-1)).toEqual([nowMs, 103]);
    expect(await eventually('its state', async () => await sentences())).toEqual([]);
  });

  it('has every sample once after it and the broker were killed in the middle', async () => {
    const victoria = await startWith(DEDUP, RETENTION);
    const nowMs = Date.now();
    const batches = Array.from({ length: 200 }, (_, i) =>
      metricBatch(i + 1, stretch(nowMs - (200 - i) * 600_000, i * 40)),
    );
    const delivered = deliver(port, 'lane-1', batches);
    const running = broker.child;
    await eventually('some of it', async () => (await count('pos_test_total')) > 500);
    running.kill('SIGKILL');
    await victoria.kill();
    await broker.exit;
    broker = await bench.start(configure(victoria));
    await delivered;
    await victoria.start();
    const values = async () =>
      new Set((await victoria.samples('pos_test_total', 0))[0]?.values.map(([, value]) => value));
    // Also what it had answered for and not yet written when it was killed: that is sent again.
    await eventually('all of it', async () => (await values()).size === 8_000, 20_000);
    expect(await count('pos_test_total')).toBe(8_000);
  });
});

describe('a stock VictoriaMetrics', () => {
  it('is told that it keeps twice what comes twice', async () => {
    await startWith();
    const said = await eventually('a sentence', async () => await sentences());
    expect(said).toEqual([expect.stringContaining('-dedup.minScrapeInterval=1ms')]);
  });

  it('is told that it forgets too early', async () => {
    await startWith(DEDUP, '-retentionPeriod=2w');
    const said = await eventually('a sentence', async () => await sentences());
    expect(said).toEqual([expect.stringContaining('-retentionPeriod=12')]);
  });
});
