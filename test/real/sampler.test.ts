import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { release } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realFiles } from '../../agent/system/files.ts';
import { createHostReader } from '../../agent/telemetry/host.ts';
import { openOutbox } from '../../agent/telemetry/outbox.ts';
import { type SamplerOptions, startSampler } from '../../agent/telemetry/sampler.ts';
import { SCRAPE_BYTES_MAX, scrape } from '../../agent/telemetry/scrape.ts';
import type { Outbox } from '../../agent/telemetry/types.ts';
import { CAUSES, type Cause } from '../../protocol/events.ts';
import { SERIES_PER_TERMINAL_MAX } from '../../protocol/limits.ts';
import type { Sample } from '../../protocol/metric-body.ts';
import { catalogue, isMetricName } from '../../protocol/metrics.ts';
import { drain, eventsOf, makeFolder, quietLog, snapshotsOf } from '../unit/outbox-rig.ts';
import { realClock, realTimers, until } from './link-rig.ts';

let servers: Server[];
let folder: ReturnType<typeof makeFolder>;
let outbox: Outbox;
let log: ReturnType<typeof quietLog>;
beforeEach(() => {
  servers = [];
  folder = makeFolder();
  log = quietLog();
  const path = `${folder.path}/outbox.db`;
  outbox = openOutbox({ path, bytesMax: 4 * 1024 * 1024, clock: realClock, log });
});
afterEach(async () => {
  outbox.close();
  folder.remove();
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
}

const none = Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Record<Cause, number>;
const reading = (name: string, metricsUrl?: string) => ({
  name,
  version: '1.0.0',
  state: 'ready' as const,
  restartsByCause: none,
  ...(metricsUrl === undefined ? {} : { metricsUrl }),
});

function sampler(more: Partial<SamplerOptions>) {
  return startSampler({
    everyMs: 3_600_000,
    sendMs: 60_000,
    dataDir: folder.path,
    agent: { version: '0.1.0', node: process.versions.node },
    clock: realClock,
    timers: realTimers,
    files: realFiles,
    log,
    outbox,
    link: {
      clockOffsetMs: () => undefined,
      stats: () => ({
        connected: false,
        connects: 0,
        failures: 0,
        lastReason: '',
        sentBatches: 0,
        sentBytes: 0,
        acks: 0,
        garbageAcks: 0,
        commands: 0,
        silences: 0,
        paceBytesPerSecond: 0,
      }),
    },
    readComponents: () => [],
    loopStats: () => ({ dropped: 0, pauses: 0, loopDelayMsMax: 3 }),
    channelRejected: () => ({}),
    commandCounts: () => ({}),
    readHost: () => Promise.resolve([{ name: 'pos_host_load1', labels: {}, value: 1 }]),
    ...more,
  });
}

const taken = (): Sample[] =>
  drain(outbox)
    .filter(({ stream }) => stream === 'metrics')
    .flatMap(snapshotsOf)
    .flatMap((s) => s.samples);
const of = (samples: readonly Sample[], component: string) =>
  samples
    .filter((s) => s.labels['component'] === component && !isOwn(s.name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
const isOwn = (name: string) => /^(pos_component|pos_agent|tillwatch)_/.test(name);

describe('a snapshot', () => {
  test('holds host, components, their metrics and the agent, at one time', async () => {
    const url = await serve((_request, response) => {
      response.end('pos_basket_open 1\nheap{store="x"} 5\ngarbage\n');
    });
    const own = sampler({ readComponents: () => [reading('sale', url), reading('sync')] });
    const beforeMs = Date.now();
    await own.sampleNow();
    own.stop();
    const [snapshot, ...more] = drain(outbox).flatMap(snapshotsOf);
    expect(more).toEqual([]);
    expect(snapshot?.timeMs).toBeGreaterThanOrEqual(beforeMs - 1);
    const samples = snapshot?.samples ?? [];
    expect(of(samples, 'sale')).toEqual([
      { name: 'app_heap', labels: { component: 'sale' }, value: 5 },
      { name: 'pos_basket_open', labels: { component: 'sale' }, value: 1 },
    ]);
    const names = new Set(samples.map((sample) => sample.name));
    for (const name of ['pos_host_load1', 'pos_component_up', 'pos_agent_info']) {
      expect(names).toContain(name);
    }
    expect(samples.find((s) => s.name === 'tillwatch_series_dropped_total')?.value).toBe(1);
  });

  test('is taken without a component that hangs, refuses, lies or talks too much', async () => {
    const hang = await serve(() => {});
    const refuse = await serve((_request, response) => response.writeHead(500).end());
    const huge = await serve((_request, response) => {
      response.end('x'.repeat(SCRAPE_BYTES_MAX + 1));
    });
    const cut = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('a 1\n');
      setTimeout(() => response.destroy(), 20);
    });
    const fine = await serve((_request, response) => response.end('a 1\n'));
    const readings = Object.entries({ hang, refuse, huge, cut, fine }).map(([name, url]) =>
      reading(name, url),
    );
    const own = sampler({
      readComponents: () => [...readings, reading('away', 'http://192.0.2.1/metrics')],
    });
    const startMs = performance.now();
    await own.sampleNow();
    expect(performance.now() - startMs).toBeLessThan(4_000);
    await own.sampleNow();
    own.stop();
    const samples = taken();
    expect(of(samples, 'fine')).toHaveLength(2);
    for (const name of ['hang', 'refuse', 'huge', 'cut', 'away']) {
      expect(of(samples, name)).toEqual([]);
      const failures = samples.filter(
        (s) => s.name === 'tillwatch_scrape_failures_total' && s.labels['component'] === name,
      );
      expect(failures.map((s) => s.value)).toEqual([1, 2]);
      expect(log.lines.filter((line) => line.includes(`"${name}"`))).toHaveLength(1);
    }
  });

  test('stays within the budget of series; what is left out is counted and said once', async () => {
    const many = Array.from({ length: 400 }, (_, i) => `thing_${i} ${i}`).join('\n');
    const url = await serve((_request, response) => response.end(many));
    const own = sampler({ readComponents: () => [reading('sale', url)] });
    await own.sampleNow();
    await own.sampleNow();
    own.stop();
    const metrics = drain(outbox).filter(({ stream }) => stream === 'metrics');
    const [first, second] = metrics.flatMap(snapshotsOf);
    expect(first?.samples).toHaveLength(SERIES_PER_TERMINAL_MAX);
    const dropped = second?.samples.find((s) => s.name === 'tillwatch_series_dropped_total');
    const sent = of(first?.samples ?? [], 'sale').length;
    expect(dropped?.value).toBe(400 - sent);
    expect(log.lines.filter((line) => line.includes('left out'))).toHaveLength(1);
  });

  test('of everything at once: rules, whole histograms, the budget, and what is news', async () => {
    const buckets = (name: string) =>
      [...['0.1', '1', '10', '+Inf'].map((le) => `${name}_bucket{le="${le}"} 1`)].join('\n');
    const histograms = Array.from(
      { length: 20 },
      (_, n) => `# TYPE h${n} histogram\n${buckets(`h${n}`)}\nh${n}_sum 1\nh${n}_count 1`,
    );
    const foreign = Array.from({ length: 500 }, (_, n) => `foreign_${n} 1`);
    const more = ['sales{result="completed"} 7', 'jvm_heap 1', 'pos_basket_open 1'];
    let firmware = '1.0';
    const url = await serve((_request, response) => {
      const device = `pos_device_info{device="printer",model="T88",firmware="${firmware}"} 1`;
      response.end([device, ...more, ...histograms, ...foreign].join('\n'));
    });
    const rules = {
      keep: ['h*', 'foreign_*'],
      drop: ['foreign_49*'],
      rename: { sales: 'pos_transactions_total' },
    };
    const own = sampler({
      seriesMax: 120,
      readComponents: () => [reading('sale', url)],
      rules: new Map([['sale', rules]]),
    });
    await own.sampleNow();
    firmware = '1.1';
    await own.sampleNow();
    await own.sampleNow();
    own.stop();
    const batches = drain(outbox);
    const [first, ...later] = batches.flatMap((batch) =>
      batch.stream === 'metrics' ? snapshotsOf(batch) : [],
    );
    const samples = first?.samples ?? [];
    expect(samples).toHaveLength(120);
    expect(samples.find((s) => s.name === 'tillwatch_series')?.value).toBe(120);
    const sale = of(samples, 'sale');
    expect(sale.find((s) => s.name === 'pos_transactions_total')?.labels).toEqual({
      ...{ component: 'sale', result: 'completed', version: '1.0.0' },
    });
    const parts = sale.filter((s) => /^app_h\d+_/.test(s.name)).length;
    expect(parts).toBeGreaterThan(0);
    expect(parts % 6).toBe(0);
    const named = (all: readonly Sample[]) => of(all, 'sale').map((s) => s.name);
    expect(named(samples)).not.toContain('app_jvm_heap');
    // That something is left out is a series of our own: from then on nothing changes.
    const [second, third] = later.map((snapshot) => named(snapshot.samples));
    expect(second).toEqual(third);
    expect(second?.filter((name) => !named(samples).includes(name))).toEqual([]);
    const events = batches.flatMap((batch) => (batch.stream === 'events' ? eventsOf(batch) : []));
    expect(events.map(({ kind }) => kind).toSorted()).toEqual([
      'series_left_out',
      'version_changed',
    ]);
    const leftOut = events.find(({ kind }) => kind === 'series_left_out')?.fields;
    expect(leftOut).toMatchObject({ seriesMax: 120, reason: 'over the budget of 120 series' });
  });

  test('is one at a time, and none comes after stopping', async () => {
    let answers = 0;
    let release = (): void => {};
    const url = await serve((_request, response) => {
      answers += 1;
      release = () => response.end('a 1\n');
    });
    const own = sampler({ readComponents: () => [reading('sale', url)] });
    const first = own.sampleNow();
    const second = own.sampleNow();
    await until('asked', () => answers === 1);
    own.stop();
    release();
    await Promise.all([first, second]);
    expect(answers).toBe(1);
    expect(taken()).toEqual([]);
  });

  test('comes by itself: the first soon, then each period', async () => {
    const own = sampler({ everyMs: 100 });
    await until('three snapshots', () => outbox.stats().waiting.samples >= 30);
    own.stop();
    expect(
      new Set(
        drain(outbox)
          .flatMap(snapshotsOf)
          .map((s) => s.timeMs),
      ).size,
    ).toBeGreaterThan(1);
  });
});

describe('host facts', () => {
  test('are read from this very machine, within their names', async () => {
    const read = createHostReader(
      { dataDir: folder.path },
      { clock: realClock, timers: realTimers, log, files: realFiles },
    );
    const samples = await read();
    const value = (name: string, state?: string) =>
      samples.find((s) => s.name === name && s.labels['state'] === state)?.value ?? Number.NaN;
    for (const { name, labels } of samples) {
      expect(isMetricName(name), name).toBe(true);
      if (!isMetricName(name)) continue;
      expect(Object.keys(labels).toSorted(), name).toEqual(catalogue[name].labels.toSorted());
    }
    expect(value('pos_host_filesystem_bytes', 'available')).toBeGreaterThan(1e6);
    expect(samples.find((s) => s.name === 'pos_host_info')?.labels['kernel']).toBe(release());
    expect(value('pos_host_cpu_ratio')).toBeGreaterThanOrEqual(0);
    expect(value('pos_host_cpu_ratio')).toBeLessThanOrEqual(1);
    expect(value('pos_host_memory_bytes', 'available')).toBeGreaterThan(1e7);
    expect(value('pos_host_uptime_seconds')).toBeGreaterThan(0);
    expect(log.lines).toEqual([]);
  });
});

test('where nobody listens there is a reason, not an exception', async () => {
  expect(await scrape('http://127.0.0.1:1/metrics', realTimers)).toMatchObject({ ok: false });
});
