// A stream between a terminal's socket and aedes. It lets only well-sized packets through and decides when
// more is read: behind the CONNECT it holds everything back until the terminal is accepted, so that a
// stranger costs a few kilobytes, and it holds a connection that sends faster than the ledger commits or
// does not read what it is sent: the bytes then wait in the kernel and the sender feels it. A terminal's
// publishes do not pass through aedes at all, and what is said to terminals neither: that is most of what
// a broker of telemetry does, and aedes would look for subscribers whom nobody may have. All else of a terminal is
// asked for first: a chunk of two-byte packets would keep aedes busy for longer than a batch does.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Cancel, Timers } from '../clock.ts';
import type { ClientCertificate } from '../trust/types.ts';
import {
  CONNECT,
  type PacketProblem,
  PacketReader,
  PUBACK,
  PUBLISH,
  writeHeader,
  writePubacks,
} from './packets.ts';

/** Why nothing is read: not accepted yet, too many publishes wait for their commit, it does not read, or it sent more
 * than one terminal may. */
export type Hold = 'connecting' | 'unanswered' | 'writing' | 'rate';

export type GuardOptions = {
  readonly timers: Pick<Timers, 'after'>;
  /** Who takes nothing off its socket for this long is disconnected. */
  readonly drainTimeoutMs: number;
  readonly onProblem: (problem: PacketProblem | 'slow_reader') => void;
  /** What it showed; undefined where there are none (plain text). */
  readonly certificate?: ClientCertificate | undefined;
};

/** Who takes what does not go to aedes, once the terminal is accepted. */
export type Taker = {
  /** The first byte of a PUBLISH and what follows its fixed header. */
  readonly publish: (first: number, body: Buffer) => void;
  /** It said something that aedes does not see, and lives. */
  readonly alive: () => void;
  /** What is neither a publish nor the answer to what it was told. @returns whether it may go on; else the guard is closed. */
  readonly small: (bytes: number) => boolean;
};

type Callback = (error?: Error | null) => void;
const PACKET_IDS = 65_535;
const SLOW_MS_MAX = 5_000;
const LAST_WORD_MS_MAX = 500;

export class Guard extends Duplex {
  readonly address: string;
  readonly certificate: ClientCertificate | undefined;
  readonly #socket: Socket;
  readonly #o: GuardOptions;
  readonly #reader = new PacketReader();
  readonly #holds = new Set<Hold>();
  /** At most one chunk of a socket read, and what a paused socket still hands out. */
  #parked: Buffer | undefined;
  #ended = false;
  #taker: Taker | undefined;
  /** Said in this turn of the loop; one write for all of it. */
  #pubacks: number[] = [];
  #said: Buffer[] = [];
  #taken: (() => void)[] = [];
  /** Said and not answered yet, as far as ids go: so many PUBACKs are expected. */
  #unanswered = 0;
  #isFlushing = false;
  #isDismissed = false;
  #lastId = 0;
  #cancelDrain: Cancel | undefined;

  constructor(socket: Socket, options: GuardOptions) {
    super({ allowHalfOpen: false, readableHighWaterMark: 16_384, writableHighWaterMark: 16_384 });
    this.#socket = socket;
    this.#o = options;
    this.address = socket.remoteAddress ?? 'unknown';
    this.certificate = options.certificate;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#end());
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
    socket.on('drain', () => this.#drained());
  }

  /** Whose certificate it showed. */
  get terminal(): string | undefined {
    return this.certificate?.terminal;
  }

  /** The terminal is accepted. */
  accept(taker: Taker): void {
    this.#taker = taker;
    this.release('connecting');
  }

  hold(reason: Hold): void {
    this.#holds.add(reason);
    this.#socket.pause();
  }

  /** Nothing is read for so long; a keep-alive is longer. */
  slow(ms: number): void {
    if (this.#holds.has('rate')) return;
    this.hold('rate');
    this.#o.timers.after(Math.min(ms, SLOW_MS_MAX), () => this.release('rate'));
  }

  /** Goes on later in this turn: whoever releases may be answering publishes, one after the other. */
  release(reason: Hold): void {
    if (!this.#holds.delete(reason) || this.#holds.size > 0) return;
    queueMicrotask(() => this.#goOn());
  }

  #goOn(): void {
    if (this.#holds.size > 0 || this.destroyed) return;
    const parked = this.#parked;
    this.#parked = undefined;
    if (parked !== undefined) this.#scan(parked);
    if (this.#holds.size > 0 || this.destroyed) return;
    if (this.#ended) this.push(null);
    else this.#socket.resume();
  }

  /** A publish is answered: goes out with whatever else is said in this turn. */
  puback(id: number): void {
    this.#pubacks.push(id);
    this.#flushSoon();
  }

  /** @param taken when the socket has taken it, or never will. */
  say(packet: Buffer, taken: () => void): void {
    if (this.destroyed) {
      taken();
      return;
    }
    this.#said.push(packet);
    this.#unanswered = Math.min(PACKET_IDS, this.#unanswered + 1);
    this.#taken.push(taken);
    this.#flushSoon();
  }

  /** Says what there is left to say and closes; whoever does not read it does not keep the socket. */
  dismiss(): void {
    if (this.destroyed) return;
    if (this.#isFlushing) this.#flush();
    this.#isDismissed = true;
    this.destroy();
  }

  nextId(): number {
    this.#lastId = (this.#lastId % PACKET_IDS) + 1;
    return this.#lastId;
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    const [pubacks, said, taken] = [this.#pubacks, this.#said, this.#taken];
    this.#pubacks = [];
    this.#said = [];
    this.#taken = [];
    const done = (): void => {
      for (const tell of taken) tell();
    };
    if (this.destroyed) {
      done();
      return;
    }
    const first = writePubacks(pubacks);
    const bytes = said.length === 0 ? first : Buffer.concat([first, ...said]);
    if (!this.#socket.write(bytes, taken.length === 0 ? undefined : done)) this.#wait();
  }

  #wait(): void {
    this.hold('writing');
    this.#cancelDrain ??= this.#o.timers.after(this.#o.drainTimeoutMs, () => {
      this.#o.onProblem('slow_reader');
      this.destroy();
    });
  }

  #drained(): void {
    this.#cancelDrain?.();
    this.#cancelDrain = undefined;
    this.release('writing');
  }

  #take(chunk: Buffer): void {
    if (this.destroyed) return;
    // What is parked came before.
    if (this.#holds.size === 0 && this.#parked === undefined) this.#scan(chunk);
    else this.#park(chunk);
  }

  #park(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#parked = this.#parked === undefined ? chunk : Buffer.concat([this.#parked, chunk]);
  }

  #scan(chunk: Buffer): void {
    const reader = this.#reader;
    reader.take(chunk);
    for (;;) {
      const step = reader.step();
      if (step === 'more') return;
      if (step !== 'packet') {
        this.#o.onProblem(step);
        this.destroy();
        return;
      }
      this.#pass(reader.first, reader.body);
      if (this.destroyed) return;
      if (this.#holds.size > 0) {
        this.#park(reader.rest());
        return;
      }
    }
  }

  #pass(first: number, body: Buffer): void {
    const type = first >> 4;
    const taker = this.#taker;
    if (taker !== undefined) {
      if (type === PUBLISH) {
        taker.alive();
        taker.publish(first, body);
        return;
      }
      if (type === PUBACK && this.#unanswered > 0) this.#unanswered -= 1;
      else if (!taker.small(body.length)) return;
      // Nothing waits for a PUBACK: what is lost of us is sent again by whoever owns it.
      if (type === PUBACK) {
        taker.alive();
        return;
      }
    }
    if (type === CONNECT) this.hold('connecting');
    const wantsMore = this.push(Buffer.concat([writeHeader(first, body.length), body]));
    if (!wantsMore) this.#socket.pause();
  }

  #end(): void {
    this.#ended = true;
    if (this.#holds.size === 0 && this.#parked === undefined && !this.destroyed) this.push(null);
  }

  override _read(): void {
    if (this.#holds.size === 0) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Callback): void {
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Callback): void {
    this.#socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: Callback): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: Callback): void {
    this.#cancelDrain?.();
    if (this.#isFlushing) this.#flush();
    if (this.#isDismissed) {
      this.#socket.destroySoon();
      this.#o.timers.after(LAST_WORD_MS_MAX, () => this.#socket.destroy());
    } else {
      // What was written just before (a refusing CONNACK) is with the kernel already or lost.
      this.#socket.destroy();
    }
    done(error);
  }
}
