// A line between a till and the broker that can be made as bad as a store's: it delays, swallows, cuts a
// packet in half and hangs up, resets. Each way is a mode that holds for all its connections until the next;
// what a mode swallowed is gone for good, so that only a resend can bring it.

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export const MODES = ['open', 'slow', 'swallow', 'halve', 'reset', 'shut'] as const;
export type Mode = (typeof MODES)[number];

const DELAY_MS_MAX = 600;

export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: () => number;
  readonly #random: () => number;
  #mode: Mode = 'open';
  port = 0;

  /** @param target the broker's port, asked at each connection. */
  constructor(target: () => number, random: () => number) {
    this.#target = target;
    this.#random = random;
    this.#server = createServer((near) => this.#join(near));
  }

  async open(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    this.port = (this.#server.address() as AddressInfo).port;
  }

  set(mode: Mode): void {
    this.#mode = mode;
    if (mode === 'reset' || mode === 'shut') this.#resetAll();
  }

  #resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #join(near: Socket): void {
    if (this.#mode === 'shut') {
      near.resetAndDestroy();
      return;
    }
    const far = connect(this.#target(), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on('data', (chunk) => this.#pass(chunk, from, to));
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  /** A delayed chunk holds back what comes after it: TCP keeps its order. */
  #pass(chunk: Buffer, from: Socket, to: Socket): void {
    if (this.#mode === 'open' || this.#mode === 'reset') to.write(chunk);
    if (this.#mode === 'halve') {
      to.write(chunk.subarray(0, chunk.length >>> 1), () => to.resetAndDestroy());
      from.resetAndDestroy();
    }
    if (this.#mode === 'slow') {
      from.pause();
      setTimeout(() => {
        to.write(chunk);
        from.resume();
      }, this.#random() * DELAY_MS_MAX);
    }
  }

  close(): void {
    this.#resetAll();
    this.#server.close();
  }
}
