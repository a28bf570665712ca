// The chunks of one answer on their way: those that are not acknowledged are kept, sent again when nothing is heard of
// them, and forgotten when the broker names them. Where they come from (a search, a file, a live tail) is the supply's
// business; all it hears is how far the broker is, that it has everything, or that it does not want it.

import { epochOfRequest } from '../../../protocol/logs.ts';
import type { Ack } from '../../../protocol/wire.ts';
import { type Flight, fly, isDue, land, RESEND } from '../../telemetry/window.ts';
import type { PackedChunk } from './pack.ts';

export type Supply = {
  readonly request: string;
  /** The next chunk, if there is one; it is the delivery's from then on. */
  readonly next: () => PackedChunk | undefined;
  /** A chunk without bytes that tells how far a search is, if that is due; nobody waits for an answer to it. */
  readonly word: () => Uint8Array | undefined;
  /** The broker has everything up to that byte, and perhaps the end. */
  readonly reached: (lastSeq: number) => void;
  /** The broker has its end. */
  readonly delivered: () => void;
  readonly refused: (reason: string) => void;
};

/** What is not answered for so long does not hold up anybody else. */
const STALLED_MS = 10_000;

type Sent = PackedChunk & { flight: Flight };

export class Delivery {
  readonly supply: Supply;
  readonly #epoch: Uint8Array;
  #sent: Sent[] = [];

  constructor(supply: Supply) {
    this.supply = supply;
    this.#epoch = epochOfRequest(supply.request);
  }

  /** Sent in this session and not answered. */
  inFlight(): number {
    return this.#sent.filter(({ flight }) => flight.sends > 0).length;
  }

  /** Those of them that may still be on the line. */
  onLine(now: number): number {
    return this.#sent.filter(({ flight }) => flight.sends > 0 && now - flight.sentMs < STALLED_MS)
      .length;
  }

  /** What is to be sent again comes first. */
  take(now: number, random: number): Uint8Array | undefined {
    const due = this.#sent.find(({ flight }) => isDue(flight, now));
    if (due !== undefined) {
      due.flight = fly(due.flight, now, RESEND, random);
      return due.bytes;
    }
    const next = this.supply.next();
    if (next === undefined) return undefined;
    this.#sent.push({ ...next, flight: fly(undefined, now, RESEND, random) });
    return next.bytes;
  }

  /** Nothing of it is on its way, and there is nothing to send. */
  word(): Uint8Array | undefined {
    return this.#sent.length === 0 ? this.supply.word() : undefined;
  }

  /** @returns undefined: it is about another; else how long the newest chunk took, where that is known. */
  acknowledge(ack: Ack, now: number): { readonly tripMs: number | undefined } | undefined {
    if (Buffer.compare(ack.epoch, this.#epoch) !== 0) return undefined;
    const ranges = ack.streams.flatMap(({ stream, ranges: all }) => (stream === 'logs' ? all : []));
    const upTo = Math.max(0, ...ranges.map(({ first, last }) => (first === 1 ? last : 0)));
    let tripMs: number | undefined;
    for (const { lastSeq, flight } of this.#sent) {
      // To which of several sends an answer is cannot be known.
      if (lastSeq <= upTo && flight.sends === 1) tripMs = now - flight.sentMs;
    }
    const isDone = this.#sent.some(({ isLast, lastSeq }) => isLast && lastSeq <= upTo);
    this.#sent = this.#sent.filter(({ lastSeq }) => lastSeq > upTo);
    this.supply.reached(upTo);
    const refusal = ack.refused.find(({ stream }) => stream === 'logs');
    if (isDone) this.supply.delivered();
    else if (refusal !== undefined) this.supply.refused(refusal.reason);
    return { tripMs };
  }

  /** A new session: what was sent in the old one will not be answered. */
  land(): void {
    for (const sent of this.#sent) sent.flight = land(sent.flight);
  }
}
