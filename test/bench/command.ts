// npm run bench -- command: from an operator's Enter to the beginning of the restart on the till. A broker with TLS, an
// agent with a certificate, a command line as a process of its own: the clock starts when that process is started and
// again when it asks, and stops when the component hears that it has to end, all on CLOCK_MONOTONIC of one machine.
// Beside it what a message costs in any case: a round trip through a bare broker with two plain clients.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join, resolve } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { stringify } from 'yaml';
import { openFleetRig } from '../real/trust-rig.ts';
import { type Report, round, sleep, spread, until } from './harness.ts';
import { startPart } from './ingest/part.ts';
import type { Options } from './options.ts';

const ROUNDS = 100;
/** Between two: the component is ready again, and the machine quiet. */
const PAUSE_MS = 150;
const BARE = join(import.meta.dirname, 'ingest', 'bare-main.ts');
/** Writes when it began and when it was told to end, in milliseconds of CLOCK_MONOTONIC. */
const COMPONENT = `
const { appendFileSync } = require('node:fs');
const now = () => Number(process.hrtime.bigint()) / 1e6;
const say = (what) =>
  appendFileSync(process.env.NOTES, what + ' ' + now() + ' ' + process.pid + '\\n');
process.on('SIGTERM', () => { say('stop'); process.exit(0); });
setInterval(() => undefined, 1000);
say('start');
console.log('ready to sell');
`;

const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

type Fleet = Awaited<ReturnType<typeof openFleetRig>>;

function startAgent(fleet: Fleet, identityDir: string, notes: string): ChildProcess {
  const config = join(fleet.dir, 'agent.yaml');
  const program = join(fleet.dir, 'component.cjs');
  writeFileSync(program, COMPONENT);
  writeFileSync(
    config,
    stringify({
      ...{ terminal: 'lane-1', dataDir: join(fleet.dir, 'agent'), runDir: join(fleet.dir, 'run') },
      ...{ identityDir, onExit: 'stop', bounds: { restartsPerHour: 1_000 } },
      broker: { addresses: [`mqtts://localhost:${fleet.mqttPort}`] },
      components: [
        {
          ...{ name: 'sale', command: [process.execPath, program], version: '1' },
          ...{ env: { NOTES: notes }, channel: false },
          probes: [{ kind: 'log', expect: 'ready to sell' }],
        },
      ],
    }),
  );
  return spawn(resolve('deploy/tillwatch-agent'), ['--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, TILLWATCH_NODE: process.execPath },
  });
}

function linesOf(notes: string, what: string): number[] {
  if (!existsSync(notes)) return [];
  return readFileSync(notes, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${what} `))
    .map((line) => Number(line.split(' ')[1]));
}

const pidOf = (notes: string): number =>
  Number(/start \S+ (\d+)\n$/.exec(readFileSync(notes, 'utf8'))?.[1]);

/** @returns from its start to the component's stop, and to what it had printed by then. */
async function byCommandLine(folder: string, notes: string): Promise<number> {
  const before = linesOf(notes, 'stop').length;
  const args = ['restart', 'lane-1', 'sale', '--no-wait', '--reason', 'a benchmark'];
  const startedMs = monotonicMs();
  const child = spawn(process.execPath, [resolve('dist/tillwatch.mjs'), ...args], {
    ...{ cwd: folder, stdio: 'ignore' },
    env: { PATH: process.env['PATH'], HOME: folder },
  });
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error(`the command line ended with ${code}`);
  const stops = await until('the stop', () => {
    const all = linesOf(notes, 'stop');
    return all.length > before ? all : undefined;
  });
  return (stops[before] ?? Number.NaN) - startedMs;
}

/** The request alone, on a connection of its own, as the command line makes it. */
function post(fleet: Fleet, session: string): Promise<number> {
  const body = JSON.stringify({
    ...{ kind: 'restart', arguments: { component: 'sale' }, reason: 'a benchmark' },
  });
  const headers = { authorization: `Bearer ${session}`, 'content-type': 'application/json' };
  const url = `${fleet.url}/api/v1/terminals/lane-1/commands`;
  return new Promise((done, fail) => {
    const startedMs = monotonicMs();
    const ca = [...fleet.authorities];
    const options = { method: 'POST', headers, ca, agent: false, allowPartialTrustChain: true };
    const asked = request(url, options, (answer) => {
      answer.resume();
      answer.on('end', () =>
        answer.statusCode === 202 ? done(startedMs) : fail(new Error(`HTTP ${answer.statusCode}`)),
      );
    });
    asked.on('error', fail);
    asked.end(body);
  });
}

async function byRequest(fleet: Fleet, session: string, notes: string): Promise<number> {
  const before = linesOf(notes, 'stop').length;
  const startedMs = await post(fleet, session);
  const stops = await until('the stop', () => {
    const all = linesOf(notes, 'stop');
    return all.length > before ? all : undefined;
  }).catch(async (cause: unknown) => {
    const { body } = await fleet.api('commands?limit=1');
    throw new Error(JSON.stringify(body), { cause });
  });
  return (stops[before] ?? Number.NaN) - startedMs;
}

async function readyAgain(fleet: Fleet, notes: string): Promise<void> {
  const restarts = linesOf(notes, 'stop').length;
  await until('the component', () => linesOf(notes, 'start').length > restarts || undefined);
  await until('its readiness', async () => {
    const { body } = await fleet.api('terminals/lane-1');
    const components = body['components'] as { pid?: number; state: string }[] | undefined;
    // What the broker knows may still be of the life before.
    return (
      components?.some((one) => one.state === 'ready' && one.pid === pidOf(notes)) || undefined
    );
  });
  await sleep(PAUSE_MS);
}

/** A message there and back, QoS 1, through an embedded broker that does nothing else. */
async function bareRoundTrips(n: number): Promise<number[]> {
  const part = startPart([process.execPath, BARE], 1);
  const clients: MqttClient[] = [];
  try {
    const { port } = await part.json<{ port: number }>();
    const options = { protocolVersion: 4, reconnectPeriod: 0 } as const;
    for (const clientId of ['one', 'other']) {
      clients.push(await connectAsync(`mqtt://127.0.0.1:${port}`, { ...options, clientId }));
    }
    const [one, other] = clients;
    if (one === undefined || other === undefined) throw new Error('no clients');
    await other.subscribeAsync('there', { qos: 1 });
    await one.subscribeAsync('back', { qos: 1 });
    other.on('message', () => other.publish('back', 'x', { qos: 1 }));
    const trips: number[] = [];
    for (let turn = 0; turn < n; turn += 1) {
      const startedMs = monotonicMs();
      const back = new Promise<void>((done) => {
        one.once('message', () => done());
      });
      one.publish('there', 'x', { qos: 1 });
      await back;
      trips.push(monotonicMs() - startedMs);
    }
    return trips;
  } finally {
    for (const client of clients) client.end(true);
    await part.end();
  }
}

export async function run({ n = ROUNDS }: Options): Promise<Report> {
  const fleet = await openFleetRig();
  let agent: ChildProcess | undefined;
  try {
    const identityDir = await fleet.enrollFolder('lane-1');
    const notes = join(fleet.dir, 'notes');
    agent = startAgent(fleet, identityDir, notes);
    const session = await fleet.session();
    const home = join(fleet.dir, 'home');
    mkdirSync(join(home, '.tillwatch'), { recursive: true });
    const operator = { url: fleet.url, token: session, authority: fleet.authorities.join('\n') };
    writeFileSync(join(home, '.tillwatch', 'operator.json'), JSON.stringify(operator));
    await readyAgain(fleet, notes);
    const [entered, asked]: [number[], number[]] = [[], []];
    for (let turn = 0; turn < n; turn += 1) {
      entered.push(await byCommandLine(home, notes));
      await readyAgain(fleet, notes);
      asked.push(await byRequest(fleet, session, notes));
      await readyAgain(fleet, notes);
    }
    const bareMs = spread(await bareRoundTrips(n));
    const figures = { enterMs: spread(entered), requestMs: spread(asked), bareMs };
    return {
      name: 'command',
      figures,
      targets: { 'enterMs.p95': 300, 'requestMs.p95': 300 },
      notes: [
        'enterMs: start of the command line to the stop of the component; requestMs: the same from its request on',
        `bareMs: there and back through a bare broker, QoS 1; ours is ${round(figures.requestMs.p50 / bareMs.p50)} times that`,
        'TLS 1.3 with client certificates, signed command, journal before the deed, two disk commits',
      ],
    };
  } finally {
    if (agent !== undefined && agent.exitCode === null) {
      const ended = once(agent, 'exit');
      agent.kill('SIGINT');
      await ended;
    }
    await fleet.close();
  }
}
