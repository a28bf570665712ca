// What hostile, broken and frozen clients do to a broker: nothing that another terminal would notice. A real
// broker in a process of its own; beside each abuse a witness sends a batch every 50 ms and measures how
// long its acknowledgement takes.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import mqttPacket from 'mqtt-packet';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { upTopic } from '../../protocol/topics.ts';
import { type Bench, eventBatch, openBench, type Running } from '../real/broker-rig.ts';
import { connectTerminal, random, type Terminal, until } from '../real/front-rig.ts';

const EVERY_MS = 50;
/** What is asked for is a second; the rest is for machines that others use, too. */
const ACK_MS_P99_MAX = 1_500;
// V8 leaves more uncollected on a machine with more memory (380 MB to 730 MB were seen); what this test is about,
// if it were kept, would be gigabytes.
const RESIDENT_MAX = 2 ** 30;

let bench: Bench;
let broker: Running;
let witness: Terminal;
let seq = 0;
let sentMs: number[] = [];
let stopWitness = (): void => {};
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const residentBytes = (): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${broker.child.pid}/status`, 'utf8'))?.[1]) *
  1024;

async function counted(line: RegExp): Promise<number> {
  const text = await (await fetch(`${broker.url}/metrics`)).text();
  const found = text.split('\n').filter((one) => line.test(one));
  return found.reduce((sum, one) => sum + Number(one.slice(one.lastIndexOf(' '))), 0);
}

/** Acknowledgement times of everything that was sent since the last call, once all have come. */
async function acknowledged(): Promise<number[]> {
  const last = seq;
  await until('the witness is acknowledged', () => witness.acked(last), 20_000);
  const times = sentMs;
  sentMs = [];
  return times.sort((a, b) => a - b);
}

beforeAll(async () => {
  bench = openBench();
  // Each of the fifty connects two hundred times: that this is too often is tested elsewhere.
  const limits =
    'limits: { connectBurst: 30000, connectsPerSecond: 30000, terminalConnectsPerMinute: 10000 }';
  broker = await bench.start(bench.configure(`acceptUnknown: true\n${limits}\n`));
  witness = await connectTerminal(broker.mqttPort, 'witness');
  const waiting = new Map<number, number>();
  witness.client.on('message', () => {
    for (const [number, atMs] of waiting) {
      if (!witness.acked(number)) continue;
      sentMs.push(performance.now() - atMs);
      waiting.delete(number);
    }
    // Only the newest matter, and the list is searched.
    witness.acks.splice(0, witness.acks.length - 3);
  });
  const timer = setInterval(() => {
    seq += 1;
    waiting.set(seq, performance.now());
    void witness.send(eventBatch(seq, 'witness')).catch(() => {});
  }, EVERY_MS);
  stopWitness = () => clearInterval(timer);
});
afterAll(async () => {
  stopWitness();
  await witness?.end();
  await bench?.close();
});
beforeEach(() => {
  sentMs = [];
});

async function expectUnharmed(): Promise<void> {
  await sleep(EVERY_MS * 10);
  const times = await acknowledged();
  expect(times.length).toBeGreaterThan(5);
  expect(times[Math.floor(times.length * 0.99)]).toBeLessThan(ACK_MS_P99_MAX);
  expect(broker.child.exitCode).toBeNull();
  expect(residentBytes()).toBeLessThan(RESIDENT_MAX);
  expect(await counted(/^tillwatch_broker_refused_total\{reason="internal"/)).toBe(0);
}

const connectPacket = (clientId: string): Buffer =>
  mqttPacket.generate({
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 300 },
    clientId,
  });
const publishPacket = (id: string, messageId: number, payload: Uint8Array, retain = false) =>
  mqttPacket.generate({
    ...{ cmd: 'publish', qos: 1, retain, dup: false, messageId, payload: Buffer.from(payload) },
    topic: upTopic(id, 'events'),
  });

type Raw = {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly isOpen: () => boolean;
};
async function open(first?: Buffer): Promise<Raw> {
  const socket = connect({ host: '127.0.0.1', port: broker.mqttPort });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), closed]);
  if (first !== undefined) socket.write(first);
  return { socket, closed, isOpen: () => !socket.destroyed };
}

/** Runs `count` jobs, so many at a time. */
async function many(count: number, atOnce: number, job: (n: number) => Promise<void>) {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) await job(n);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

test('10 000 attempts to retain something are closed one by one, and counted', async () => {
  const payload = eventBatch(1, 'retainer');
  await many(10_000, 50, async (n) => {
    const id = `retainer-${n % 50}`;
    const raw = await open(Buffer.concat([connectPacket(id), publishPacket(id, 1, payload, true)]));
    raw.socket.resume();
    await raw.closed;
  });
  const refused = await counted(/^tillwatch_broker_refused_total\{reason="retained"/);
  // Two of the same id at once: the older one is closed before it is judged.
  expect(refused).toBeGreaterThan(9_000);
  await expectUnharmed();
});

test('packets of 60 MiB are refused at their header', async () => {
  const before = residentBytes();
  await many(40, 8, async (n) => {
    const raw = await open(connectPacket(`large-${n}`));
    raw.socket.resume();
    // Remaining length 62 914 560, and as much of it as the broker lets through.
    raw.socket.write(Buffer.from([0x32, 0x80, 0x80, 0x80, 0x1e]));
    const chunk = Buffer.alloc(256 * 1024, 97);
    for (let sent = 0; raw.isOpen() && sent < 60 * 2 ** 20; sent += chunk.length) {
      const flushed = raw.socket.write(chunk);
      if (!flushed) {
        const drained = new Promise((resolve) => raw.socket.once('drain', resolve));
        await Promise.race([drained, raw.closed]);
      }
    }
    await raw.closed;
  });
  expect(await counted(/reason="packet_too_large"/)).toBe(40);
  expect(residentBytes() - before).toBeLessThan(64 * 2 ** 20);
  await expectUnharmed();
});

test('5 000 connections that say nothing more cost little', async () => {
  const before = residentBytes();
  const raws: Raw[] = [];
  await many(5_000, 100, async (n) => {
    const raw = await open(connectPacket(`idle-${n}`));
    await new Promise((resolve) => raw.socket.once('data', resolve));
    raws.push(raw);
  });
  expect(await counted(/^tillwatch_broker_connections /)).toBeGreaterThanOrEqual(5_001);
  expect(residentBytes() - before).toBeLessThan(250 * 2 ** 20);
  await expectUnharmed();
  for (const { socket } of raws) socket.destroy();
  await until('all are gone', () => raws.every((raw) => !raw.isOpen()));
});

test('frozen clients: one that is stopped, and ones that publish and never read', async () => {
  const frozen: ChildProcess = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import { connect } from 'node:net';
     const [port, hex] = process.argv.slice(1);
     const socket = connect(Number(port), '127.0.0.1');
     socket.write(Buffer.from(hex, 'hex'));
     socket.once('data', () => process.stdout.write('in'));`,
    String(broker.mqttPort),
    connectPacket('stopped').toString('hex'),
  ]);
  bench.children.push(frozen);
  await new Promise((resolve) => frozen.stdout?.once('data', resolve));
  frozen.kill('SIGSTOP');
  const deaf = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const id = `deaf-${n}`;
      const raw = await open(connectPacket(id));
      raw.socket.pause();
      return { raw, id };
    }),
  );
  const endMs = performance.now() + 6_000;
  for (let n = 1; performance.now() < endMs; n += 1) {
    for (const { raw, id } of deaf) {
      if (!raw.isOpen() || raw.socket.writableNeedDrain) continue;
      raw.socket.write(publishPacket(id, 1 + (n % 60_000), eventBatch(n, id)));
    }
    if (n % 20 === 0) await sleep(1);
  }
  await expectUnharmed();
  frozen.kill('SIGKILL');
  for (const { raw } of deaf) raw.socket.destroy();
});

test('an hour of garbage from one terminal, in seconds', async () => {
  const seed = 20_261_122;
  const next = random(seed);
  const pick = (n: number): number => Math.floor(next() * n);
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => pick(256)));
  const good = publishPacket('garbage', 7, eventBatch(7, 'garbage'));
  const makers: (() => Buffer)[] = [
    () => noise(1 + pick(200)),
    // A right header and topic around a batch of noise: taken, dropped and told.
    () => publishPacket('garbage', 1 + pick(60_000), noise(pick(3_000))),
    () => {
      const bytes = Buffer.from(good);
      for (let count = 1 + pick(4); count > 0; count -= 1) bytes[pick(bytes.length)] = pick(256);
      return bytes;
    },
    () => good.subarray(0, 1 + pick(good.length - 1)),
  ];
  // One packet a second, as of a terminal that tries again and again; most end their connection.
  await many(900, 8, async () => {
    const raw = await open(connectPacket('garbage'));
    raw.socket.resume();
    for (let n = 0; n < 4; n += 1) raw.socket.write(makers[pick(makers.length)]?.() ?? good);
    await sleep(pick(3));
    raw.socket.destroy();
  });
  await expectUnharmed();
  expect(await counted(/result="malformed"/), `seed ${seed}`).toBeGreaterThan(30);
});

test('a terminal that publishes lives, also without a ping; one that is silent is closed', async () => {
  const connectIn = (keepalive: number): Buffer =>
    mqttPacket.generate({
      ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true },
      ...{ clientId: `keep-${keepalive}`, keepalive },
    });
  const [busy, silent] = [await open(connectIn(1)), await open(connectIn(2))];
  for (const { socket } of [busy, silent]) socket.resume();
  // One and a half of what each asked for [MQTT-3.1.2-24]: the busy one would have gone long before.
  for (let n = 1; silent.isOpen() && n < 60; n += 1) {
    busy.socket.write(publishPacket('keep-1', n, eventBatch(n, 'keep-1')));
    await sleep(300);
  }
  expect([busy.isOpen(), silent.isOpen()]).toEqual([true, false]);
  await busy.closed;
});
