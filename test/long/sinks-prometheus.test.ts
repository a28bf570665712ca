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
const DAY_MS = 86_400_000;

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

  it('gets a backlog of a day behind live samples, each with its own time', async () => {
    const prometheus = await startWith('30d', RECEIVER, RETENTION);
    const nowMs = Date.now();
    const live = metricBatch(1, stretch(nowMs, 100_000, 4));
    // 144 batches of ten minutes, as a till sends them that was a day without a line.
    const backlog = Array.from({ length: 144 }, (_, i) => {
      return metricBatch(i + 2, stretch(nowMs - DAY_MS + (i + 1) * 600_000 - 60_000, i * 40));
    });
    await deliver(port, 'lane-1', [live, ...backlog]);
    await eventually('all of it', async () => (await count('pos_test_total')) === 4 + 144 * 40);
    const [series] = await prometheus.samples('pos_test_total', Date.now() + MINUTE_MS);
    const wrong = series?.values.slice(0, 5_760).filter(([timeMs, value]) => {
      const i = Math.floor(value / 40);
      const end = nowMs - DAY_MS + (i + 1) * 600_000 - 60_000;
      return timeMs !== end - (39 - (value % 40)) * 15_000;
    });
    expect(wrong).toEqual([]);
    expect(await figure('tillwatch_sink_dead_letters_total', 'sink')).toBeUndefined();
  });

  it('has every sample once after it and the broker were killed in the middle', async () => {
    const prometheus = await startWith('30d', RECEIVER, RETENTION);
    const nowMs = Date.now();
    const batches = Array.from({ length: 200 }, (_, i) =>
      metricBatch(i + 1, stretch(nowMs - (200 - i) * 600_000, i * 40)),
    );
    const delivered = deliver(port, 'lane-1', batches);
    const running = broker.child;
    await eventually('some of it', async () => (await count('pos_test_total')) > 500);
    await prometheus.kill();
    running.kill('SIGKILL');
    await broker.exit;
    broker = await bench.start(configure(prometheus));
    await delivered;
    await eventually(
      'the sink is down',
      async () => (await figure('tillwatch_sink_up', 'sink')) === 0,
    );
    await prometheus.start();
    await eventually('all of it', async () => (await count('pos_test_total')) === 8_000, 20_000);
    const found = await prometheus.samples('pos_test_total', Date.now() + MINUTE_MS);
    // Also those that were there when the broker started say at which store.
    expect(found.map(({ metric }) => metric['store'])).toEqual(['store-1']);
    const [series] = found;
    expect(new Set(series?.values.map(([, value]) => value)).size).toBe(8_000);
    expect(await figure('tillwatch_sink_dead_letters_total', 'sink')).toBeUndefined();
  });

  it('loses one bad sample among thousands, and the future, and nothing else', async () => {
    await startWith('30d', RECEIVER, RETENTION);
    const nowMs = Date.now();
    const many: Snapshot[] = Array.from({ length: 40 }, (_, i) => ({
      timeMs: nowMs - (39 - i) * 15_000,
      samples: Array.from({ length: 100 }, (_unused, s) => {
        return { name: 'pos_many', labels: { n: `${s}` }, value: i };
      }),
    }));
    const odd = (timeMs: number): Snapshot => ({
      timeMs,
      samples: [{ name: 'pos_odd', labels: {}, value: 1 }],
    });
    await deliver(port, 'lane-1', [
      metricBatch(1, many),
      metricBatch(2, [odd(1_000_000)]),
      metricBatch(3, [odd(nowMs - 40 * DAY_MS)]),
      metricBatch(4, [odd(nowMs + DAY_MS)]),
      metricBatch(5, [odd(nowMs)]),
    ]);
    await eventually('the good ones', async () => (await count('pos_many')) === 4_000);
    await eventually('and this', async () => (await count('pos_odd')) === 1);
    await eventually('two too old', async () => {
      return (await figure('tillwatch_sink_dead_letters_total', 'too_old')) === 2;
    });
    await eventually('one of the future', async () => {
      return (await figure('tillwatch_sink_dead_letters_total', 'future')) === 1;
    });
    // Had the future arrived, nothing of now would be taken any more.
    await deliver(port, 'lane-2', [metricBatch(1, [odd(Date.now())])]);
    await eventually('later ones', async () => (await count('pos_odd')) === 2);
  });
});

describe('a stock Prometheus', () => {
  it('is told which flag is missing, and gets everything once it has it', async () => {
    const prometheus = await startWith(undefined);
    const untilMs = Date.now();
    await deliver(port, 'lane-1', [metricBatch(1, stretch(untilMs, 0, 4))]);
    const said = await eventually('a sentence', async () => {
      const { sinks } = (await bench.api(broker.url, 'sinks')) as {
        sinks: { sentences: string[] }[];
      };
      return sinks[0]?.sentences[0];
    });
    expect(said).toContain('--web.enable-remote-write-receiver');
    expect(await count('pos_test_total')).toBe(0);
    await prometheus.kill();
    await prometheus.start(RECEIVER);
    await eventually('everything', async () => (await count('pos_test_total')) === 4);
  });

  it('with a receiver is told that it has no window, and that it keeps too little', async () => {
    await startWith(undefined, RECEIVER);
    const said = await eventually('two sentences', async () => {
      const { sinks } = (await bench.api(broker.url, 'sinks')) as {
        sinks: { sentences: string[] }[];
      };
      return sinks[0]?.sentences.length === 2 && sinks[0].sentences;
    });
    expect(said[0]).toContain('storage.tsdb.out_of_order_time_window: 30d');
    expect(said[1]).toContain('--storage.tsdb.retention.time=60d');
  });
});
