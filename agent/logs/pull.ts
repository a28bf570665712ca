// One log pull on its way: cuts the answer into chunks, keeps those that are not acknowledged (at most a
// window of them), and goes on wherever the broker says it has got to. On a line on which a chunk takes long
// only one is on its way, so that nothing live ever waits behind more than one; on a quick one four.
// Nothing here is stored: after a restart the first chunk is sent once more, and the answer to it
// says what the broker has.

import { packBody } from '../../protocol/body.ts';
import {
  LOG_CHUNK_BYTES_MAX,
  LOG_CHUNK_RAW_BYTES_MAX,
  LOG_WINDOW_CHUNKS,
} from '../../protocol/limits.ts';
import { encodeLogChunk, epochOfRequest, lastSeqOf, seqOfChunk } from '../../protocol/logs.ts';
import type { Ack } from '../../protocol/wire.ts';
import { encodeBatch } from '../../protocol/wire.ts';
import { type Counts, NO_COUNTS } from '../../redact/index.ts';
import { type Flight, fly, isDue, land, RESEND } from '../telemetry/window.ts';
import { type Answering, openAnswer, type Totals } from './answer.ts';
import type { Plan } from './plan.ts';

/** A chunk that is acknowledged within this leaves room for more behind it. */
export const QUICK_MS = 250;
/** The broker has more than we have read: so much is read again in one go. */
const CATCH_UP_BYTES = 1024 * 1024;

/** How many chunks may be on their way. @param tripMs of the last one; undefined before the first. */
export const windowOf = (tripMs: number | undefined): number =>
  tripMs !== undefined && tripMs <= QUICK_MS ? LOG_WINDOW_CHUNKS : 1;

type Sent = {
  readonly bytes: Uint8Array;
  readonly seq: number;
  readonly lastSeq: number;
  readonly isLast: boolean;
  flight: Flight | undefined;
};

export type Stamp = { readonly createdMs: number; readonly clockOffsetMs: number };
export type Ended =
  | { readonly ok: true; readonly totals: Totals; readonly sha256: string }
  | { readonly ok: false; readonly reason: string };

export class Pull {
  readonly plan: Plan;
  readonly #epoch: Uint8Array;
  #answer: Answering | undefined;
  #sent: Sent[] = [];
  #acknowledged = 0;
  #tripMs: number | undefined;
  #isAllSent = false;
  #end: Ended | undefined;

  constructor(plan: Plan) {
    this.plan = plan;
    this.#epoch = epochOfRequest(plan.request);
  }

  ended(): Ended | undefined {
    return this.#end;
  }

  inFlight(): number {
    return this.#sent.filter(({ flight }) => (flight?.sends ?? 0) > 0).length;
  }

  counts(): Counts {
    return this.#answer?.counts() ?? NO_COUNTS;
  }

  /** What is to be sent now; `again` when there is work left that needs another call. */
  take(now: number, random: number, stamp: Stamp): { bytes?: Uint8Array; again: boolean } {
    if (this.#end !== undefined) return { again: false };
    const due = this.#sent.find(({ flight }) => isDue(flight, now));
    if (due !== undefined) return { bytes: this.#send(due, now, random), again: true };
    if (this.#isAllSent || this.inFlight() >= windowOf(this.#tripMs)) return { again: false };
    try {
      const answer = this.#open();
      if (answer === undefined) return { again: false };
      if (!this.#catchUp(answer)) return { again: true };
      const made = this.#make(answer, stamp);
      this.#sent.push(made);
      return { bytes: this.#send(made, now, random), again: true };
    } catch (error) {
      this.fail(`the journal cannot be read: ${(error as Error).message}`);
      return { again: false };
    }
  }

  /** @returns whether it is about this pull. */
  acknowledge(ack: Ack, now: number): boolean {
    if (Buffer.compare(ack.epoch, this.#epoch) !== 0) return false;
    const ranges = ack.streams.flatMap(({ stream, ranges: all }) => (stream === 'logs' ? all : []));
    const upTo = Math.max(0, ...ranges.map(({ first, last }) => (first === 1 ? last : 0)));
    for (const { lastSeq, flight } of this.#sent) {
      // To which of several sends an answer is cannot be known.
      if (lastSeq <= upTo && flight?.sends === 1) this.#tripMs = now - flight.sentMs;
    }
    const done = this.#sent.find(({ isLast, lastSeq }) => isLast && lastSeq <= upTo);
    this.#sent = this.#sent.filter(({ lastSeq }) => lastSeq > upTo);
    this.#acknowledged = Math.max(this.#acknowledged, upTo);
    const refusal = ack.refused.find(({ stream }) => stream === 'logs');
    if (done !== undefined) this.#succeed();
    else if (refusal !== undefined) this.fail(`the broker refused it: ${refusal.reason}`);
    return true;
  }

  /** A new session: what was sent in the old one will not be answered. */
  land(): void {
    for (const sent of this.#sent) if (sent.flight !== undefined) sent.flight = land(sent.flight);
    this.#tripMs = undefined;
  }

  fail(reason: string): void {
    this.#end ??= { ok: false, reason };
    this.close();
  }

  close(): void {
    this.#answer?.close();
    this.#sent = [];
  }

  #succeed(): void {
    const answer = this.#answer;
    if (answer === undefined || this.#end !== undefined) return;
    this.#end = { ok: true, totals: answer.totals(), sha256: answer.sha256().toString('hex') };
    this.close();
  }

  #open(): Answering | undefined {
    if (this.#answer !== undefined) return this.#answer;
    const opened = openAnswer(this.plan);
    if (opened.ok) this.#answer = opened.value;
    else this.fail(opened.reason);
    return this.#answer;
  }

  /** Reads again what the broker has already. @returns whether that is done. */
  #catchUp(answer: Answering): boolean {
    const untilBytes = answer.offset() + CATCH_UP_BYTES;
    for (;;) {
      const piece = answer.peek(LOG_CHUNK_RAW_BYTES_MAX);
      // The last piece is sent in any case: only with it the broker can be done.
      const isHeld = answer.offset() + piece.body.length <= this.#acknowledged;
      if (!isHeld || piece.last) return true;
      answer.take(piece);
      if (answer.offset() >= untilBytes) return false;
    }
  }

  /** As many lines as fit into a chunk, compressed. */
  #make(answer: Answering, stamp: Stamp): Sent {
    for (let bytesMax = LOG_CHUNK_RAW_BYTES_MAX; ; bytesMax = Math.floor(bytesMax / 2)) {
      const piece = answer.peek(bytesMax);
      const chunk = {
        ...{ request: this.plan.request, component: this.plan.component, offset: answer.offset() },
        ...{ body: piece.body, last: piece.last, redactor: answer.redactor() },
      };
      const whole = { ...chunk, ...this.#ending(answer, piece.body, piece.last) };
      const packed = packBody(encodeLogChunk(whole));
      if (packed.body.length > LOG_CHUNK_BYTES_MAX && piece.body.length > 1) continue;
      answer.take(piece);
      this.#isAllSent = piece.last;
      const [seq, lastSeq] = [seqOfChunk(chunk), lastSeqOf(chunk)];
      const batch = { epoch: this.#epoch, stream: 'logs' as const, seq, ...stamp, ...packed };
      return { bytes: encodeBatch(batch), seq, lastSeq, isLast: piece.last, flight: undefined };
    }
  }

  #ending(answer: Answering, body: Buffer, last: boolean) {
    const nothing = { lines: 0, redactions: 0, truncated: false, fromMs: 0 };
    if (!last) return { ...nothing, sha256: new Uint8Array(0) };
    const { sha256, lines } = answer.with(body);
    const { redactions, truncated } = answer.totals();
    return { sha256, lines, redactions, truncated, fromMs: this.plan.fromMs };
  }

  #send(sent: Sent, now: number, random: number): Uint8Array {
    sent.flight = fly(sent.flight, now, RESEND, random);
    return sent.bytes;
  }
}
