// One MQTT connection of a simulated terminal, on a raw socket with mqtt-packet, because a client library
// for each of two thousand terminals costs more than what is measured. It does what link/session.ts does:
// the same CONNECT, will, subscriptions and keep-alive, QoS 1 both ways; acknowledgements and commands are
// handed on. A line that is cut takes the connection away on this side only: the broker hears nothing, as
// with a real router that lost its uplink, and finds out by its keep-alive.

import { connect as connectTcp, type Socket } from 'node:net';
import { generate, type Packet, parser, writeToStream } from 'mqtt-packet';
import { ackTopic, commandTopic, goneTopic } from '../../protocol/topics.ts';
import { dial } from '../link/dial.ts';
import { sentenceOf } from '../link/reasons.ts';
import {
  NO_TIME,
  type Session,
  type SessionHandlers,
  type SessionOptions,
} from '../link/session.ts';
import type { Cancel } from '../ports.ts';
import type { Network } from './till.ts';

const KEEPALIVE_SECONDS = 60;
/** Often enough that a ping is never later than the keep-alive. */
const PING_MS = 25_000;
const SUBACK_FAILURE = 128;
const PACKET_IDS = 65_535;
/** A router without an uplink says so at once. */
const NO_ROUTE_MS = 50;
const PING = Buffer.from([0xc0, 0x00]);
const DISCONNECT = Buffer.from([0xe0, 0x00]);

/** In the words of mqtt.js, which the link knows [MQTT-3.2.2-4]. */
const WHY: Readonly<Record<number, string>> = { 3: 'Server unavailable', 5: 'Not authorized' };

// Else a table of 65 536 small buffers is made with the first packet: 18 MB.
writeToStream.cacheNumbers = false;

/** The line of one terminal, shared by all its connections. */
export class Line {
  #state: Network = 'up';
  #session: LineSession | undefined;
  /** The broker still believes in it; ended when the line is back. */
  #limbo: Socket | undefined;

  get state(): Network {
    return this.#state;
  }

  set(state: Network): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#session?.lineChanged();
    if (state === 'up') this.abandon(undefined);
  }

  use(session: LineSession | undefined): void {
    this.#session = session;
  }

  abandon(socket: Socket | undefined): void {
    this.#limbo?.destroy();
    this.#limbo = socket;
  }
}

class LineSession implements Session {
  readonly #line: Line;
  readonly #o: SessionOptions;
  readonly #handlers: SessionHandlers;
  readonly #parser = parser({ protocolVersion: 4 });
  #socket: Socket | undefined;
  #cancels: Cancel[] = [];
  #nextId = 0;
  #up = false;
  #down = false;

  constructor(line: Line, options: SessionOptions, handlers: SessionHandlers) {
    this.#line = line;
    this.#o = options;
    this.#handlers = handlers;
    line.use(this);
    const { connectTimeoutMs, timers } = options;
    const late = `the broker did not answer within ${connectTimeoutMs} ms`;
    this.#cancels.push(timers.after(connectTimeoutMs, () => this.destroy(late)));
    if (line.state === 'up') this.#connect();
    // A frozen line swallows the attempt: the time-out ends it.
    else if (line.state === 'cut') {
      this.#cancels.push(timers.after(NO_ROUTE_MS, () => this.destroy('there is no route')));
    }
  }

  publish(topic: string, data: Uint8Array): void {
    this.#nextId = (this.#nextId % PACKET_IDS) + 1;
    const payload = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const head = { cmd: 'publish', qos: 1, dup: false, retain: false } as const;
    this.#write(generate({ ...head, topic, payload, messageId: this.#nextId }));
  }

  destroy(reason: string): void {
    this.#socket?.destroy();
    this.#end(reason);
  }

  leave(patienceMs: number, reason = 'the agent ends'): Promise<void> {
    const socket = this.#socket;
    if (this.#down || !this.#up || socket === undefined || this.#line.state !== 'up') {
      this.destroy(reason);
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.destroy(reason);
        resolve();
      };
      const cancel = this.#o.timers.after(patienceMs, done);
      socket.once('close', done);
      socket.end(DISCONNECT);
    });
  }

  lineChanged(): void {
    if (this.#line.state === 'up') {
      // Whatever this connection believed is long untrue.
      this.destroy('the line was gone');
    } else if (this.#line.state === 'cut') {
      this.#socket?.pause();
      this.#line.abandon(this.#socket);
      this.#end('there is no route');
    } else this.#socket?.pause();
  }

  #end(reason: string): void {
    if (this.#down) return;
    this.#down = true;
    this.#up = false;
    this.#line.use(undefined);
    for (const cancel of this.#cancels) cancel();
    this.#handlers.onDown(reason);
  }

  #write(bytes: Buffer): void {
    if (!this.#down && this.#line.state === 'up') this.#socket?.write(bytes);
  }

  #connect(): void {
    const { host, port, credentials, proxy, timers, connectTimeoutMs, time = NO_TIME } = this.#o;
    if (credentials === undefined) {
      this.#begin(connectTcp({ host, port, noDelay: true }));
      return;
    }
    const keep = (socket: Socket): void => {
      this.#socket = socket;
      if (this.#down) socket.destroy();
    };
    void dial({
      ...{ address: { host, port }, way: { credentials, proxy }, time, timers, keep },
      timeoutMs: connectTimeoutMs,
    }).then((dialled) => {
      if (!dialled.ok) this.destroy(dialled.reason);
      else if (this.#down) dialled.value.destroy();
      else this.#begin(dialled.value);
    });
  }

  #begin(socket: Socket): void {
    const { terminal, timers, username } = this.#o;
    this.#socket = socket;
    socket.on('error', (error) => this.#end(sentenceOf(error)));
    socket.on('close', () => this.#end('the connection closed'));
    socket.on('data', (chunk) => this.#parser.parse(chunk));
    this.#parser.on('packet', (packet) => this.#hear(packet));
    this.#parser.on('error', () => this.destroy('the broker sent what is no MQTT'));
    const will = { topic: goneTopic(terminal), payload: Buffer.alloc(0), qos: 1, retain: false };
    this.#write(
      generate({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: true,
        clientId: terminal,
        ...(username === undefined ? {} : { username }),
        keepalive: KEEPALIVE_SECONDS,
        will: { ...will, qos: 1 },
      }),
    );
    this.#cancels.push(timers.every(PING_MS, () => this.#write(PING)));
  }

  #hear(packet: Packet): void {
    if (this.#down) return;
    const { terminal } = this.#o;
    switch (packet.cmd) {
      case 'connack': {
        if (packet.returnCode !== 0) {
          const why = WHY[packet.returnCode ?? 0] ?? `code ${packet.returnCode}`;
          this.destroy(`Connection refused: ${why}`);
          return;
        }
        const topics = [ackTopic(terminal), commandTopic(terminal)];
        const subscriptions = topics.map((topic) => ({ topic, qos: 1 as const }));
        this.#write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
        return;
      }
      case 'suback':
        this.#subscribed(packet.granted);
        return;
      case 'publish':
        this.#take(packet);
        return;
      default: // PUBACK proves nothing end to end; PINGRESP is only a sign of life.
        return;
    }
  }

  #subscribed(granted: readonly unknown[]): void {
    if (granted.some((qos) => Number(qos) >= SUBACK_FAILURE)) {
      this.destroy('the broker refused to subscribe: not allowed');
      return;
    }
    this.#cancels.shift()?.();
    this.#nextId = 1;
    this.#up = true;
    this.#handlers.onUp();
  }

  #take({ topic, payload, messageId }: Extract<Packet, { cmd: 'publish' }>): void {
    if (messageId !== undefined) this.#write(generate({ cmd: 'puback', messageId }));
    const data = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const { terminal } = this.#o;
    if (topic === ackTopic(terminal)) this.#handlers.onAck(data);
    else if (topic === commandTopic(terminal)) this.#handlers.onCommand(data);
  }
}

/** As agent/link/session.ts's openSession, over the line of one simulated terminal. */
export const openOver =
  (line: Line) =>
  (options: SessionOptions, handlers: SessionHandlers): Session =>
    new LineSession(line, options, handlers);
