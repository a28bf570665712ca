// npm run bench -- ingest: how many live batches one core takes through the publish hook, envelope, commit
// and acknowledgement, beside the embedded broker that does nothing with them and beside Mosquitto with a
// subscriber; all in turns in the same run, the loader on the other core. A batch of ours is on disk
// when it is counted, the others' are in memory. With --terminals: the whole broker before a simulated fleet.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measurePressure, type Report, round } from './harness.ts';
import { runFleet } from './ingest/fleet.ts';
import { canPin, type Part, startPart } from './ingest/part.ts';
import type { Options } from './options.ts';

const ROUNDS = 3;
const SECONDS = 6;
const CONNECTIONS = 1_000;
/** The least that an agent has unanswered (design.md, Delivery: a window of 4 to 16). */
const WINDOW = 4;
const [LOADER_CORE, BROKER_CORE] = [0, 1];

const here = (name: string): string => join(import.meta.dirname, 'ingest', `${name}-main.ts`);
const node = (name: string, ...argv: string[]): string[] => [process.execPath, here(name), ...argv];

type Loaded = {
  readonly answered: number;
  readonly acknowledged: number;
  readonly sent: number;
  readonly packetBytes: number;
  readonly samplesPerBatch: number;
  readonly batchesPerSecond: number;
  readonly ackMsP50: number;
  readonly ackMsP99: number;
};
type Round = Loaded & { readonly cores: number };
type Broker = { readonly part: Part; readonly port: number };

async function load({ part, port }: Broker, seconds: number, subscribe: boolean): Promise<Round> {
  const argv = ['--port', `${port}`, '--seconds', `${seconds}`, '--window', `${WINDOW}`];
  const more = ['--connections', `${CONNECTIONS}`, ...(subscribe ? ['--subscribe'] : [])];
  const loader = startPart(node('loader', ...argv, ...more), LOADER_CORE);
  try {
    await loader.line('measuring');
    const [cpu, fromMs] = [part.cpuSeconds(), performance.now()];
    await loader.line('measured');
    const cores = ((part.cpuSeconds() - cpu) * 1_000) / (performance.now() - fromMs);
    return { ...(await loader.json<Loaded>()), cores };
  } finally {
    await loader.end();
  }
}

async function startNode(name: string, ...argv: string[]): Promise<Broker> {
  const part = startPart(node(name, ...argv), BROKER_CORE);
  return { part, port: (await part.json<{ port: number }>()).port };
}

async function bare(seconds: number): Promise<Round> {
  const broker = await startNode('bare');
  try {
    return await load(broker, seconds, false);
  } finally {
    await broker.part.end();
  }
}

async function ours(seconds: number): Promise<Round> {
  const dir = mkdtempSync(join(tmpdir(), 'tw-bench-'));
  const broker = await startNode('front', '--ledger', join(dir, 'ledger.db'));
  try {
    return await load(broker, seconds, true);
  } finally {
    await broker.part.end();
    rmSync(dir, { recursive: true });
  }
}

/** With the bodies read as the registry reads them, until all are: what both together cost a batch. */
async function oursWithBodies(seconds: number): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'tw-bench-'));
  const broker = await startNode('front', '--ledger', join(dir, 'ledger.db'), '--bodies');
  try {
    const before = broker.part.cpuSeconds();
    const { answered } = await load(broker, seconds, true);
    await broker.part.line('read everything');
    return answered / (broker.part.cpuSeconds() - before);
  } finally {
    await broker.part.end();
    rmSync(dir, { recursive: true });
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

/** @returns undefined where Mosquitto is not installed. */
async function mosquitto(seconds: number): Promise<(Round & { got: number }) | undefined> {
  const dir = mkdtempSync(join(tmpdir(), 'tw-bench-'));
  const [file, port] = [join(dir, 'mosquitto.conf'), await freePort()];
  const settings = [
    'allow_anonymous true',
    'persistence false',
    'set_tcp_nodelay true',
    'log_dest none',
  ];
  // Without bounds: with its defaults it answers publishes and drops them (research/mqtt.md 0.1).
  const bounds = ['max_queued_messages 0', 'max_inflight_messages 0'];
  writeFileSync(file, [`listener ${port} 127.0.0.1`, ...settings, ...bounds, ''].join('\n'));
  const part = startPart(['mosquitto', '-c', file], BROKER_CORE);
  const isThere = await new Promise<boolean>((resolve) => {
    part.child.once('error', () => resolve(false));
    part.child.once('exit', () => resolve(false));
    setTimeout(resolve, 1_000, true);
  });
  if (!isThere) {
    rmSync(dir, { recursive: true });
    return undefined;
  }
  const subscriber = startPart(node('subscriber', `${port}`), LOADER_CORE);
  try {
    await subscriber.json();
    const round = await load({ part, port }, seconds, false);
    subscriber.child.kill('SIGTERM');
    const { got } = await subscriber.json<{ got: number }>(1);
    return { ...round, got };
  } finally {
    await subscriber.end();
    await part.end();
    rmSync(dir, { recursive: true });
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

function figuresOf(rounds: readonly Round[]) {
  const of = (read: (round: Round) => number): number => median(rounds.map(read));
  return {
    batchesPerSecond: Math.round(of(({ batchesPerSecond }) => batchesPerSecond)),
    batchesPerCoreSecond: Math.round(of((one) => one.batchesPerSecond / one.cores)),
    cores: round(of(({ cores }) => cores)),
  };
}

async function runIngest(options: Options): Promise<Report> {
  const seconds = options.seconds ?? SECONDS;
  const pressure = measurePressure();
  const rounds = {
    bare: [] as Round[],
    ours: [] as Round[],
    mosquitto: [] as (Round & { got: number })[],
  };
  for (let n = 0; n < (options.n ?? ROUNDS); n += 1) {
    console.error(`  round ${n + 1}`);
    rounds.bare.push(await bare(seconds));
    rounds.ours.push(await ours(seconds));
    const other = await mosquitto(seconds);
    if (other !== undefined) rounds.mosquitto.push(other);
  }
  const withBodies = await oursWithBodies(seconds);
  const [first] = rounds.ours;
  if (first === undefined) throw new Error('nothing was measured');
  const lost = rounds.ours.reduce((sum, { sent, acknowledged }) => sum + sent - acknowledged, 0);
  const own = figuresOf(rounds.ours);
  const plain = figuresOf(rounds.bare);
  const figures = {
    load: {
      connections: CONNECTIONS,
      window: WINDOW,
      packetBytes: first.packetBytes,
      samplesPerBatch: first.samplesPerBatch,
    },
    bare: plain,
    ours: {
      ...own,
      samplesPerSecond: own.batchesPerSecond * first.samplesPerBatch,
      samplesPerCoreSecond: own.batchesPerCoreSecond * first.samplesPerBatch,
      ackMsP50: round(median(rounds.ours.map(({ ackMsP50 }) => ackMsP50))),
      ackMsP99: round(median(rounds.ours.map(({ ackMsP99 }) => ackMsP99))),
      lost,
      withBodiesPerCoreSecond: Math.round(withBodies),
    },
    ...(rounds.mosquitto.length > 0 && {
      mosquitto: {
        ...figuresOf(rounds.mosquitto),
        delivered: round(median(rounds.mosquitto.map(({ got, answered }) => got / answered))),
      },
    }),
    bareToOurs: round(plain.batchesPerCoreSecond / own.batchesPerCoreSecond),
    bareToOursByTheClock: round(plain.batchesPerSecond / own.batchesPerSecond),
  };
  return {
    name: 'ingest',
    figures,
    targets: { bareToOurs: 2, 'ours.lost': 0 },
    failed: lost > 0,
    notes: [
      `${canPin() ? 'broker and loader each on a core' : 'not pinned: taskset or a second core is missing'}; ` +
        `something waited for a processor ${pressure()} % of the time`,
      'bareToOurs compares batches for each second of processor: by the clock, others on the machine count, too',
      ...(rounds.mosquitto.length === 0 ? ['Mosquitto is not installed'] : []),
    ],
  };
}

export const run = (options: Options): Promise<Report> =>
  options.terminals === undefined ? runIngest(options) : runFleet(options, options.terminals);
