// Terminals that send live batches as fast as a broker takes them: each connection has WINDOW publishes
// unanswered and sends the next with each PUBACK. It reads MQTT by hand and says at the end, as one line
// of JSON, what was sent, answered, and acknowledged by the application; and which application
// acknowledgements are missing, because a figure of a broker that loses something means nothing.

import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { generate } from 'mqtt-packet';
import { addRange, countSeqs, type Ranges } from '../../../protocol/ranges.ts';
import { ackTopic, commandTopic } from '../../../protocol/topics.ts';
import { decodeAck } from '../../../protocol/wire.ts';
import { idOf, makeBodies, makeTemplate, type Template, writePacket } from './load.ts';
import { readPackets } from './packets.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '1883' },
    connections: { type: 'string', default: '500' },
    window: { type: 'string', default: '16' },
    seconds: { type: 'string', default: '10' },
    warmup: { type: 'string', default: '3' },
    subscribe: { type: 'boolean', default: false },
  },
});
const WINDOW = Number(values.window);
const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const SETTLE_MS = 5_000;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let sending = true;
let sent = 0;
let answered = 0;
const latenciesMs: number[] = [];

class Terminal {
  readonly template: Template;
  readonly socket: Socket;
  readonly ready: Promise<void>;
  seq = 0;
  unanswered = 0;
  acknowledged: Ranges = [];
  /** When each number was sent, for one in a hundred. */
  readonly sentMs = new Map<number, number>();
  #rest: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #connected = (): void => {};

  constructor(n: number, template: Template) {
    const id = idOf(n);
    this.template = template;
    this.socket = connect({ host: '127.0.0.1', port: Number(values.port), noDelay: true });
    this.socket.on('data', (chunk) => this.#take(chunk));
    this.socket.on('error', (error) => {
      throw error;
    });
    this.ready = new Promise((resolve) => {
      this.#connected = resolve;
    });
    const head = { protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 60 } as const;
    this.socket.write(generate({ cmd: 'connect', clientId: id, ...head }));
    const subscriptions = [ackTopic(id), commandTopic(id)].map((topic) => ({
      topic,
      qos: 1 as const,
    }));
    if (values.subscribe)
      this.socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
  }

  send(count: number): void {
    const size = this.template.bytes.length;
    const packets = Buffer.allocUnsafe(count * size);
    for (let i = 0; i < count; i += 1) {
      this.seq += 1;
      if (this.seq % 100 === 0) this.sentMs.set(this.seq, performance.now());
      writePacket(this.template, packets, i * size, 1 + (this.seq % 60_000), this.seq);
    }
    sent += count;
    this.unanswered += count;
    this.socket.write(packets);
  }

  #take(chunk: Buffer): void {
    let free = 0;
    this.#rest = readPackets(this.#rest, chunk, (type, packet) => {
      if (type === PUBACK) free += 1;
      else if (type === CONNACK) this.#connected();
      else if (type === PUBLISH) this.#acknowledge(packet);
    });
    answered += free;
    this.unanswered -= free;
    if (sending && free > 0) this.send(free);
  }

  #acknowledge(packet: Buffer): void {
    const topicEnd = 2 + packet.readUInt16BE(0);
    this.socket.write(Buffer.of(0x40, 2, packet[topicEnd] ?? 0, packet[topicEnd + 1] ?? 0));
    const ack = decodeAck(packet.subarray(topicEnd + 2));
    if (!ack.ok) throw new Error(ack.reason);
    for (const { ranges } of ack.value.streams) {
      for (const range of ranges) this.acknowledged = addRange(this.acknowledged, range);
    }
    const upTo = this.acknowledged[0]?.last ?? 0;
    for (const [seq, atMs] of this.sentMs) {
      if (seq > upTo) break;
      latenciesMs.push(performance.now() - atMs);
      this.sentMs.delete(seq);
    }
  }
}

const bodies = makeBodies();
const terminals = Array.from({ length: Number(values.connections) }, (_, n) => {
  const body = bodies[n % bodies.length];
  if (body === undefined) throw new Error('there are no bodies');
  return new Terminal(n, makeTemplate(n, body));
});
await Promise.all(terminals.map(({ ready }) => ready));
process.stdout.write('connected\n');
for (const terminal of terminals) terminal.send(WINDOW);
await sleep(Number(values.warmup) * 1_000);
process.stdout.write('measuring\n');
const [from, fromMs] = [answered, performance.now()];
latenciesMs.length = 0;
await sleep(Number(values.seconds) * 1_000);
const [until, untilMs] = [answered, performance.now()];
process.stdout.write('measured\n');
sending = false;
const inTimeMs = latenciesMs.slice().sort((a, b) => a - b);
for (let waitedMs = 0; waitedMs < SETTLE_MS; waitedMs += 50) {
  const missing = terminals.some(
    ({ unanswered, seq, acknowledged }) =>
      unanswered > 0 || (values.subscribe && countSeqs(acknowledged) < seq),
  );
  if (!missing) break;
  await sleep(50);
}
const acknowledged = terminals.reduce((sum, one) => sum + countSeqs(one.acknowledged), 0);
const figures = {
  sent,
  answered,
  acknowledged,
  packetBytes: Math.round(
    terminals.reduce((sum, { template }) => sum + template.bytes.length, 0) / terminals.length,
  ),
  samplesPerBatch: Math.round(bodies.reduce((sum, { items }) => sum + items, 0) / bodies.length),
  batchesPerSecond: ((until - from) * 1_000) / (untilMs - fromMs),
  ackMsP50: inTimeMs[Math.floor(inTimeMs.length * 0.5)] ?? 0,
  ackMsP99: inTimeMs[Math.floor(inTimeMs.length * 0.99)] ?? 0,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
process.exit(0);
