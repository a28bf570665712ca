// A real agent, a real broker and a component that printed a lot: for tests that ask for its logs and kill
// one or the other while they are on their way.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { openReader } from '../../agent/logs/journal/reader.ts';
import { Rig, until } from './agent-rig.ts';

export type LogView = {
  readonly id: string;
  readonly state: string;
  readonly bytes: number;
  readonly lines: number;
  readonly error: string;
  readonly sha256: string;
  readonly redactions: number;
  readonly connected: boolean;
};

export class LogsRig {
  readonly till = new Rig();
  readonly brokerDir = join(this.till.folder, 'broker');
  readonly #file = join(this.till.folder, 'broker.yaml');
  #broker: ChildProcess | undefined;
  #ports = { mqttPort: 0, httpPort: 0 };
  /** Where the agent finds the broker: it, or somebody in between. */
  mqttPort = 0;
  url = '';
  token = '';

  /** At the same ports as before, if it ran before. */
  async startBroker(more: object = {}): Promise<void> {
    mkdirSync(this.brokerDir, { recursive: true });
    const { mqttPort, httpPort } = this.#ports;
    const host = '127.0.0.1';
    const config = {
      ...{ dataDir: this.brokerDir, terminals: [{ id: 'lane-1', store: 's-1' }] },
      ...{ plainText: true, mqtt: { host, port: mqttPort }, http: { host, port: httpPort } },
      ...more,
    };
    writeFileSync(this.#file, stringify(config));
    const ready = join(this.brokerDir, 'broker.json');
    rmSync(ready, { force: true });
    this.#broker = spawn(process.execPath, [resolve('broker/main.ts'), '--config', this.#file], {
      stdio: 'ignore',
    });
    await until('the broker is there', () => existsSync(ready));
    const facts = JSON.parse(readFileSync(ready, 'utf8'));
    this.#ports = facts;
    if (this.mqttPort === 0) this.mqttPort = facts.mqttPort;
    this.url = facts.url;
    this.token = readFileSync(join(this.brokerDir, 'api-token'), 'utf8').trim();
  }

  async killBroker(): Promise<void> {
    const broker = this.#broker;
    const gone = new Promise((done) => broker?.once('exit', done));
    if (broker?.kill('SIGKILL')) await gone;
  }

  configure(component: readonly (string | number)[]): void {
    const writer = resolve('test/real/log-writer.ts');
    this.configureCommand([process.execPath, writer, ...component.map(String)]);
  }

  /** @param command of the component `till`. */
  configureCommand(command: readonly string[]): void {
    const key = readFileSync(join(this.brokerDir, 'command-key.pub'), 'utf8').trim();
    this.till.configure([{ name: 'till', command, version: '1.0.0', channel: false }], {
      broker: { plainText: true, host: '127.0.0.1', port: this.mqttPort },
      link: { reconnectMsMin: 50, reconnectMsMax: 200 },
      trust: { commandKeys: [key] },
      output: { bytesMax: 1024 ** 3, bytesPerSecondMax: 1024 ** 3 },
      sampling: { everyMs: 1_000, sendMs: 2_000 },
    });
  }

  /** What a component printed and the journal has: what an answer is made of. */
  recordsKept(component = 'till'): number {
    const reader = openReader(join(this.till.folder, 'data', 'journal'));
    let records = 0;
    for (const block of reader.blocks(component, { sinceMs: 0, untilMs: 9e15 }))
      records += block.records;
    reader.close();
    return records;
  }

  async killAgent(): Promise<void> {
    const { agent } = this.till;
    const gone = new Promise((done) => agent?.once('exit', done));
    if (agent?.kill('SIGKILL')) await gone;
  }

  async call<T>(path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.url}${path}`, {
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    });
    return (await response.json()) as T;
  }

  async ask(body: object): Promise<string> {
    const asked = { components: ['till'], reason: 'a test', bytesMax: 64 * 1024 * 1024, ...body };
    const { id, ...more } = await this.call<LogView>('/api/v1/terminals/lane-1/logs', asked);
    if (id === undefined) throw new Error(`it was not asked: ${JSON.stringify(more)}`);
    return id;
  }

  /** Looks at a request until it is so; a broker that is not there just now is asked again. */
  async wait(what: string, id: string, good: (view: LogView) => boolean): Promise<LogView> {
    const untilMs = performance.now() + 45_000;
    let last: unknown;
    for (;;) {
      try {
        const view = await this.call<LogView>(`/api/v1/logs/${id}`);
        if (good(view)) return view;
        last = view;
      } catch (error) {
        last = error;
      }
      if (performance.now() > untilMs)
        throw new Error(`never: ${what}; last ${JSON.stringify(last)}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  stored(id: string): Buffer {
    return readFileSync(join(this.brokerDir, 'logs', `${id}.log`));
  }

  /** Files of the broker and of the agent, but not what the component printed, that hold a text. */
  filesWith(text: string): string[] {
    const data = join(this.till.folder, 'data');
    return [this.brokerDir, data].flatMap((folder) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => !path.startsWith(join(data, 'logs', 'till')))
        .filter((path) => readFileSync(path).includes(text)),
    );
  }

  async clean(): Promise<void> {
    await this.killBroker();
    await this.till.clean();
  }
}
