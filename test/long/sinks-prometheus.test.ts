// The broker's sink against a real Prometheus: what terminals bring is there with its own times and whose it
// is, also when database and broker are killed in between, and what Prometheus will not take costs
// nothing but itself.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Snapshot } from '../../protocol/metric-body.ts';
import { type Bench, openBench, type Running } from '../real/broker-rig.ts';
import { need } from './parts.ts';
import { type Database, deliver, eventually, metricBatch, openPrometheus } from './sinks-rig.ts';

const RECEIVER = '--web.enable-remote-write-receiver';
const RETENTION = '--storage.tsdb.retention.time=60d';
const MINUTE_MS = 60_000;

let bench: Bench;
let database: Database | undefined;
let broker: Running;
beforeEach((context) => {
  need(context, 'prometheus', 'prometheus');
  bench = openBench();
});
afterEach(async () => {
  await bench?.close();
  await database?.close();
  database = undefined;
});

async function startWith(window: string | undefined, ...flags: string[]): Promise<Database> {
  database = await openPrometheus(window, ...flags);
  await database.start();
  broker = await bench.start(configure(database));
  return database;
}
const configure = ({ url }: Database, more = ''): string =>
  bench.configure(`sinks: { remoteWrite: ${url}${more} }`);
const port = (): number => broker.mqttPort;

/** Ten minutes of one series, a sample each 15 s, up to a time; its values count. */
const stretch = (untilMs: number, first: number, samples = 40): Snapshot[] =>
  Array.from({ length: samples }, (_, i) => ({
    timeMs: untilMs - (samples - 1 - i) * 15_000,
    samples: [{ name: 'pos_test_total', labels: { component: 'sale' }, value: first + i }],
  }));

const figure = async (name: string, labels: string): Promise<number | undefined> => {
  const text = await (await fetch(`${broker.url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name}{`) && one.includes(labels));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
};
const count = async (selector: string): Promise<number> => {
  const found = await database?.samples(selector, Date.now() + MINUTE_MS);
  return found?.reduce((sum, { values }) => sum + values.length, 0) ?? 0;
};

describe('a Prometheus with a receiver and a window', () => {
  it('has a series within seconds, with its own times and whose it is', async () => {
    const prometheus = await startWith('30d', RECEIVER, RETENTION);
    const untilMs = Date.now() - 1_234;
    await deliver(port, 'lane-1', [metricBatch(1, stretch(untilMs, 0, 4))]);
    await eventually('4 samples', async () => (await count('pos_test_total')) === 4);
    const [series, ...others] = await prometheus.samples('pos_test_total', Date.now() + 1_000);
    expect(others).toEqual([]);
    expect(series?.metric).toEqual({
      __name__: 'pos_test_total',
      component: 'sale',
      store: 'store-1',
      terminal: 'lane-1',
    });
    expect(series?.values).toEqual(
      [3, 2, 1, 0].map((back, i) => [untilMs - back * 15_000, i] as const),
    );
    await eventually('up', async () => (await figure('tillwatch_sink_up', 'sink')) === 1);
    await eventually(
      'the broker says which are there',
      async () => (await count('pos_terminal_up')) > 0,
    );
  });
});
