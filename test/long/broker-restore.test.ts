// A broker is destroyed with everything on its machine and restored elsewhere from a backup that is older than its end:
// a broker with TLS in a process of its own, two real tills with both addresses, and a person who types. Nobody enrols
// again, no till runs a command twice, and what was acknowledged since the backup comes again, each of it once.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plainEnvironment } from '../real/plain-environment.ts';
import { type FleetRig, openFleetRig, type RigIdentity } from '../real/trust-rig.ts';

const AGENT = join(import.meta.dirname, '../../agent/main.ts');
const CLI = join(import.meta.dirname, '../../cli/tillwatch.ts');
const PATIENCE = { timeout: 20_000, interval: 100 };
/** Where the broker is after its end; another address of this machine, which its certificate has to name. */
const ELSEWHERE = '127.0.0.2';
const COUNTS = 'echo up >> "$TIMES"; trap "exit 0" TERM; while :; do sleep 0.1 & wait; done';

let rig: FleetRig;
const agents = new Map<string, ChildProcess>();
let since: RigIdentity;
let stolen: RigIdentity;
const path = (...parts: string[]): string => join(rig.dir, ...parts);

async function prepareTill(terminal: string): Promise<void> {
  const identityDir = await rig.enrollFolder(terminal);
  mkdirSync(path(terminal));
  const { mqttPort: port } = rig;
  const config = {
    ...{ terminal, dataDir: 'data', runDir: 'run', onExit: 'leave', identityDir },
    broker: { addresses: [`mqtts://localhost:${port}`, `mqtts://${ELSEWHERE}:${port}`] },
    link: { reconnectMsMin: 50, reconnectMsMax: 300 },
    sampling: { everyMs: 500, sendMs: 500 },
    components: [
      {
        ...{ name: 'sale', version: '1.0.0', command: ['/bin/sh', '-c', COUNTS], channel: false },
        env: { TIMES: path(terminal, 'times') },
        probes: [{ kind: 'exec', command: ['/bin/true'], everyMs: 60_000 }],
      },
    ],
  };
  writeFileSync(path(terminal, 'agent.yaml'), JSON.stringify(config));
}

function startTill(terminal: string): void {
  const child = spawn(process.execPath, [AGENT, '--config', path(terminal, 'agent.yaml')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  agents.set(terminal, child);
}

async function killTill(terminal: string, signal: NodeJS.Signals): Promise<void> {
  const child = agents.get(terminal);
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

const startsOf = (terminal: string): number => {
  const file = path(terminal, 'times');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
};

type Ran = { readonly code: number | string | null; readonly out: string; readonly err: string };
const tillwatch = (...argv: string[]): Promise<Ran> =>
  new Promise((done) => {
    const env = { ...plainEnvironment, HOME: rig.dir };
    execFile(process.execPath, [CLI, ...argv], { cwd: rig.dir, env }, (error, out, err) => {
      done({ code: error === null ? 0 : (error.code ?? error.signal ?? null), out, err });
    }).stdin?.end();
  });

type Row = Record<string, unknown>;
const presenceOf = async (terminal: string): Promise<unknown> =>
  (await rig.api(`terminals/${terminal}`)).body['presence'];
const serialOf = async (terminal: string): Promise<unknown> =>
  ((await rig.api(`terminals/${terminal}`)).body['identity'] as Row | undefined)?.['serial'];
const stateOf = async (command: string): Promise<unknown> =>
  (await rig.api(`commands/${command}`)).body['state'];

async function restart(terminal: string): Promise<string> {
  const asked = { kind: 'restart', arguments: { component: 'sale' }, reason: 'a new price list' };
  const { status, body } = await rig.api(`terminals/${terminal}/commands`, asked);
  expect([status, body['detail']]).toEqual([202, undefined]);
  return String(body['id']);
}

/** What happened on tills, without the number that a broker gives it. */
async function events(): Promise<string[]> {
  const { body } = await rig.api('events?limit=500');
  return (body['events'] as Row[])
    .map(({ terminal, timeMs, kind, component, fields }) =>
      JSON.stringify({ terminal, timeMs, kind, component, fields }),
    )
    .sort();
}

beforeAll(async () => {
  rig = await openFleetRig();
  writeFileSync(path('passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
  for (const terminal of ['lane-1', 'lane-2']) {
    await prepareTill(terminal);
    startTill(terminal);
  }
  stolen = await rig.enroll('lane-3');
}, 60_000);
afterAll(async () => {
  for (const terminal of agents.keys()) await killTill(terminal, 'SIGINT');
  await rig?.close();
});

test('a broker that is destroyed goes on elsewhere, from a backup of before', async () => {
  const tills = ['lane-1', 'lane-2'];
  for (const till of tills) {
    await expect.poll(() => presenceOf(till), PATIENCE).toBe('online');
    await expect.poll(() => startsOf(till), PATIENCE).toBe(1);
  }
  const serials = await Promise.all(tills.map(serialOf));
  const early = await restart('lane-1');
  await expect.poll(() => stateOf(early), PATIENCE).toBe('succeeded');
  // One that waits while the backup is made, and is carried out after it.
  await killTill('lane-2', 'SIGKILL');
  const waiting = await restart('lane-2');

  const file = path('backup.age');
  const secret = ['--passphrase-file', path('passphrase')];
  const made = await tillwatch('broker', 'backup', file, '--config', rig.configFile, ...secret);
  expect(made).toMatchObject({ code: 0, err: '' });

  startTill('lane-2');
  await expect.poll(() => stateOf(waiting), PATIENCE).toBe('succeeded');
  const late = await restart('lane-1');
  await expect.poll(() => stateOf(late), PATIENCE).toBe('succeeded');
  await rig.operator('olga', 'oncall');
  since = await rig.enroll('lane-4');
  const session = await rig.session();
  const head = (await rig.api('audit/head')).body;
  writeFileSync(path('head.json'), JSON.stringify(head));
  await expect
    .poll(async () => (await events()).filter((one) => one.includes('"sale"')).length, PATIENCE)
    .toBeGreaterThan(4);
  const before = await events();

  await rig.stop('SIGKILL');
  for (const one of [rig.dataDir, rig.keysDir, rig.configFile]) rmSync(one, { recursive: true });

  writeFileSync(path('revoked'), 'lane-3 # stolen last night\n');
  const places = ['--data', rig.dataDir, '--keys', rig.keysDir, '--config', rig.configFile];
  const how = ['--name', ELSEWHERE, '--revoked', path('revoked'), ...places, ...secret];
  const restored = await tillwatch('broker', 'restore', file, ...how);
  expect(restored).toMatchObject({ code: 0, err: '' });
  expect(restored.out).toContain('Revoked as you named them: lane-3.');
  // As a person does on a machine with another address.
  const text = readFileSync(rig.configFile, 'utf8');
  writeFileSync(
    rig.configFile,
    text.replace('mqtt: { host: "127.0.0.1"', `mqtt: { host: "${ELSEWHERE}"`),
  );
  await rig.start();

  expect((await rig.ask('/api/v1/fleet', { session })).status).toBe(401);
  rig.forgetSession();
  for (const till of tills) await expect.poll(() => presenceOf(till), PATIENCE).toBe('online');
  expect(await Promise.all(tills.map(serialOf))).toEqual(serials);
  await expect.poll(() => stateOf(waiting), PATIENCE).toBe('succeeded');
  await expect
    .poll(async () => {
      const now = await events();
      return before.filter((one) => !now.includes(one));
    }, PATIENCE)
    .toEqual([]);
  const now = await events();
  expect(now.length).toBe(new Set(now).size);
  // Once each: lane-1 at the start, before and after the backup; lane-2 at the start and after it.
  expect(tills.map(startsOf)).toEqual([3, 2]);
  expect((await rig.api(`commands/${late}`)).status).toBe(404);

  // Who came or went since is not known, and is said.
  for (const pair of [since, stolen]) {
    const client = await rig.dial({ host: ELSEWHERE, pair });
    await client.closed();
  }
  const { entries } = (await rig.api('audit?limit=200')).body as { entries: Row[] };
  const refused = entries.filter(({ action }) => action === 'connection.refuse');
  expect(refused.map(({ subject }) => subject)).toEqual(['lane-3', 'lane-4']);
  const [gap] = entries.filter(({ action }) => action === 'broker.restore');
  expect(gap?.['detail']).toMatchObject({ revoked: ['lane-3'], newestAudit: expect.any(Number) });
  expect(JSON.stringify(entries)).not.toContain('olga');

  const registry = join(rig.dataDir, 'registry.db');
  const key = ['--key', join(rig.dataDir, 'audit-key.pub')];
  const whole = await tillwatch('audit', 'verify', '--file', registry, ...key);
  expect(whole).toMatchObject({ code: 0, err: '' });
  expect(whole.out).toContain('the broker was restored');
  const kept = await tillwatch(
    'audit',
    'verify',
    '--file',
    registry,
    ...key,
    '--head',
    path('head.json'),
  );
  expect(kept.code).not.toBe(0);
  expect(kept.out).toMatch(/entries \d+ to \d+ of then are lost/);
}, 90_000);
