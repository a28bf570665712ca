// The centre that capacity is measured at: the built broker with shipped settings in a folder of its own, one sink whose
// receiver takes everything, and the built command line, which is what a person waits for.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from '../harness.ts';
import { type Part, startPart } from '../ingest/part.ts';

export type Ran = { readonly ok: boolean; readonly out: string; readonly tookMs: number };
type Facts = { readonly mqttPort: number; readonly url: string };

const READY_MS_MAX = 120_000;
const VERB_MS_MAX = 120_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Takes everything at once, and keeps nothing. */
function startReceiver(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(204).end());
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};

export class Centre {
  readonly folder = mkdtempSync(join(tmpdir(), 'tw-capacity-'));
  readonly dataDir = join(this.folder, 'data');
  readonly #receiver: Server;
  readonly #config = join(this.folder, 'broker.yaml');
  #broker: Part | undefined;
  #facts: Facts = { mqttPort: 0, url: '' };

  private constructor(receiver: Server) {
    this.#receiver = receiver;
  }

  static async open(): Promise<Centre> {
    const centre = new Centre(await startReceiver());
    centre.#configure();
    await centre.start();
    // The tills look for it where it was.
    centre.#configure();
    return centre;
  }

  get broker(): Part {
    if (this.#broker === undefined) throw new Error('there is no broker');
    return this.#broker;
  }

  get facts(): Facts {
    return this.#facts;
  }

  #configure(): void {
    const http = this.#facts.url === '' ? 0 : Number(new URL(this.#facts.url).port);
    const lines = [
      'dataDir: data',
      'plainText: true',
      `mqtt: { port: ${this.#facts.mqttPort} }`,
      `http: { port: ${http} }`,
      'acceptUnknown: true',
      `sinks: { remoteWrite: http://127.0.0.1:${portOf(this.#receiver)} }`,
    ];
    writeFileSync(this.#config, `${lines.join('\n')}\n`);
  }

  /** @returns how long until it answered that it is ready. */
  async start(): Promise<number> {
    const facts = join(this.dataDir, 'broker.json');
    rmSync(facts, { force: true });
    const startedMs = performance.now();
    this.#broker = startPart([
      process.execPath,
      resolve('dist/broker.mjs'),
      '--config',
      this.#config,
    ]);
    this.#facts = await until(
      'the broker is ready',
      async () => {
        try {
          const told = JSON.parse(readFileSync(facts, 'utf8')) as Facts;
          return (await fetch(`${told.url}/readyz`)).ok ? told : undefined;
        } catch {
          return undefined;
        }
      },
      READY_MS_MAX,
    );
    return performance.now() - startedMs;
  }

  write(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }

  /** Which commands of it a terminal in plain text believes. */
  commandKey(): string {
    return readFileSync(join(this.dataDir, 'command-key.pub'), 'utf8').trim();
  }

  #token(): string {
    return readFileSync(join(this.dataDir, 'api-token'), 'utf8').trim();
  }

  /** A verb of the command line, from its start to its end. */
  verb(...argv: string[]): Promise<Ran> {
    const env = {
      PATH: process.env['PATH'],
      HOME: this.folder,
      TILLWATCH_URL: this.#facts.url,
      TILLWATCH_API_TOKEN: this.#token(),
    };
    const fromMs = performance.now();
    return new Promise((done) => {
      const limits = { timeout: VERB_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX };
      const command = [resolve('dist/tillwatch.mjs'), ...argv];
      execFile(process.execPath, command, { env, ...limits }, (error, out, err) =>
        done({ ok: error === null, out: `${out}${err}`, tookMs: performance.now() - fromMs }),
      );
    });
  }

  async get(path: string): Promise<{ readonly value: unknown; readonly tookMs: number }> {
    const fromMs = performance.now();
    const response = await fetch(`${this.#facts.url}/api/v1/${path}`, {
      headers: { authorization: `Bearer ${this.#token()}` },
    });
    const value: unknown = await response.json();
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${JSON.stringify(value)}`);
    return { value, tookMs: performance.now() - fromMs };
  }

  /** Of one name on the broker's own page, summed over the labels that fit. */
  async figure(line: RegExp): Promise<number> {
    const text = await (await fetch(`${this.#facts.url}/metrics`)).text();
    const found = text.split('\n').filter((one) => line.test(one));
    return found.reduce((sum, one) => sum + Number(one.slice(one.lastIndexOf(' '))), 0);
  }

  async close(): Promise<void> {
    await this.#broker?.end();
    this.#receiver.close();
    this.#receiver.closeAllConnections();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
