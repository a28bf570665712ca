// A real Prometheus and a real VictoriaMetrics, started on free ports with the flags that the documentation
// asks for, killed and started again on the same data, and asked for raw samples: a range selector in an
// instant query and /api/v1/export, so that nothing is interpolated on the way.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { freePort } from '../../real/agent-rig.ts';
import type { Away } from './story.ts';

/** One series: its labels as sorted text, and its samples in order of time. */
export type Raw = Map<string, readonly (readonly [timeMs: number, value: number])[]>;

const keyOf = (metric: Record<string, string>): string =>
  Object.entries(metric)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(',');

export abstract class Database {
  readonly folder: string;
  port = 0;
  /** When it was killed, and ready again. */
  readonly away: Away[] = [];
  #child: ChildProcess | undefined;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }
  get name(): string {
    return basename(this.folder);
  }
  abstract command(): readonly [string, ...string[]];
  abstract readonly readyPath: string;
  abstract raw(match: string, rangeSeconds: number): Promise<Raw>;

  async start(): Promise<void> {
    if (this.port === 0) this.port = await freePort();
    const [program, ...args] = this.command();
    this.#child = spawn(program, args, { stdio: 'ignore' });
    for (let tries = 0; tries < 200; tries += 1) {
      const answer = await fetch(`${this.url}${this.readyPath}`).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.ok) {
        const last = this.away.at(-1);
        if (last !== undefined) last.againMs = Date.now();
        return;
      }
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`${program} does not get ready`);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    child.kill('SIGKILL');
    this.away.push({ atMs: Date.now(), againMs: Infinity });
    await once(child, 'exit');
  }

  protected async ask(path: string): Promise<string> {
    const answer = await fetch(`${this.url}${path}`);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text.slice(0, 200)}`);
    return text;
  }
}

export class Prometheus extends Database {
  readonly readyPath = '/-/ready';

  command(): readonly [string, ...string[]] {
    const file = join(this.folder, 'prometheus.yml');
    writeFileSync(file, 'storage: { tsdb: { out_of_order_time_window: 30d } }\n');
    return [
      'prometheus',
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(this.folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${this.port}`,
      '--web.enable-remote-write-receiver',
    ];
  }

  async raw(match: string, rangeSeconds: number): Promise<Raw> {
    const query = encodeURIComponent(`${match}[${rangeSeconds}s]`);
    const { data } = JSON.parse(await this.ask(`/api/v1/query?query=${query}`)) as {
      data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
    };
    return new Map(
      data.result.map(({ metric, values }) => [
        keyOf(metric),
        values.map(([seconds, value]) => [Math.round(seconds * 1_000), Number(value)] as const),
      ]),
    );
  }
}

export class VictoriaMetrics extends Database {
  readonly readyPath = '/health';

  command(): readonly [string, ...string[]] {
    return [
      'victoria-metrics',
      `-storageDataPath=${join(this.folder, 'data')}`,
      `-httpListenAddr=127.0.0.1:${this.port}`,
      '-dedup.minScrapeInterval=1ms',
      '-retentionPeriod=1y',
    ];
  }

  async raw(match: string, rangeSeconds: number): Promise<Raw> {
    const start = Math.floor(Date.now() / 1_000) - rangeSeconds;
    const query = `match[]=${encodeURIComponent(match)}&start=${start}`;
    const text = await this.ask(`/api/v1/export?${query}`);
    const raw: Raw = new Map();
    for (const line of text.split('\n').filter((one) => one !== '')) {
      const { metric, values, timestamps } = JSON.parse(line) as {
        metric: Record<string, string>;
        values: number[];
        timestamps: number[];
      };
      const key = keyOf(metric);
      const pairs = timestamps.map((timeMs, index) => [timeMs, values[index] ?? NaN] as const);
      // Blocks of one series may come as several lines.
      raw.set(
        key,
        [...(raw.get(key) ?? []), ...pairs].sort(([a], [b]) => a - b),
      );
    }
    return raw;
  }
}
