// The broker as a child process with a data folder of its own, for tests that start, stop and kill it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeEventBody } from '../../protocol/events.ts';
import { makeBatch, until } from './front-rig.ts';

export const MAIN = join(import.meta.dirname, '../../broker/main.ts');

/** From source, beside ten tills on two cores. */
const READY_MS_MAX = 45_000;

export type Running = {
  readonly child: ChildProcess;
  readonly mqttPort: number;
  readonly url: string;
  readonly exit: Promise<number | string>;
};

export type Bench = ReturnType<typeof openBench>;

export function openBench() {
  const dir = mkdtempSync(join(tmpdir(), 'tw-broker-'));
  const children: ChildProcess[] = [];
  const data = (name: string): string => join(dir, 'data', name);

  function write(text: string): string {
    const file = join(dir, 'broker.yaml');
    writeFileSync(file, text);
    return file;
  }

  function configure(extra = ''): string {
    return write(
      `dataDir: data
plainText: true
mqtt: { port: 0 }
http: { port: 0 }
terminals: [{ id: lane-1, store: store-1 }, { id: lane-2, store: store-1 }]
${extra}`,
    );
  }

  function launch(file: string) {
    const child = spawn(process.execPath, [MAIN, '--config', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, TILLWATCH_LOG: '' },
    });
    children.push(child);
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    const exit = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
    return { child, exit, said: () => said };
  }

  /** Where a broker that was started is, once it says so. */
  const ready = (child: ChildProcess, said: () => string = () => '') =>
    until<{ mqttPort: number; url: string }>(
      'broker.json',
      () => {
        if (child.exitCode !== null) throw new Error(`the broker ended: ${said()}`);
        try {
          const read = JSON.parse(readFileSync(data('broker.json'), 'utf8'));
          return read.pid === child.pid ? read : false;
        } catch {
          // Not there yet, or a killed broker's, which this one is just removing.
          return false;
        }
      },
      READY_MS_MAX,
    );

  async function start(file = configure()): Promise<Running> {
    const { child, exit, said } = launch(file);
    const facts = await ready(child, said);
    return { child, exit, mqttPort: facts.mqttPort, url: facts.url };
  }

  async function api(url: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const answer = await fetch(`${url}/api/v1/${path}`, {
      headers: {
        authorization: `Bearer ${readFileSync(data('api-token'), 'utf8').trim()}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    return (await answer.json()) as Record<string, unknown>;
  }

  async function close(): Promise<void> {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(dir, { recursive: true });
  }

  return { dir, data, children, write, configure, launch, ready, start, api, close };
}

/** One event that names its batch, so that each can be found again. */
export const eventBatch = (seq: number, terminal: string): Uint8Array =>
  makeBatch(seq, {
    body: encodeEventBody([
      {
        id: `${terminal}-${seq}`,
        timeMs: 1_700_000_000_000 + seq,
        kind: 'agent_stopping',
        component: '',
        fields: { reason: `${seq}`, left: [] },
      },
    ]),
  });
