// Terminals that connect: `rate` as fast as they can and end again, `hold` all at once and stay, `storm` stay and come
// back with an agent's own jitter whenever the broker is gone. Each does a whole handshake with its own certificate. A
// terminal of `hold` and `storm` is live when it has subscribed and a batch of its was acknowledged.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { parseArgs } from 'node:util';
import { generate } from 'mqtt-packet';
import { BACKOFF, reconnectDelayMs } from '../../../agent/link/backoff.ts';
import { ackTopic, commandTopic, upTopic } from '../../../protocol/topics.ts';
import { decodeAck, encodeBatch } from '../../../protocol/wire.ts';
import { readPackets } from '../ingest/packets.ts';
import { type BenchFleet, idOf } from './fleet.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8883' },
    fleet: { type: 'string', default: '' },
    mode: { type: 'string', default: 'rate' },
    seconds: { type: 'string', default: '6' },
    at: { type: 'string', default: '32' },
    echo: { type: 'boolean', default: false },
  },
});
const fleet: BenchFleet = JSON.parse(readFileSync(values.fleet, 'utf8'));
const say = (fact: object): void => void process.stdout.write(`${JSON.stringify(fact)}\n`);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const PORT = Number(values.port);
const CONNECT_MS_MAX = 20_000;

const contexts = new Map<number, SecureContext>();
function contextOf(n: number): SecureContext {
  const known = contexts.get(n);
  if (known !== undefined) return known;
  const cert = fleet.terminals[n] ?? '';
  const made = createSecureContext({ cert, key: fleet.terminalKey, ca: [fleet.authority] });
  contexts.set(n, made);
  return made;
}
const open = (n: number): TLSSocket =>
  connect({
    ...{ host: '127.0.0.1', port: PORT, servername: 'localhost', secureContext: contextOf(n) },
    ...{ ALPNProtocols: ['mqtt'], minVersion: 'TLSv1.3' },
  });

const HEAD = { protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60 } as const;
const connectPacket = (n: number): Buffer =>
  generate({ cmd: 'connect', clientId: idOf(n), ...HEAD });

/** One connection up to its first answer. @returns whether it came. */
function once(n: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = open(n);
    const end = (isGood: boolean): void => {
      socket.destroy();
      resolve(isGood);
    };
    socket.once('secureConnect', () => socket.write(connectPacket(n)));
    socket.once('data', (chunk: Buffer) => end(values.echo || chunk[3] === 0));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}

async function rate(): Promise<void> {
  let [next, done, failed] = [0, 0, 0];
  let running = true;
  const worker = async (): Promise<void> => {
    while (running) {
      next = (next + 1) % fleet.terminals.length;
      if (await once(next)) done += 1;
      else failed += 1;
    }
  };
  const workers = Array.from({ length: Number(values.at) }, worker);
  await sleep(2_000);
  process.stdout.write('measuring\n');
  const [from, fromMs] = [done, performance.now()];
  await sleep(Number(values.seconds) * 1_000);
  const [until, untilMs] = [done, performance.now()];
  process.stdout.write('measured\n');
  running = false;
  await Promise.all(workers);
  say({ connects: until - from, seconds: (untilMs - fromMs) / 1_000, failed });
}

const live = new Set<number>();
let everLive = 0;

class Terminal {
  readonly #n: number;
  readonly #epoch = randomBytes(16);
  #seq = 0;
  #failures = 0;
  #rest: Buffer<ArrayBufferLike> = Buffer.alloc(0);

  constructor(n: number) {
    this.#n = n;
  }

  connect(): void {
    const socket = open(this.#n);
    this.#rest = Buffer.alloc(0);
    const timer = setTimeout(() => socket.destroy(), CONNECT_MS_MAX);
    socket.once('secureConnect', () => socket.write(connectPacket(this.#n)));
    socket.on('data', (chunk: Buffer) => {
      this.#rest = readPackets(this.#rest, chunk, (type, packet) => {
        if (type === 2 && packet[1] === 0) this.#begin(socket);
        if (type === 2 && packet[1] !== 0) socket.destroy();
        if (type === 3) this.#heard(socket, packet, () => clearTimeout(timer));
      });
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timer);
      live.delete(this.#n);
      this.#failures += 1;
      setTimeout(() => this.connect(), reconnectDelayMs(BACKOFF, this.#failures, Math.random()));
    });
  }

  #begin(socket: TLSSocket): void {
    const id = idOf(this.#n);
    const subscriptions = [ackTopic(id), commandTopic(id)].map((topic) => ({
      ...{ topic, qos: 1 as const },
    }));
    this.#seq += 1;
    const batch = encodeBatch({
      ...{ epoch: this.#epoch, stream: 'events', seq: this.#seq, createdMs: Date.now() },
      ...{ clockOffsetMs: 0, encoding: 'identity', body: new Uint8Array([1]) },
    });
    const topic = upTopic(id, 'events');
    const head = { cmd: 'publish', qos: 1, dup: false, retain: false, messageId: 2 } as const;
    socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
    socket.write(generate({ ...head, topic, payload: Buffer.from(batch) }));
  }

  #heard(socket: TLSSocket, packet: Buffer, done: () => void): void {
    const topicEnd = 2 + packet.readUInt16BE(0);
    socket.write(Buffer.of(0x40, 2, packet[topicEnd] ?? 0, packet[topicEnd + 1] ?? 0));
    const ack = decodeAck(packet.subarray(topicEnd + 2));
    if (!ack.ok || ack.value.streams.length === 0) return;
    done();
    this.#failures = 0;
    live.add(this.#n);
    everLive += 1;
  }
}

/** Says how many are live, twice a second; the benchmark looks for what it waits for. */
function stay(): void {
  for (const [n] of fleet.terminals.entries()) {
    contextOf(n);
    const terminal = new Terminal(n);
    setTimeout(() => terminal.connect(), Math.random() * (fleet.terminals.length / 500) * 1_000);
  }
  setInterval(() => say({ live: live.size, everLive }), 200);
}

if (values.mode === 'rate') {
  await rate();
  process.exit(0);
} else stay();
