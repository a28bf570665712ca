// A real database and a real broker that writes to it, for the tests of the sinks. Ports are chosen free,
// data lies in a folder that goes with the test, and only what was started here is killed, by its pid.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packBody } from '../../protocol/body.ts';
import { encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import { connectTerminal, makeBatch, type Terminal } from '../real/front-rig.ts';

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
};

/** Until an asynchronous question has an answer. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  timeoutMs = 15_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await ask();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > endMs) throw new Error(`never happened: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export type Database = {
  readonly url: string;
  /** @param flags more of them, this time. */
  readonly start: (...flags: string[]) => Promise<void>;
  readonly kill: () => Promise<void>;
  readonly close: () => Promise<void>;
  /** Every sample of the series that a selector names, by series and in order. */
  readonly samples: (selector: string, untilMs: number, days?: number) => Promise<SeriesFound[]>;
};
export type SeriesFound = {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [timeMs: number, value: number])[];
};

type Answer = {
  data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
};

async function readSamples(url: string, selector: string, untilMs: number, days: number) {
  const query = new URLSearchParams({
    query: `${selector}[${days}d]`,
    time: String(untilMs / 1000),
  });
  const answer = await fetch(`${url}/api/v1/query?${query}`);
  const { data } = (await answer.json()) as Answer;
  return data.result.map(({ metric, values }) => ({
    metric,
    values: values.map(([s, value]) => [Math.round(s * 1000), Number(value)] as const),
  }));
}

/** VictoriaMetrics shows samples as they lie there only in an export. */
async function exportSamples(url: string, selector: string): Promise<SeriesFound[]> {
  // What was written a moment ago is searchable after this [VictoriaMetrics, Troubleshooting].
  await fetch(`${url}/internal/force_flush`);
  const query = new URLSearchParams({ 'match[]': selector });
  const text = await (await fetch(`${url}/api/v1/export?${query}`)).text();
  type Line = { metric: Record<string, string>; values: number[]; timestamps: number[] };
  const found = new Map<string, { metric: Line['metric']; values: [number, number][] }>();
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const { metric, values, timestamps } = JSON.parse(line) as Line;
    const key = JSON.stringify(metric);
    const known = found.get(key) ?? { metric, values: [] };
    known.values.push(...timestamps.map((t, i): [number, number] => [t, values[i] ?? Number.NaN]));
    found.set(key, known);
  }
  return [...found.values()].map((one) => ({
    ...one,
    values: one.values.sort(([a], [b]) => a - b),
  }));
}

function openProgram(program: string, argv: readonly string[], ready: string) {
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return {
    start: async (...more: string[]): Promise<void> => {
      child = spawn(program, [...argv, ...more], { stdio: 'ignore' });
      await eventually(`${program} is ready`, async () => (await fetch(ready)).ok);
    },
    kill,
  };
}

/** @param flags beside those that say where it is. */
export async function openPrometheus(
  window: string | undefined,
  ...flags: string[]
): Promise<Database> {
  const dir = mkdtempSync(join(tmpdir(), 'tw-prometheus-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const tsdb =
    window === undefined ? '' : `storage: { tsdb: { out_of_order_time_window: ${window} } }\n`;
  // It scrapes itself, as one does: its newest sample decides what is too old.
  const scrape = `scrape_configs: [{ job_name: self, static_configs: [{ targets: ['127.0.0.1:${port}'] }] }]\n`;
  writeFileSync(join(dir, 'prometheus.yml'), `global: { scrape_interval: 1s }\n${scrape}${tsdb}`);
  const argv = [
    `--config.file=${join(dir, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(dir, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    ...flags,
  ];
  const program = openProgram('prometheus', argv, `${url}/-/ready`);
  return {
    url,
    ...program,
    samples: (selector, untilMs, days = 40) => readSamples(url, selector, untilMs, days),
    close: async () => {
      await program.kill();
      rmSync(dir, { recursive: true });
    },
  };
}

export async function openVictoria(...flags: string[]): Promise<Database> {
  const dir = mkdtempSync(join(tmpdir(), 'tw-victoria-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const argv = [`-storageDataPath=${dir}`, `-httpListenAddr=127.0.0.1:${port}`, ...flags];
  const program = openProgram('victoria-metrics', argv, `${url}/health`);
  return {
    url,
    ...program,
    samples: (selector) => exportSamples(url, selector),
    close: async () => {
      await program.kill();
      rmSync(dir, { recursive: true });
    },
  };
}

export const metricBatch = (seq: number, snapshots: readonly Snapshot[]): Uint8Array =>
  makeBatch(seq, { stream: 'metrics', ...packBody(encodeMetricBody(snapshots)) });

/** Sends until everything is acknowledged, over as many connections as it takes. */
export async function deliver(
  port: () => number,
  id: string,
  batches: readonly Uint8Array[],
  timeoutMs = 20_000,
): Promise<void> {
  const acked = new Set<number>();
  let till: Terminal | undefined;
  const collect = (): void => {
    for (const { stream, ranges } of till?.acks.flatMap((ack) => ack.streams) ?? []) {
      if (stream !== 'metrics') continue;
      for (const { first, last } of ranges) for (let n = first; n <= last; n += 1) acked.add(n);
    }
  };
  await eventually(
    `${id} delivered`,
    async () => {
      if (till === undefined || till.closed()) till = await connectTerminal(port(), id);
      for (const [i, batch] of batches.entries()) {
        // A publish is never answered by a broker that was killed.
        if (till.closed()) break;
        if (!acked.has(i + 1)) await Promise.race([till.send(batch, 'metrics'), till.ended]);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
      collect();
      return acked.size >= batches.length;
    },
    timeoutMs,
  );
  await till?.end();
}
