// A real agent and a real broker on one shared port, as a store behind a firewall has them: the agent enrols with a token
// through the store's proxy, reaches its broker past an address that is dead, survives kill -9, and renews.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readMachine, startEnrol } from '../../agent/system/enrol-child.ts';
import { loadIdentity } from '../../agent/system/identity-folder.ts';
import { until } from '../real/front-rig.ts';
import { realTimers } from '../real/link-rig.ts';
import { type Closing, connectProxy, OPEN } from '../real/tls-rig.ts';
import { type FleetRig, freePort, openFleetRig } from '../real/trust-rig.ts';

const MAIN = join(import.meta.dirname, '../../agent/main.ts');
const SECONDS_20 = 20_000;
let rig: FleetRig;
let proxy: Closing & { readonly requests: string[] };
const agents: ChildProcess[] = [];

beforeAll(async () => {
  rig = await openFleetRig({ onePort: true });
  proxy = await connectProxy(() => OPEN);
}, 60_000);
afterEach(async () => {
  for (const agent of agents.splice(0)) await end(agent, 'SIGINT');
});
afterAll(async () => {
  await proxy.close();
  await rig.close();
});

async function end(agent: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (agent.exitCode !== null || agent.signalCode !== null) return;
  const ended = once(agent, 'exit');
  agent.kill(signal);
  await ended;
}

function till(terminal: string, broker: object) {
  const folder = join(rig.dir, terminal);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'agent.yaml');
  const config = {
    ...{ terminal, dataDir: 'data', runDir: 'run', onExit: 'stop', broker },
    link: { reconnectMsMin: 50, reconnectMsMax: 500 },
    components: [{ name: 'idler', command: ['sleep', '1000'], channel: false }],
  };
  writeFileSync(file, JSON.stringify(config));
  const identity = join(folder, 'data', 'identity');
  return {
    identity,
    log: (): string => {
      const path = join(folder, 'data', 'agent.log');
      return existsSync(path) ? readFileSync(path, 'utf8') : '';
    },
    /** @param token on standard input where `how` is `-`. */
    start: (...how: string[]): ChildProcess => {
      const agent = spawn(process.execPath, [MAIN, '--config', file, ...how], {
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      agents.push(agent);
      return agent;
    },
    serial: (): string | undefined => {
      const loaded = loadIdentity(identity, terminal);
      return loaded.ok ? loaded.value?.serial : undefined;
    },
  };
}

const count = (text: string, what: string): number => text.split(what).length - 1;
/** The agent says so for the nth time, and the broker as well. */
async function connected(one: ReturnType<typeof till>, terminal: string, times = 1): Promise<void> {
  const said = (): boolean => count(one.log(), 'connected to the broker') >= times;
  await until(`${terminal} is connected`, said, SECONDS_20);
  const { status, body } = await rig.api(`terminals/${terminal}`);
  expect(status).toBe(200);
  expect(JSON.stringify(body)).toContain('"online"');
}

describe('an agent of a fleet', () => {
  test('enrols through a proxy on the shared port, and hides its token', async () => {
    const dead = await freePort();
    const via = `http://127.0.0.1:${proxy.port}`;
    const addresses = [`mqtts://localhost:${dead}`, `mqtts://localhost:${rig.mqttPort}`];
    const one = till('lane-1', { proxy: via, addresses });
    const token = await rig.token('lane-1');
    const agent = one.start('--enroll', token);
    await until('its arguments are its own', () => {
      const seen = readFileSync(`/proc/${agent.pid}/cmdline`, 'latin1');
      return seen.startsWith('tillwatch agent') && !seen.includes(token.slice(0, 12));
    });
    await connected(one, 'lane-1');
    const secret = token.slice(20, 60);
    expect(one.log()).not.toContain(secret);
    expect(existsSync(join(one.identity, 'token'))).toBe(false);
    const asked = proxy.requests.map((request) => request.split('\r\n')[0]);
    expect(asked).toContain(`CONNECT localhost:${rig.httpPort} HTTP/1.1`);
    // Enrolment, the address that is dead, and the one that is not.
    expect(asked).toContain(`CONNECT localhost:${dead} HTTP/1.1`);
    expect(asked.length).toBeGreaterThanOrEqual(3);
  });

  test('comes back with its identity after kill -9, and needs no token again', async () => {
    const one = till('lane-2', {});
    const token = await rig.token('lane-2');
    const first = one.start('--enroll', '-');
    first.stdin?.write(`${token}\n`);
    await connected(one, 'lane-2');
    await end(first, 'SIGKILL');
    one.start();
    await connected(one, 'lane-2', 2);
    expect(count(one.log(), 'identity: enrolled')).toBe(1);
  });

  test('killed before it took over what was renewed, takes it over at its next start', async () => {
    const one = till('lane-3', {});
    const first = one.start('--enroll', await rig.token('lane-3'));
    await connected(one, 'lane-3');
    await end(first, 'SIGKILL');
    const before = one.serial();
    const job = { folder: one.identity, terminal: 'lane-3', machine: readMachine(), floorMs: 0 };
    const done = await startEnrol({ kind: 'renew', ...job }, realTimers).done;
    expect(done).toMatchObject({ ok: true, value: { ok: true } });
    // Killed before it could take it over: the next agent does.
    expect(one.serial()).toBe(before);
    one.start();
    await until('it is taken over', () => one.serial() !== before, SECONDS_20);
    await connected(one, 'lane-3', 2);
    expect(one.log()).toMatch(/identity: renewed/);
  });

  test('watches over its components without a broker, and says what it lacks', async () => {
    const one = till('lane-4', {});
    one.start();
    await until('it starts it', () => one.log().includes('idler started'), SECONDS_20);
    expect(one.log()).toMatch(/has no certificate: type tillwatch join here/);
  });

  test('a token of another terminal, or none at all, is refused at once in a sentence', async () => {
    till('lane-5', {});
    for (const [given, why] of [
      [await rig.token('lane-6'), /the token is for lane-6, and this is lane-5/],
      ['nonsense', /this is no enrolment token/],
    ] as const) {
      const file = join(rig.dir, 'lane-5', 'agent.yaml');
      const agent = spawn(process.execPath, [MAIN, '--config', file, '--enroll', given], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      agent.stderr.on('data', (part) => {
        said += part;
      });
      const [code] = await once(agent, 'close');
      expect(code).toBe(64);
      expect(said).toMatch(why);
    }
  });
});
