// A broker front on a free port with a real ledger, real MQTT clients and a fleet that only writes down
// what it is told, for the tests of mqtt/ and ingest/.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { systemClock, systemTimers, type Timers } from '../../broker/clock.ts';
import { type Front, startFront } from '../../broker/front.ts';
import { type Ledger, openLedger } from '../../broker/ledger.ts';
import { MQTT_LIMITS, type MqttLimits } from '../../broker/mqtt/limits.ts';
import { ackTopic, commandTopic, goneTopic, upTopic } from '../../protocol/topics.ts';
import { type Ack, type Batch, decodeAck, encodeBatch, NO_EPOCH } from '../../protocol/wire.ts';

export const EPOCH = new Uint8Array(16).fill(7);
export const EPOCH_HEX = '07'.repeat(16);

/** How often one terminal connects is no question here (test/long/tls-limits.test.ts asks it). */
const AS_OFTEN_AS_IT_LIKES = { ...MQTT_LIMITS.terminal, connectsPerMinute: 1_000_000 };

export const makeBatch = (seq: number, fields: Partial<Batch> = {}): Uint8Array =>
  encodeBatch({
    epoch: EPOCH,
    stream: 'events',
    seq,
    createdMs: 1_700_000_000_000,
    clockOffsetMs: 0,
    encoding: 'identity',
    body: new Uint8Array([1, 2, 3]),
    ...fields,
  });

/** mulberry32: small, seeded, good enough to choose bytes. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Waits until `check` gives something, and says what it waited for when that never comes. */
export async function until<T>(
  what: string,
  check: () => T | undefined | false,
  timeoutMs = 10_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > endMs) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export type Terminal = {
  readonly client: MqttClient;
  readonly acks: Ack[];
  /** They tell the time and what is to be said, and answer nothing. */
  readonly greetings: Ack[];
  readonly commands: Uint8Array[];
  readonly send: (batch: Uint8Array, stream?: Batch['stream']) => Promise<unknown>;
  /** Whether any acknowledgement so far names this seq. */
  readonly acked: (seq: number, stream?: Batch['stream']) => boolean;
  readonly closed: () => boolean;
  readonly ended: Promise<void>;
  readonly end: () => Promise<void>;
};

const names = (ack: Ack, stream: Batch['stream'], seq: number): boolean =>
  ack.streams.some(
    (entry) =>
      entry.stream === stream &&
      entry.ranges.some(({ first, last }) => first <= seq && seq <= last),
  );

export const optionsOf = (port: number, id: string): IClientOptions => ({
  host: '127.0.0.1',
  port,
  protocol: 'mqtt',
  protocolVersion: 4,
  clientId: id,
  clean: true,
  keepalive: 60,
  reconnectPeriod: 0,
  connectTimeout: 5_000,
  will: { topic: goneTopic(id), payload: Buffer.alloc(0), qos: 1, retain: false },
});

/** Also a refused connection ends: without reconnecting, its error is the last that happens. */
const connected = (client: MqttClient): Promise<void> =>
  new Promise((resolve, reject) => {
    client.once('connect', () => resolve());
    client.on('error', reject);
    client.once('close', () => reject(new Error('closed before it was connected')));
  });

export async function connectTerminal(
  port: number,
  id: string,
  options: IClientOptions = {},
): Promise<Terminal> {
  const client = mqtt.connect({ ...optionsOf(port, id), ...options });
  const acks: Ack[] = [];
  const greetings: Ack[] = [];
  const commands: Uint8Array[] = [];
  let closed = false;
  const ended = new Promise<void>((resolve) => {
    client.on('close', () => {
      closed = true;
      resolve();
    });
  });
  await connected(client);
  client.on('message', (topic, payload) => {
    if (topic === commandTopic(id)) commands.push(payload);
    if (topic !== ackTopic(id)) return;
    const ack = decodeAck(payload);
    if (!ack.ok) throw new Error(ack.reason);
    const isGreeting = Buffer.compare(ack.value.epoch, NO_EPOCH) === 0;
    (isGreeting ? greetings : acks).push(ack.value);
  });
  await client.subscribeAsync([ackTopic(id), commandTopic(id)], { qos: 1 });
  return {
    client,
    acks,
    greetings,
    commands,
    send: (batch, stream = 'events') =>
      client.publishAsync(upTopic(id, stream), Buffer.from(batch), { qos: 1 }),
    acked: (seq, stream = 'events') => acks.some((ack) => names(ack, stream, seq)),
    closed: () => closed,
    ended,
    end: () => client.endAsync(true),
  };
}

/** A bare socket that writes down whether it was closed and what it got. */
export async function connectRaw(port: number) {
  const socket: Socket = connectSocket({ host: '127.0.0.1', port, noDelay: true });
  const got: Buffer[] = [];
  let closed = false;
  socket.on('data', (chunk) => got.push(chunk));
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  return { socket, got: () => Buffer.concat(got), closed: () => closed };
}

export type Rig = {
  readonly front: Front;
  readonly ledger: Ledger;
  readonly dir: string;
  readonly counts: Map<string, number>;
  readonly counted: (name: string) => number;
  readonly told: string[];
  readonly logged: { message: string; fields: unknown }[];
  readonly terminal: (id: string, options?: IClientOptions) => Promise<Terminal>;
  readonly close: () => Promise<void>;
};

export async function startRig(
  limits: Partial<MqttLimits> = {},
  timers: Timers = systemTimers,
  wrap: (ledger: Ledger) => Ledger = (ledger) => ledger,
): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), 'tw-front-'));
  const ledger = openLedger({ path: join(dir, 'ledger.db'), clock: systemClock });
  const counts = new Map<string, number>();
  const count = (name: string, times = 1): void => {
    counts.set(name, (counts.get(name) ?? 0) + times);
  };
  const told: string[] = [];
  const logged: Rig['logged'] = [];
  const log = (message: string, fields: unknown): number => logged.push({ message, fields });
  const started = await startFront({
    host: '127.0.0.1',
    port: 0,
    limits: { ...MQTT_LIMITS, terminal: AS_OFTEN_AS_IT_LIKES, ...limits },
    ledger: wrap(ledger),
    fleet: {
      isKnown: (terminal) => terminal.startsWith('lane-'),
      sessionOpened: (terminal) => told.push(`${terminal} opened`),
      sessionClosed: (terminal, why) => told.push(`${terminal} ${why}`),
    },
    onCommandReady: (terminal) => told.push(`${terminal} ready`),
    metrics: {
      connects: (result) => count(`connects ${result}`),
      refused: (reason) => count(`refused ${reason}`),
      slowed: (limit) => count(`slowed ${limit}`),
      batches: (stream, result, times) => count(`${stream} ${result}`, times),
      commitSeconds: () => count('commits'),
    },
    clock: systemClock,
    timers,
    log: { info: log, warn: log, error: log },
  });
  if (!started.ok) throw new Error(started.reason);
  const front = started.value;
  const terminals: Terminal[] = [];
  return {
    front,
    ledger,
    dir,
    counts,
    counted: (name) => counts.get(name) ?? 0,
    told,
    logged,
    terminal: async (id, options) => {
      const terminal = await connectTerminal(front.port, id, options);
      terminals.push(terminal);
      return terminal;
    },
    close: async () => {
      for (const terminal of terminals) await terminal.end();
      await front.stop();
      ledger.close();
      rmSync(dir, { recursive: true });
    },
  };
}
