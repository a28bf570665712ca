// Questions and answers over one port: bytes are cut into messages by the driver's reader, each message
// goes to the first who waits for its kind, and every message is also shown to the driver, because devices
// speak up by themselves too. What is said is never logged: it may be a receipt or a customer's card.

import type { Opened, Port, Transport } from './port.ts';

/** Cuts bytes into messages and keeps the unfinished rest, bounded by itself. */
export type Reader<M> = { readonly push: (bytes: Uint8Array) => readonly M[] };

type Waiter<M> = {
  readonly accepts: (message: M) => boolean;
  readonly tell: (message: M | undefined) => void;
};
/** Nobody asks more at once; a bug must not become a leak. */
const WAITERS_MAX = 16;

export class Conversation<M> {
  #port: Port | undefined;
  #waiters: Waiter<M>[] = [];

  /** @returns a conversation, or why the port could not be opened. */
  static async open<M>(
    transport: Transport,
    attempt: number,
    reader: Reader<M>,
    heard: (message: M) => void,
    lost: () => void,
  ): Promise<{ ok: true; talk: Conversation<M> } | Extract<Opened, { ok: false }>> {
    const talk = new Conversation<M>();
    const bytes = (chunk: Uint8Array): void => {
      for (const message of reader.push(chunk)) {
        talk.#waiters.find((waiter) => waiter.accepts(message))?.tell(message);
        heard(message);
      }
    };
    const closed = (): void => {
      for (const waiter of talk.#waiters.splice(0)) waiter.tell(undefined);
      lost();
    };
    const opened = await transport.open({ bytes, closed }, attempt);
    if (!opened.ok) return opened;
    talk.#port = opened.port;
    return { ok: true, talk };
  }

  get open(): boolean {
    return this.#port?.open === true;
  }

  get stuck(): boolean {
    return this.#port?.stuck === true;
  }

  write(bytes: Uint8Array): Promise<boolean> {
    return this.#port?.write(bytes) ?? Promise.resolve(false);
  }

  /** @returns the first message that fits, or undefined when the time was over or the port closed. */
  wait(accepts: (message: M) => boolean, timeoutMs: number): Promise<M | undefined> {
    if (!this.open || this.#waiters.length >= WAITERS_MAX) return Promise.resolve(undefined);
    return new Promise((answer) => {
      const timer = setTimeout(() => waiter.tell(undefined), timeoutMs);
      const waiter: Waiter<M> = {
        accepts,
        tell: (message) => {
          clearTimeout(timer);
          this.#waiters = this.#waiters.filter((other) => other !== waiter);
          answer(message);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  /** Waits from before the question leaves: an answer may be quicker than the write's own end. */
  async ask(
    question: Uint8Array,
    accepts: (message: M) => boolean,
    timeoutMs: number,
  ): Promise<M | undefined> {
    const answer = this.wait(accepts, timeoutMs);
    // A write that is stuck must not hold up the answer's own limit.
    this.write(question).catch(() => undefined);
    return await answer;
  }

  close(): void {
    this.#port?.close();
  }
}
