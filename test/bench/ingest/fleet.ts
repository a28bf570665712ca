// The whole broker, as it is built, before a simulated fleet: how much processor it takes in steady state,
// with registry, history and a remote-write sink whose receiver accepts everything. Measured from outside,
// over all threads, once every terminal has been connected for a while.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { measurePressure, type Report, round, sleep, until } from '../harness.ts';
import type { Options } from '../options.ts';
import { startPart } from './part.ts';

const MINUTES = 3;
/** The simulator connects 200 a second (agent/simulated/fleet.ts); then a minute for first batches. */
const CONNECTS_PER_SECOND = 150;
const SETTLE_MS = 75_000;

type Receiver = { readonly port: number; readonly requests: () => number; readonly server: Server };

function startReceiver(): Promise<Receiver> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    request.resume().on('end', () => response.writeHead(204).end());
  });
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      done({ port, requests: () => requests, server });
    });
  });
}

/** The values of one name on the broker's own page, summed over all labels that fit. */
async function counter(url: string, line: RegExp): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = text.split('\n').filter((one) => line.test(one));
  return found.reduce((sum, one) => sum + Number(one.slice(one.lastIndexOf(' '))), 0);
}

export async function runFleet(options: Options, terminals: number): Promise<Report> {
  const minutes = options.minutes ?? MINUTES;
  const dir = mkdtempSync(join(tmpdir(), 'tw-bench-'));
  const receiver = await startReceiver();
  const config = join(dir, 'broker.yaml');
  const sinks = `sinks: { remoteWrite: http://127.0.0.1:${receiver.port} }`;
  const listeners = 'plainText: true\nmqtt: { port: 0 }\nhttp: { port: 0 }';
  writeFileSync(config, `dataDir: data\n${listeners}\nacceptUnknown: true\n${sinks}\n`);
  const broker = startPart([process.execPath, resolve('dist/broker.mjs'), '--config', config]);
  const facts = join(dir, 'data', 'broker.json');
  try {
    const { mqttPort, url } = await until('the broker is ready', () => {
      try {
        return JSON.parse(readFileSync(facts, 'utf8')) as { mqttPort: number; url: string };
      } catch {
        return undefined;
      }
    });
    const fleet = ['--terminals', `${terminals}`, '--broker', `127.0.0.1:${mqttPort}`];
    const argv = [resolve('dist/simulate.mjs'), ...fleet, '--rate', '0', '--exit-with-parent'];
    const simulator = startPart([process.execPath, ...argv]);
    try {
      const withinMs = (terminals / CONNECTS_PER_SECOND) * 1_000 + 120_000;
      await until(
        'every terminal is connected',
        async () =>
          (await counter(url, /^tillwatch_broker_connections /)) >= terminals || undefined,
        withinMs,
        1_000,
      );
      await sleep(SETTLE_MS);
      const pressure = measurePressure();
      const at = async () => ({
        ms: performance.now(),
        cpu: broker.cpuSeconds(),
        simulated: simulator.cpuSeconds(),
        batches: await counter(url, /^tillwatch_ingest_batches_total\{.*result="new"/),
        samples: await counter(url, /^tillwatch_ingest_samples_total/),
      });
      const from = await at();
      await sleep(minutes * 60_000);
      const to = await at();
      const seconds = (to.ms - from.ms) / 1_000;
      const figures = {
        terminals,
        cores: round((to.cpu - from.cpu) / seconds),
        residentMiB: Math.round(broker.residentBytes() / 2 ** 20),
        batchesPerSecond: round((to.batches - from.batches) / seconds),
        samplesPerSecond: Math.round((to.samples - from.samples) / seconds),
        registryBehind: await counter(url, /^tillwatch_registry_behind_batches /),
        sinkBehind: await counter(url, /^tillwatch_sink_behind_batches/),
        sinkRequests: receiver.requests(),
        simulatorCores: round((to.simulated - from.simulated) / seconds),
      };
      return {
        name: 'ingest',
        figures,
        targets: { cores: 0.6 },
        notes: [`something waited for a processor ${pressure()} % of the time`],
      };
    } finally {
      await simulator.end();
    }
  } finally {
    await broker.end();
    receiver.server.close();
    rmSync(dir, { recursive: true });
  }
}
