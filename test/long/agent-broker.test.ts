// A real agent and a real broker: what happens on the till is seen in the centre, a restart asked for there is
// done here once, and an agent that was killed does not look like a component that was restarted.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { fault, Rig, until } from '../real/agent-rig.ts';

let rig: Rig;
let broker: ChildProcess;
let url: string;
let mqttPort: number;
let token: string;
let key: string;

beforeEach(async () => {
  rig = new Rig();
  const dataDir = join(rig.folder, 'broker');
  mkdirSync(dataDir);
  const free = { host: '127.0.0.1', port: 0 };
  const file = join(rig.folder, 'broker.yaml');
  const terminals = [{ id: 'lane-1', store: 's-1' }];
  writeFileSync(file, stringify({ dataDir, plainText: true, mqtt: free, http: free, terminals }));
  broker = spawn(process.execPath, [resolve('broker/main.ts'), '--config', file], {
    stdio: 'ignore',
  });
  const ready = join(dataDir, 'broker.json');
  await until('the broker is there', () => existsSync(ready));
  ({ url, mqttPort } = JSON.parse(readFileSync(ready, 'utf8')));
  token = readFileSync(join(dataDir, 'api-token'), 'utf8').trim();
  key = readFileSync(join(dataDir, 'command-key.pub'), 'utf8').trim();
});
afterEach(async () => {
  const gone = new Promise((done) => broker.once('exit', done));
  if (broker.kill('SIGKILL')) await gone;
  await rig.clean();
});

async function ask<T>(path: string, body?: object): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    headers: {
      authorization: `Bearer ${token}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
  });
  return (await response.json()) as T;
}

async function eventually<T>(what: string, path: string, good: (answer: T) => boolean): Promise<T> {
  const untilMs = performance.now() + 30_000;
  for (;;) {
    const answer = await ask<T>(path);
    if (good(answer)) return answer;
    if (performance.now() > untilMs) {
      throw new Error(`never happened: ${what}; last: ${JSON.stringify(answer).slice(0, 2_000)}`);
    }
    await new Promise((done) => setTimeout(done, 100));
  }
}

type View = {
  presence: string;
  samples: number;
  agent: { version: string; starts: number };
  components: {
    name: string;
    state: string;
    restarts: Record<string, number>;
    restartsTotal: number;
    pid: number;
  }[];
  openIncidents: unknown[];
};
const TERMINAL = '/api/v1/terminals/lane-1';
const sale = (view: View) => view.components?.find(({ name }) => name === 'sale');

function startTill(till: object = fault('sale')): void {
  rig.configure([till], {
    broker: { plainText: true, host: '127.0.0.1', port: mqttPort },
    link: { reconnectMsMin: 100, reconnectMsMax: 500 },
    trust: { commandKeys: [key] },
    sampling: { everyMs: 500, sendMs: 1_000 },
  });
  void rig.start();
}

describe('a restart that is asked for in the middle of a sale', () => {
  it('waits, and is done at once when it is asked for by force', async () => {
    const toiler = [process.execPath, resolve('test/real/agent-toiler.ts')];
    startTill({ name: 'sale', command: toiler });
    const pid = await rig.ready('sale');
    await eventually<View>('it is seen', TERMINAL, (v) => sale(v)?.state === 'ready');
    const restart = (force: boolean) =>
      ask<{ id: string }>(`${TERMINAL}/commands`, {
        kind: 'restart',
        arguments: { component: 'sale', ...(force ? { force } : {}) },
        reason: force ? 'the cashier agreed' : 'uploads look slow',
      });
    const command = async (id: string, state: string): Promise<void> => {
      await eventually<{ state: string }>(
        state,
        `/api/v1/commands/${id}`,
        (c) => c.state === state,
      );
    };
    const polite = await restart(false);
    await command(polite.id, 'running');
    await new Promise((done) => setTimeout(done, 1_000));
    expect(rig.copies('sale')).toEqual([pid]);
    const forced = await restart(true);
    // One restart answers both.
    await Promise.all([command(forced.id, 'succeeded'), command(polite.id, 'succeeded')]);
    const after = await eventually<View>('it is counted', TERMINAL, (v) => {
      return sale(v)?.restarts['operator'] === 1 && sale(v)?.state === 'ready';
    });
    expect(sale(after)?.pid).not.toBe(pid);
    expect(rig.log().some(({ reason }) => reason === 'the cashier agreed')).toBe(true);
  });
});

describe('a till and its centre', () => {
  it('agree on state, failures, samples, commands and the death of an agent', async () => {
    startTill();
    await rig.ready('sale');
    await eventually<View>('it is seen', TERMINAL, (v) => sale(v)?.state === 'ready');
    await eventually<View>('its samples arrive', TERMINAL, (v) => v.samples > 100);

    process.kill((await rig.ready('sale')) as number, 'SIGKILL');
    const crashed = await eventually<View>(
      'the crash is seen',
      TERMINAL,
      (v) => sale(v)?.restarts['crash'] === 1 && sale(v)?.state === 'ready',
    );
    expect(crashed.openIncidents).toEqual([]);

    const reason = 'printer swapped';
    const asked = await ask<{ id: string }>(`${TERMINAL}/commands`, {
      kind: 'restart',
      arguments: { component: 'sale' },
      reason,
    });
    const command = await eventually<{ state: string; history: { state: string }[] }>(
      'the command is done',
      `/api/v1/commands/${asked.id}`,
      (c) => c.state === 'succeeded',
    );
    expect(command.history.map(({ state }) => state)).toEqual([
      'pending',
      'sent',
      'accepted',
      'running',
      'succeeded',
    ]);
    const before = await eventually<View>(
      'the restart is seen',
      TERMINAL,
      (v) => sale(v)?.restarts['operator'] === 1 && sale(v)?.state === 'ready',
    );

    const gone = new Promise((done) => rig.agent?.once('exit', done));
    rig.agent?.kill('SIGKILL');
    await gone;
    void rig.start();
    const after = await eventually<View>(
      'the new agent is seen',
      TERMINAL,
      (v) => v.agent.starts === before.agent.starts + 1,
    );
    expect(sale(after)).toMatchObject({
      pid: sale(before)?.pid,
      restartsTotal: sale(before)?.restartsTotal,
    });
  });
});
