// npm run bench -- connect: what a whole mutual TLS 1.3 handshake up to CONNACK costs the broker's processor, beside a
// bare TLS echo of Node and Mosquitto in the same run; what a connected terminal costs in memory; and how long a
// fleet needs to be live again after its broker was killed, with the agents' own jitter. Processor time is read
// from /proc: on a machine that others use, too, the clock says little.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { makeFleet } from './connect/fleet.ts';
import { measurePressure, type Report, round, sleep, until } from './harness.ts';
import { canPin, type Part, startPart } from './ingest/part.ts';
import type { Options } from './options.ts';

const ROUNDS = 3;
const SECONDS = 5;
const TERMINALS = 5_000;
/** How long nobody answers: kill, and a service manager's restart. */
const DOWN_MS = 2_000;
const STORM_MS_MAX = 180_000;
const [LOADER_CORE, BROKER_CORE] = [0, 1];

const here = (name: string): string => join(import.meta.dirname, 'connect', `${name}-main.ts`);
const node = (name: string, ...argv: string[]): string[] => [process.execPath, here(name), ...argv];

type Place = { readonly dir: string; readonly fleet: string };
type Broker = { readonly part: Part; readonly port: number };
type Rate = { readonly perCoreSecond: number; readonly perSecond: number; readonly failed: number };

async function startNode(name: string, ...argv: string[]): Promise<Broker> {
  const part = startPart(node(name, ...argv), BROKER_CORE);
  return { part, port: (await part.json<{ port: number }>()).port };
}

const startFront = ({ dir, fleet }: Place, port = 0): Promise<Broker> =>
  startNode('front', '--fleet', fleet, '--ledger', join(dir, 'ledger.db'), '--port', `${port}`);

async function rateOf(broker: Broker, { fleet }: Place, seconds: number, echo: boolean) {
  const { part, port } = broker;
  const argv = ['--port', `${port}`, '--fleet', fleet, '--seconds', `${seconds}`];
  const loader = startPart(node('loader', ...argv, ...(echo ? ['--echo'] : [])), LOADER_CORE);
  try {
    await loader.line('measuring');
    const cpu = part.cpuSeconds();
    await loader.line('measured');
    const used = part.cpuSeconds() - cpu;
    const {
      connects,
      seconds: took,
      failed,
    } = await loader.json<{
      connects: number;
      seconds: number;
      failed: number;
    }>();
    return { perCoreSecond: connects / used, perSecond: connects / took, failed };
  } finally {
    await loader.end();
    await part.end();
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });

/** @returns undefined where it is not installed. */
async function startMosquitto({ dir }: Place, files: Readonly<Record<string, string>>) {
  const [file, port] = [join(dir, 'mosquitto.conf'), await freePort()];
  const settings = [
    `listener ${port} 127.0.0.1`,
    ...['allow_anonymous true', 'persistence false', 'log_dest none', 'tls_version tlsv1.3'],
    // Its files are ours alone, and it would change to a user of its own.
    ...['require_certificate true', 'use_identity_as_username true', `user ${userInfo().username}`],
    ...Object.entries(files).map(([name, path]) => `${name} ${path}`),
  ];
  writeFileSync(file, `${settings.join('\n')}\n`);
  const part = startPart(['mosquitto', '-c', file], BROKER_CORE);
  const isThere = await new Promise<boolean>((resolve) => {
    part.child.once('error', () => resolve(false));
    part.child.once('exit', () => resolve(false));
    setTimeout(resolve, 1_000, true);
  });
  return isThere ? { part, port } : undefined;
}

type Live = { readonly live: number; readonly everLive: number };
const lastOf = ({ lines }: Part): Live => JSON.parse(lines.at(-1) ?? '{"live":0,"everLive":0}');

/** Everybody connects and stays; then the broker is killed. */
async function stormOf(place: Place, count: number) {
  const first = await startFront(place);
  const { port } = first;
  const bare = first.part.residentBytes();
  const argv = ['--port', `${port}`, '--fleet', place.fleet, '--mode', 'storm'];
  const loader = startPart(node('loader', ...argv), LOADER_CORE);
  const allLive = (): true | undefined => (lastOf(loader).live === count ? true : undefined);
  let second: Broker | undefined;
  try {
    await until('the fleet to be connected', allLive, STORM_MS_MAX, 50);
    await sleep(3_000);
    const held = first.part.residentBytes();
    const ended = new Promise((resolve) => first.part.child.once('exit', resolve));
    first.part.child.kill('SIGKILL');
    await ended;
    await until('the fleet to notice', () => (lastOf(loader).live === 0 ? true : undefined));
    const killedMs = performance.now();
    await sleep(DOWN_MS);
    second = await startFront(place, port);
    const { part } = second;
    const [readyMs, cpu] = [performance.now(), part.cpuSeconds()];
    let slowestMs = 0;
    await until('the fleet to be live again', allLive, STORM_MS_MAX, 50);
    slowestMs = performance.now();
    const seconds = (slowestMs - readyMs) / 1_000;
    const cores = (part.cpuSeconds() - cpu) / seconds;
    part.child.kill('SIGTERM');
    const { refused } = await part.json<{ refused: Record<string, number> }>(1);
    return {
      memory: {
        bareMiB: round(bare / 2 ** 20),
        kibPerTerminal: round((held - bare) / count / 1024),
      },
      storm: {
        terminals: count,
        secondsUntilLive: round(seconds),
        secondsSinceKilled: round((slowestMs - killedMs) / 1_000),
        cores: round(cores),
        refused,
      },
    };
  } finally {
    await loader.end();
    await first.part.end();
    await second?.part.end();
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const figuresOf = (rates: readonly Rate[]) => ({
  handshakesPerCoreSecond: Math.round(median(rates.map(({ perCoreSecond }) => perCoreSecond))),
  handshakesPerSecond: Math.round(median(rates.map(({ perSecond }) => perSecond))),
  failed: rates.reduce((sum, { failed }) => sum + failed, 0),
});

async function ratesOf(place: Place, options: Options, files: Readonly<Record<string, string>>) {
  const seconds = options.seconds ?? SECONDS;
  const rates = { ours: [] as Rate[], echo: [] as Rate[], mosquitto: [] as Rate[] };
  for (let n = 0; n < (options.n ?? ROUNDS); n += 1) {
    console.error(`  round ${n + 1}`);
    rates.echo.push(await rateOf(await startNode('echo', place.fleet), place, seconds, true));
    rates.ours.push(await rateOf(await startFront(place), place, seconds, false));
    const other = await startMosquitto(place, files);
    if (other !== undefined) rates.mosquitto.push(await rateOf(other, place, seconds, false));
  }
  return rates;
}

export async function run(options: Options): Promise<Report> {
  const dir = mkdtempSync(join(tmpdir(), 'tw-bench-'));
  const place: Place = { dir, fleet: join(dir, 'fleet.json') };
  const count = options.terminals ?? TERMINALS;
  const pressure = measurePressure();
  try {
    const fleet = await makeFleet(count);
    writeFileSync(place.fleet, JSON.stringify(fleet));
    const file = (name: string, text: string): string => {
      writeFileSync(join(dir, name), text, { mode: 0o644 });
      return join(dir, name);
    };
    const rates = await ratesOf(place, options, {
      cafile: file('ca.pem', fleet.authority),
      certfile: file('cert.pem', fleet.cert),
      keyfile: file('key.pem', fleet.key),
    });
    console.error('  storm');
    const { memory, storm } = await stormOf(place, count);
    const [ours, echo] = [figuresOf(rates.ours), figuresOf(rates.echo)];
    const figures = {
      ...{ ours, echo },
      ...(rates.mosquitto.length > 0 && { mosquitto: figuresOf(rates.mosquitto) }),
      echoToOurs: round(echo.handshakesPerCoreSecond / ours.handshakesPerCoreSecond),
      ...{ memory, storm },
    };
    return {
      name: 'connect',
      figures,
      targets: { echoToOurs: 1.5, 'ours.failed': 0, 'storm.secondsUntilLive': 60 },
      notes: [
        `${canPin() ? 'broker and loader each on a core' : 'not pinned: taskset or a second core is missing'}; ` +
          `something waited for a processor ${pressure()} % of the time`,
        'ours is the front (gate, handshake, certificate, session, ledger) without the registry; echo does the handshake only',
        ...(rates.mosquitto.length === 0 ? ['Mosquitto is not installed'] : []),
      ],
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
