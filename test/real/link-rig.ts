// A small broker for tests of the link: aedes with acknowledgements of its own and knobs that make it
// ill, behind a TCP relay that can be frozen or cut. What arrives is kept by (stream, seq), so that a
// test can count exactly.

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Aedes, type PublishPacket } from 'aedes';
import { expect } from 'vitest';
import type { Timers } from '../../agent/ports.ts';
import type { Outbox } from '../../agent/telemetry/types.ts';
import { unpackBody } from '../../protocol/body.ts';
import { decodeEventBody } from '../../protocol/events.ts';
import { decodeMetricBody } from '../../protocol/metric-body.ts';
import { ackTopic, parseTopic } from '../../protocol/topics.ts';
import { type Ack, decodeBatch, encodeAck, NO_EPOCH, type Stream } from '../../protocol/wire.ts';
import { need } from '../unit/outbox-rig.ts';

export const realClock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };
export const realTimers: Timers = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};

export async function until(what: string, check: () => boolean, timeoutMs = 15_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!check()) {
    if (performance.now() > endMs) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const listen = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

/** Everything that ever arrived: the ledger outlives the broker. */
export type Arrived = Map<string, { readonly bytes: Uint8Array; times: number; same: boolean }>;

export class TestBroker {
  readonly arrived: Arrived = new Map();
  readonly terminal: string;
  port = 0;
  /** What is answered to a batch. */
  answer: (ack: Ack) => Uint8Array | undefined = encodeAck;
  /** So many CONNECTs get CONNACK 3, server unavailable [MQTT-3.2.2-4]. */
  refuseConnects = 0;
  brokerTimeMs: () => number = () => Date.now();
  wills = 0;
  disconnects = 0;
  connects = 0;
  #aedes: Aedes | undefined;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();

  constructor(terminal: string) {
    this.terminal = terminal;
  }

  async start(): Promise<void> {
    const aedes = await Aedes.createBroker({
      id: 'test',
      concurrency: 0,
      queueLimit: 42,
      drainTimeout: 5_000,
      connectTimeout: 10_000,
      keepaliveLimit: 300,
      authenticate: (_client, _user, _password, done) => {
        if (this.refuseConnects > 0) {
          this.refuseConnects -= 1;
          done(Object.assign(new Error('unavailable'), { returnCode: 3 }), false);
          return;
        }
        this.connects += 1;
        done(null, true);
      },
      authorizePublish: (_client, packet, done) => {
        this.#receive(packet);
        done(null);
      },
    });
    aedes.on('subscribe', (subscriptions) => {
      const isAck = subscriptions.some(({ topic }) => topic === ackTopic(this.terminal));
      if (isAck) this.publish(ackTopic(this.terminal), encodeAck(this.#ackOf(NO_EPOCH)));
    });
    this.#aedes = aedes;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.#sockets.delete(socket));
      aedes.handle(socket);
    });
    this.port = await listen(this.#server, this.port);
  }

  /** As a killed process: connections end without a word, the port is free. */
  async kill(): Promise<void> {
    const server = this.#server;
    const closed = new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
    const aedes = this.#aedes;
    await new Promise<void>((resolve) => aedes?.close(() => resolve()) ?? resolve());
  }

  publish(topic: string, payload: Uint8Array): void {
    this.#aedes?.publish(
      {
        cmd: 'publish',
        topic,
        payload: Buffer.from(payload),
        qos: 1,
        retain: false,
        dup: false,
      },
      () => {},
    );
  }

  /** Batches by what was in them, each seq once. */
  batches(): Uint8Array[] {
    return [...this.arrived.values()].map((entry) => entry.bytes);
  }

  #ackOf(epoch: Uint8Array): Ack {
    return {
      epoch,
      streams: [],
      refused: [],
      brokerTimeMs: this.brokerTimeMs(),
      paceBytesPerSecond: 0,
      ledgerGeneration: new Uint8Array(8),
      notice: '',
    };
  }

  #receive(packet: PublishPacket): void {
    const topic = parseTopic(packet.topic);
    if (!topic.ok) return;
    if (topic.value.kind === 'gone') this.wills += 1;
    if (topic.value.kind !== 'up') return;
    const bytes = new Uint8Array(packet.payload as Buffer);
    const batch = decodeBatch(bytes);
    if (!batch.ok) throw new Error(batch.reason);
    const { epoch, stream, seq } = batch.value;
    const key = `${Buffer.from(epoch).toString('hex')}/${stream}/${seq}`;
    const before = this.arrived.get(key);
    if (before === undefined) this.arrived.set(key, { bytes, times: 1, same: true });
    else {
      before.times += 1;
      before.same &&= Buffer.compare(before.bytes, bytes) === 0;
    }
    const answer = this.answer({
      ...this.#ackOf(epoch),
      streams: [{ stream, ranges: [{ first: seq, last: seq }] }],
    });
    if (answer !== undefined) this.publish(ackTopic(this.terminal), answer);
  }
}

/** A line between terminal and broker that can be frozen: nothing passes, nothing is closed. */
export class Relay {
  port = 0;
  target: number;
  #frozen = false;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #server = createServer({ allowHalfOpen: true }, (near) => this.#join(near));

  constructor(target: number) {
    this.target = target;
  }

  async start(): Promise<void> {
    this.port = await listen(this.#server, 0);
  }

  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    for (const pair of this.#pairs) {
      for (const socket of pair) frozen ? socket.pause() : socket.resume();
    }
  }

  async stop(): Promise<void> {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    const far = connect({ host: '127.0.0.1', port: this.target });
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    const end = (): void => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => near.write(data));
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.once('close', end);
      socket.once('end', () => (this.#frozen ? undefined : end()));
      if (this.#frozen) socket.pause();
    }
  }
}

/** Every event's reason and every snapshot's first value that arrived, each seq once. */
export function contents(broker: TestBroker): {
  events: string[];
  values: number[];
  lanes: Record<string, number[]>;
} {
  const events: string[] = [];
  const values: number[] = [];
  const lanes: Partial<Record<Stream, number[]>> = {};
  for (const bytes of broker.batches()) {
    const batch = need(decodeBatch(bytes));
    const body = need(unpackBody(batch));
    const lane = lanes[batch.stream] ?? [];
    lanes[batch.stream] = [...lane, batch.seq];
    if (batch.stream === 'events') {
      events.push(...need(decodeEventBody(body)).map((event) => String(event.fields['reason'])));
    } else if (batch.stream === 'metrics') {
      const snapshots = need(decodeMetricBody(body));
      values.push(...snapshots.map((snapshot) => snapshot.samples[0]?.value ?? NaN));
    }
  }
  return { events, values, lanes };
}

export const isDrained = (outbox: Outbox): boolean => {
  const { batches, waiting } = outbox.stats();
  return [...Object.values(batches), ...Object.values(waiting)].every((count) => count === 0);
};

/** Exactly what was added, each once, seq from 1 without holes, every resend bit-identical. */
export function expectExactly(
  broker: TestBroker,
  events: readonly string[],
  values: readonly number[],
): void {
  const seen = contents(broker);
  expect(seen.events.toSorted()).toEqual(events.toSorted());
  expect(seen.values.toSorted((a, b) => a - b)).toEqual(values);
  for (const seqs of Object.values(seen.lanes)) {
    expect(seqs.toSorted((a, b) => a - b)).toEqual(seqs.map((_, index) => index + 1));
  }
  expect([...broker.arrived.values()].every((entry) => entry.same)).toBe(true);
}
