// One live tail: hears what components print as it is read, keeps what fits, and cuts it into chunks as soon as the line
// takes one. Text goes through the redactor once more when its chunk is made, so what is dropped costs nothing. Its
// lease runs on the monotonic clock and is not stretched by anything: a broker that is away for a while misses
// what the ring does not hold, and a lease that nobody ends is over by itself.

import { createHash } from 'node:crypto';
import type { LogLevel } from '../../../protocol/catalogue.ts';
import { LOG_CHUNK_BYTES_MAX } from '../../../protocol/limits.ts';
import { isAtLeast } from '../../../protocol/log-lines.ts';
import { type Cut, epochOfRequest, type TailRequest } from '../../../protocol/logs.ts';
import {
  addCounts,
  type Counts,
  KINDS,
  NO_COUNTS,
  redactString,
  stamp,
} from '../../../redact/index.ts';
import type { JournalRecord } from '../journal/types.ts';
import type { Supply } from '../pull/delivery.ts';
import { linesWith } from '../pull/lines.ts';
import { type PackedChunk, packChunk, QUICK } from '../pull/pack.ts';
import type { Ended } from '../pull/pull.ts';
import { leftOutText, Ring } from './ring.ts';

export const FLUSH_MS = 250;
const FLUSH_BYTES = 16 * 1024;
/** Whatever does not pack still fits into a chunk. */
const CHUNK_BYTES_MAX = LOG_CHUNK_BYTES_MAX - 2 * 1024;
/** After its lease: for the last chunk to be acknowledged. */
const LEAVE_MS_MAX = 10 * 60_000;
const NOTHING = Buffer.alloc(0);

export type TailOptions = {
  readonly asked: TailRequest;
  readonly command: string;
  readonly nowMs: () => number;
  readonly offsetMs: () => number;
  readonly monotonicMs: () => number;
  readonly missed: (request: string, counts: Counts) => void;
  readonly dropped: (count: number) => void;
  /** There may be something to send, or it has ended. */
  readonly changed: () => void;
};

const sumOf = (counts: Counts): number => KINDS.reduce((sum, kind) => sum + counts[kind], 0);

export class Tail implements Supply {
  readonly request: string;
  readonly command: string;
  readonly #o: TailOptions;
  readonly #text: string | undefined;
  readonly #level: LogLevel | undefined;
  readonly #component: string;
  readonly #ring = new Ring();
  readonly #hash = createHash('sha256');
  readonly #begunMs: number;
  readonly #fromMs: number;
  #flushedMs: number;
  #bytes = 0;
  #records = 0;
  #counts: Counts = NO_COUNTS;
  #toldDropped = 0;
  /** Nothing more is heard: why, and since when. */
  #closed: { readonly cut: Cut; readonly atMs: number } | undefined;
  #isAllSent = false;
  #ended: Ended | undefined;

  constructor(options: TailOptions) {
    const { request, text, level, components } = options.asked;
    this.request = request;
    this.command = options.command;
    this.#o = options;
    this.#text = text?.toLowerCase();
    this.#level = level;
    this.#component = components.length === 1 ? (components[0] ?? '') : '';
    this.#begunMs = options.monotonicMs();
    this.#flushedMs = this.#begunMs;
    this.#fromMs = options.nowMs();
  }

  ended(): Ended | undefined {
    return this.#ended;
  }

  /** Whether it still listens. */
  isOpen(): boolean {
    return this.#closed === undefined && this.#ended === undefined;
  }

  hear(component: string, record: JournalRecord): void {
    if (!this.isOpen()) return;
    if (this.#level !== undefined && !isAtLeast(record.level, this.#level)) return;
    if (this.#text !== undefined && !record.text.toLowerCase().includes(this.#text)) return;
    const line = linesWith(this.#o.offsetMs())(component, record);
    this.#ring.push({ component, timeMs: record.timeMs, line });
    const more = this.#ring.dropped - this.#toldDropped;
    if (more > 0) this.#o.dropped(more);
    this.#toldDropped = this.#ring.dropped;
    if (this.#ring.bytes >= FLUSH_BYTES) this.#o.changed();
  }

  /** Four times a second. */
  look(): void {
    const { asked, monotonicMs, changed } = this.#o;
    const now = monotonicMs();
    if (this.#closed === undefined && now - this.#begunMs >= asked.forMs) this.close('');
    if (this.#closed !== undefined && now - this.#closed.atMs > LEAVE_MS_MAX) {
      this.fail('the broker did not take its end');
    }
    if (!this.#ring.isEmpty) changed();
  }

  /** Hears no more; what waits still goes. */
  close(cut: Cut): void {
    this.#closed ??= { cut, atMs: this.#o.monotonicMs() };
    this.#o.changed();
  }

  cancel(): void {
    this.close('cancelled');
  }

  fail(reason: string): void {
    this.#ended ??= { ok: false, reason };
    this.#o.changed();
  }

  next(): PackedChunk | undefined {
    if (this.#isAllSent || this.#ended !== undefined) return undefined;
    const now = this.#o.monotonicMs();
    const isDue = now - this.#flushedMs >= FLUSH_MS || this.#ring.bytes >= FLUSH_BYTES;
    if (this.#closed === undefined && (this.#ring.isEmpty || !isDue)) return undefined;
    this.#flushedMs = now;
    return this.#make(this.#body());
  }

  word(): undefined {
    return undefined;
  }

  reached(): void {
    // What it has said is not said again but by the delivery.
  }

  delivered(): void {
    const { cut = '' } = this.#closed ?? {};
    const detail = {
      ...{ bytes: this.#bytes, records: this.#records, lines: this.#records, cutBy: cut },
      ...{ dropped: this.#ring.dropped, missed: sumOf(this.#counts) },
      ...{ redactions: sumOf(this.#counts), sha256: this.#hash.copy().digest('hex') },
    };
    this.#ended ??= { ok: true, detail };
    this.#o.changed();
  }

  refused(reason: string): void {
    this.fail(`the broker refused it: ${reason}`);
  }

  /** Whole records, as many as a chunk takes and as somebody wants to see. */
  #body(): Buffer {
    const { bytesMax } = this.#o.asked;
    let text = '';
    let bytes = 0;
    for (;;) {
      const one = this.#line();
      if (one === undefined) break;
      const clean = this.#clean(one);
      const length = Buffer.byteLength(clean);
      if (this.#bytes + bytes + length > bytesMax) {
        this.close('bytes');
        while (this.#ring.shift() !== undefined);
        this.#ring.takeLeft();
        break;
      }
      text += clean;
      bytes += length;
      this.#records += 1;
      const next = this.#ring.peek();
      // Lines are as long in bytes as in characters, or up to three times.
      if (next !== undefined && bytes + next.line.length * 3 > CHUNK_BYTES_MAX) break;
    }
    return Buffer.from(text);
  }

  #line(): string | undefined {
    const left = this.#ring.takeLeft();
    if (left !== undefined) {
      const { component, timeMs, count } = left;
      const text = leftOutText(count);
      const record = { timeMs, guessed: false, level: 'warn', text, version: '' } as const;
      return linesWith(this.#o.offsetMs())(component, record);
    }
    return this.#ring.shift()?.line;
  }

  #clean(line: string): string {
    const { value, counts } = redactString(line);
    if (sumOf(counts) > 0) {
      this.#counts = addCounts(this.#counts, counts);
      this.#o.missed(this.request, counts);
    }
    return value;
  }

  #make(body: Buffer): PackedChunk | undefined {
    const last = this.#closed !== undefined && this.#ring.isEmpty;
    const offset = this.#bytes;
    this.#hash.update(body);
    this.#bytes += body.length;
    this.#isAllSent = last;
    const { dropped } = this.#ring;
    const { cut = '' } = this.#closed ?? {};
    const found = sumOf(this.#counts);
    const sha256 = last ? this.#hash.copy().digest() : NOTHING;
    const ending = last
      ? { lines: this.#records, redactions: found, truncated: cut !== '', cutBy: cut }
      : { lines: 0, redactions: 0, truncated: false };
    const chunk = packChunk(
      {
        ...{ request: this.request, component: this.#component, offset, body, last, sha256 },
        ...{ redactor: stamp(), ...ending, fromMs: last ? this.#fromMs : 0 },
        ...{ missed: found, dropped },
      },
      epochOfRequest(this.request),
      { createdMs: this.#o.nowMs(), clockOffsetMs: this.#o.offsetMs() },
      QUICK,
    );
    if (chunk === undefined) this.fail('a record is too long to be sent');
    return chunk;
  }
}
