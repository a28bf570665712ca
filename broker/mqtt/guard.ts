// A stream between a terminal's socket and aedes that lets only well-sized MQTT packets through and
// decides when aedes may read on. Behind the CONNECT it holds everything back until the terminal is
// accepted, so that a stranger costs a few kilobytes, and it can hold a connection that sends faster
// than the ledger commits: the bytes then wait in the kernel and the sender feels it.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createHeaderReader, type HeaderProblem } from './headers.ts';

/** Why nothing is passed on: not accepted yet, or too many publishes wait for their commit. */
export type Hold = 'connecting' | 'unanswered';

type Callback = (error?: Error | null) => void;

export class Guard extends Duplex {
  readonly address: string;
  readonly #socket: Socket;
  readonly #reader = createHeaderReader();
  readonly #onProblem: (problem: HeaderProblem) => void;
  readonly #holds = new Set<Hold>();
  /** At most one chunk of a socket read: the socket is paused while it waits. */
  #parked: Buffer | undefined;
  #ended = false;

  constructor(socket: Socket, onProblem: (problem: HeaderProblem) => void) {
    super({ allowHalfOpen: false, readableHighWaterMark: 16_384, writableHighWaterMark: 16_384 });
    this.#socket = socket;
    this.#onProblem = onProblem;
    this.address = socket.remoteAddress ?? 'unknown';
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#end());
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  hold(reason: Hold): void {
    this.#holds.add(reason);
    this.#socket.pause();
  }

  release(reason: Hold): void {
    if (!this.#holds.delete(reason) || this.#holds.size > 0 || this.destroyed) return;
    const parked = this.#parked;
    this.#parked = undefined;
    const wantsMore = parked === undefined || this.push(parked);
    if (this.#ended) this.push(null);
    else if (wantsMore) this.#socket.resume();
  }

  #take(chunk: Buffer): void {
    if (this.destroyed) return;
    const { problem, connectEnd } = this.#reader.scan(chunk);
    if (problem !== undefined) {
      this.#onProblem(problem);
      this.destroy();
      return;
    }
    if (connectEnd !== undefined) {
      this.hold('connecting');
      if (connectEnd < chunk.length) this.#parked = chunk.subarray(connectEnd);
      this.push(chunk.subarray(0, connectEnd));
      return;
    }
    if (this.#holds.size > 0) {
      // A paused socket may still hand out what it had read before it was paused.
      this.#parked = this.#parked === undefined ? chunk : Buffer.concat([this.#parked, chunk]);
      return;
    }
    if (!this.push(chunk)) this.#socket.pause();
  }

  #end(): void {
    this.#ended = true;
    if (this.#holds.size === 0 && !this.destroyed) this.push(null);
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
    // What was written just before (a refusing CONNACK) is with the kernel already or lost.
    this.#socket.destroy();
    done(error);
  }
}
