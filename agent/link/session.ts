// One connection to the broker, from connecting to its end, which is reported exactly once. mqtt.js is
// a thin pipe here: its stores, its queues and its reconnecting are all off, because it replays one
// message per round trip, overwrites beyond 65 535 and stops for good at a refused CONNACK
// (research/mqtt.md 0.6 and 2). A new client for each connection: nothing of an old one can leak in.

import type { Socket } from 'node:net';
import type { MqttClient } from 'mqtt';
import { ackTopic, commandTopic, goneTopic } from '../../protocol/topics.ts';
import type { Credentials } from '../identity/types.ts';
import type { Cancel, Timers } from '../ports.ts';
import { dial } from './dial.ts';
import type { KnownTime } from './judge.ts';
import type { HttpProxy } from './proxy.ts';
import { CLOSED, CLOSED_EARLY, sentenceOf } from './reasons.ts';

export type SessionOptions = {
  readonly terminal: string;
  readonly host: string;
  readonly port: number;
  readonly proxy?: HttpProxy | undefined;
  /** Without them in plain text. */
  readonly credentials?: Credentials | undefined;
  readonly username?: string | undefined;
  /** What is known of the time, asked when the broker's certificate is there. */
  readonly time?: () => KnownTime;
  /** For the connection, CONNACK and SUBACK together. */
  readonly connectTimeoutMs: number;
  readonly timers: Timers;
};

export type SessionHandlers = {
  /** Subscribed: batches may be sent. */
  readonly onUp: () => void;
  readonly onAck: (data: Uint8Array) => void;
  readonly onCommand: (data: Uint8Array) => void;
  /** Called once, whatever happened. */
  readonly onDown: (reason: string) => void;
};

export type Session = {
  readonly publish: (topic: string, data: Uint8Array) => void;
  /** Handed over and not yet taken by the operating system. */
  readonly waitingBytes?: () => number;
  /** Ends without a word; the broker then publishes the will. */
  readonly destroy: (reason: string) => void;
  /** Says DISCONNECT first, so that no will is published; gives up after `patienceMs`. */
  readonly leave: (patienceMs: number, reason?: string) => Promise<void>;
};

const KEEPALIVE_SECONDS = 60;
/** A subscription the broker refused [MQTT-3.9.3-2]. */
const SUBACK_FAILURE = 128;

/** A certificate's time is not judged where nobody says what time it is. */
export const NO_TIME = (): KnownTime => ({ nowMs: undefined, floorMs: 0 });

/** Loaded with the first connection: it costs 15 MB, and an agent must supervise before it reports. */
let loading: Promise<typeof MqttClient> | undefined;
/** Its client alone: the whole brings WebSockets and proxies along, 120 kB of source that no till runs. */
const load = (): Promise<typeof MqttClient> => {
  loading ??= import('mqtt/lib/client').then(({ default: it }) => {
    // Node and the bundle hand out what CommonJS exports, vitest the default within it.
    const told: { default: typeof MqttClient } | typeof MqttClient = it;
    return 'default' in told ? told.default : told;
  });
  return loading;
};

function createClient(
  Client: typeof MqttClient,
  { terminal, username, connectTimeoutMs }: SessionOptions,
  socket: Socket,
): MqttClient {
  return new Client(() => socket, {
    ...(username === undefined ? {} : { username }),
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    clientId: terminal,
    keepalive: KEEPALIVE_SECONDS,
    reschedulePings: true,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: 0,
    reconnectOnConnackError: false,
    resubscribe: false,
    queueQoSZero: false,
    manualConnect: true,
    // Else a table of 65 536 small buffers is made with the first packet: 18 MB.
    writeCache: false,
    will: { topic: goneTopic(terminal), payload: Buffer.alloc(0), qos: 1, retain: false },
  });
}

class OneSession implements Session {
  readonly #options: SessionOptions;
  readonly #handlers: SessionHandlers;
  #client: MqttClient | undefined;
  #socket: Socket | undefined;
  #giveUp: Cancel;
  #down = false;
  /** With a CONNACK that lets us in. */
  #answered = false;

  constructor(options: SessionOptions, handlers: SessionHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    const { timers, connectTimeoutMs } = options;
    this.#giveUp = timers.after(connectTimeoutMs, () =>
      this.destroy(`the broker did not answer within ${connectTimeoutMs} ms`),
    );
    this.#open().catch((error: unknown) =>
      this.destroy(`the link cannot be opened: ${String(error)}`),
    );
  }

  publish(topic: string, data: Uint8Array): void {
    // PUBACK proves nothing end to end: its callback has nothing to say (design.md, Delivery).
    this.#client?.publish(topic, Buffer.from(data), { qos: 1, retain: false }, () => {});
  }

  waitingBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  destroy(reason: string): void {
    if (this.#down) return;
    this.#down = true;
    this.#giveUp();
    this.#client?.end(true);
    this.#socket?.destroy();
    this.#handlers.onDown(reason);
  }

  async leave(patienceMs: number, reason = 'the agent ends'): Promise<void> {
    const client = this.#client;
    if (client?.connected && !this.#down) {
      await new Promise<void>((resolve) => {
        const cancel = this.#options.timers.after(patienceMs, resolve);
        const done = (): void => {
          cancel();
          resolve();
        };
        this.#socket?.once('close', done);
        // Not client.end(): it waits for every PUBACK first. The batches stay in the outbox anyway.
        this.#socket?.end(DISCONNECT);
      });
    }
    this.destroy(reason);
  }

  async #open(): Promise<void> {
    const { host, port, timers, connectTimeoutMs, ...options } = this.#options;
    const keep = (socket: Socket): void => {
      this.#socket = socket;
      if (this.#down) socket.destroy();
    };
    const Client = await load();
    if (this.#down) return;
    const dialled = await dial({
      ...{ address: { host, port }, way: options, timeoutMs: connectTimeoutMs, timers, keep },
      time: options.time ?? NO_TIME,
    });
    if (dialled.ok) this.#start(Client, dialled.value);
    else this.destroy(dialled.reason);
  }

  #start(Client: typeof MqttClient, socket: Socket): void {
    if (this.#down) {
      socket.destroy();
      return;
    }
    const { terminal } = this.#options;
    // Before mqtt.js, which keeps what TLS says to itself: in TLS 1.3 a refused certificate is told after the handshake.
    socket.on('error', (error) => this.destroy(sentenceOf(error)));
    const client = createClient(Client, this.#options, socket);
    this.#client = client;
    // Stays for ever: a client that was ended may still report, and nobody listening is a crash.
    client.on('error', (error) => this.destroy(error.message));
    client.on('close', () => this.destroy(this.#answered ? CLOSED : CLOSED_EARLY));
    client.on('connect', () => this.#subscribe(client));
    client.on('message', (topic, payload) => {
      if (this.#down) return;
      if (topic === ackTopic(terminal)) this.#handlers.onAck(payload);
      else if (topic === commandTopic(terminal)) this.#handlers.onCommand(payload);
    });
    client.connect();
  }

  #subscribe(client: MqttClient): void {
    this.#answered = true;
    const { terminal } = this.#options;
    const topics = [ackTopic(terminal), commandTopic(terminal)];
    client.subscribe(topics, { qos: 1 }, (error, granted) => {
      if (this.#down) return;
      const refused = granted?.some((entry) => entry.qos >= SUBACK_FAILURE);
      if (error || refused) {
        this.destroy(`the broker refused to subscribe: ${error?.message ?? 'not allowed'}`);
        return;
      }
      this.#giveUp();
      this.#handlers.onUp();
    });
  }
}

/** Fixed header of DISCONNECT: type 14, nothing follows [MQTT 3.1.1, 3.14]. */
const DISCONNECT = Buffer.from([0xe0, 0x00]);

export const openSession = (options: SessionOptions, handlers: SessionHandlers): Session =>
  new OneSession(options, handlers);
