// One TCP connection to a printer: writes bytes, and pairs each single-byte answer with who waits for it
// by the answer's fixed bits. What nobody waits for (flow control, automatic status) is dropped. A link is
// used once: after any error a new one is made, because a half-dead socket answers with stale errors
// for ever (research/pos.md 1.4). The bytes themselves are never logged.

import { connect, type Socket } from 'node:net';
import { fail, ok, type Result, saying } from '../shared/result.ts';

type Waiter = {
  readonly accepts: (byte: number) => boolean;
  readonly tell: (byte: number | undefined) => void;
};

const CONNECT_MS = 2_000;
const KEEP_ALIVE_MS = 10_000;
/** Nobody asks more at once; a bug must not become a leak. */
const WAITERS_MAX = 16;

export class PrinterLink {
  readonly #socket: Socket;
  #waiters: Waiter[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      for (const byte of chunk) this.#heard(byte);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const waiter of this.#waiters.splice(0)) waiter.tell(undefined);
    });
  }

  static open(host: string, port: number): Promise<Result<PrinterLink>> {
    return new Promise((answer) => {
      const socket = connect({ host, port, noDelay: true });
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no connection in time')));
      socket.once('error', (error) => answer(fail(saying(error))));
      socket.once('connect', () => {
        socket.setTimeout(0);
        answer(ok(new PrinterLink(socket)));
      });
    });
  }

  get open(): boolean {
    return !this.#socket.destroyed && this.#socket.writable && this.#socket.readable;
  }

  write(bytes: Uint8Array): void {
    if (this.open) this.#socket.write(bytes);
  }

  /** @returns the first byte that fits, or undefined when the time was over or the link broke. */
  answer(accepts: (byte: number) => boolean, timeoutMs: number): Promise<number | undefined> {
    if (!this.open || this.#waiters.length >= WAITERS_MAX) return Promise.resolve(undefined);
    return new Promise((answer) => {
      const timer = setTimeout(() => waiter.tell(undefined), timeoutMs);
      const waiter: Waiter = {
        accepts,
        tell: (byte) => {
          clearTimeout(timer);
          this.#waiters = this.#waiters.filter((other) => other !== waiter);
          answer(byte);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #heard(byte: number): void {
    this.#waiters.find((waiter) => waiter.accepts(byte))?.tell(byte);
  }
}
