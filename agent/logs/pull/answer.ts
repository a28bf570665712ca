// The answer to a request as a stream of bytes, made from its plan: records as lines, once more through the redactor, the
// same every time. It is never kept: what was sent and lost is made again. The digest runs along, so whoever begins in
// the middle makes it from the start and leaves out what the broker has. What the redactor finds here was missed when
// the record came into the journal, unless other rules held then.

import { createHash } from 'node:crypto';
import type { Cut } from '../../../protocol/logs.ts';
import {
  addCounts,
  type Counts,
  KINDS,
  NO_COUNTS,
  openRedactStream,
  stamp,
} from '../../../redact/index.ts';
import { type Lines, linesWith } from './lines.ts';
import { type Merge, type Merged, PAUSE } from './merge.ts';
import type { Plan } from './plan.ts';

/** Redacted at a time. */
const BATCH_CHARS = 64 * 1024;
const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);

export type Totals = {
  readonly bytes: number;
  readonly records: number;
  readonly redactions: number;
  readonly missed: number;
  readonly truncated: boolean;
  readonly cutBy: Cut;
  /** By the broker's time. */
  readonly fromMs: number;
  readonly searchedBytes: number;
  readonly searchBytes: number;
};

const sumOf = (counts: Counts): number => KINDS.reduce((sum, kind) => sum + counts[kind], 0);

export type AnswerOptions = {
  readonly plan: Plan;
  readonly merge: Merge;
  readonly bytesMax: number;
  readonly offsetMs: number;
};

export class Answer {
  readonly #o: AnswerOptions;
  readonly #lines: Lines;
  readonly #redact = openRedactStream();
  readonly #hash = createHash('sha256');
  #ready: Buffer[] = [];
  #readyBytes = 0;
  #ended = false;
  #madeBytes = 0;
  #takenBytes = 0;
  #records = 0;
  #skip: number;
  #batch = '';
  #batchStamp = '';
  #missed: Counts = NO_COUNTS;
  #cut: Cut | undefined;

  constructor(options: AnswerOptions) {
    this.#o = options;
    this.#lines = linesWith(options.offsetMs);
    this.#skip = options.plan.skipRecords;
  }

  /** Of the next byte. */
  offset(): number {
    return this.#takenBytes;
  }

  /** Works until so many bytes are ready, its end is, or a block was read. @throws what reading the journal throws. */
  work(bytesMin: number): 'ready' | 'paused' {
    while (this.#readyBytes < bytesMin && !this.#ended) {
      const one = this.#o.merge.next();
      if (one === PAUSE) return 'paused';
      if (one === undefined) this.#finish();
      else this.#add(one);
    }
    return 'ready';
  }

  /** At most so many bytes, whole lines where there are several; not taken. */
  peek(bytesMax: number): Buffer {
    if (this.#ready.length > 1) this.#ready = [Buffer.concat(this.#ready)];
    const [held = NOTHING] = this.#ready;
    if (held.length <= bytesMax) return held;
    const line = held.lastIndexOf(NEWLINE, bytesMax - 1) + 1;
    return held.subarray(0, line === 0 ? bytesMax : line);
  }

  /** What was peeked at last. */
  take(body: Buffer): void {
    const [held = NOTHING] = this.#ready;
    this.#ready = held.length === body.length ? [] : [held.subarray(body.length)];
    this.#readyBytes -= body.length;
    this.#takenBytes += body.length;
    this.#hash.update(body);
  }

  /** Whether nothing comes behind it. */
  isLast(body: Buffer): boolean {
    return this.#ended && this.#readyBytes === body.length;
  }

  /** Nothing more is made. */
  cancel(): void {
    if (!this.#ended) this.#cut = 'cancelled';
    this.#ended = true;
    this.#batch = '';
    this.#ready = [];
    this.#readyBytes = 0;
  }

  /** Of everything taken, and of `body`. */
  digestWith(body: Buffer): Buffer {
    return this.#hash.copy().update(body).digest();
  }

  redactions(): Counts {
    return this.#redact.counts();
  }

  missed(): Counts {
    return this.#missed;
  }

  totals(): Totals {
    const { plan, offsetMs } = this.#o;
    const { truncated, cutBy, fromMs, searchedBytes, searchBytes } = plan;
    return {
      ...{ bytes: this.#takenBytes, records: this.#records },
      ...{ redactions: sumOf(this.#redact.counts()), missed: sumOf(this.#missed) },
      ...{ truncated: truncated || this.#cut !== undefined, cutBy: this.#cut ?? cutBy },
      ...{ fromMs: Math.max(0, Math.round(fromMs + offsetMs)), searchedBytes, searchBytes },
    };
  }

  #add({ component, record, redactor }: Merged): void {
    if (this.#skip > 0) {
      this.#skip -= 1;
      return;
    }
    if (redactor !== this.#batchStamp) {
      this.#flush();
      this.#batchStamp = redactor;
    }
    this.#batch += this.#lines(component, record);
    this.#records += 1;
    if (this.#batch.length >= BATCH_CHARS) this.#flush();
  }

  /** Whole records only: nothing is carried over, so it is known whose stamp a hit belongs to. */
  #flush(): void {
    if (this.#batch === '') return;
    const before = this.#redact.counts();
    const clean = this.#redact.push(Buffer.from(this.#batch));
    const after = this.#redact.counts();
    this.#batch = '';
    if (after !== before && this.#batchStamp === stamp()) {
      const more = KINDS.map((kind) => [kind, after[kind] - before[kind]]);
      this.#missed = addCounts(this.#missed, Object.fromEntries(more) as Counts);
    }
    this.#keep(clean);
  }

  /** Marks can be longer than what they stand for: what was asked for is never exceeded. */
  #keep(clean: Buffer): void {
    const room = this.#o.bytesMax - this.#madeBytes;
    const isTooMuch = clean.length > room;
    const end = isTooMuch ? clean.lastIndexOf(NEWLINE, room - 1) + 1 : clean.length;
    if (end > 0) this.#ready.push(clean.subarray(0, end));
    this.#readyBytes += end;
    this.#madeBytes += end;
    if (!isTooMuch) return;
    this.#cut = 'bytes';
    this.#ended = true;
    this.#batch = '';
  }

  #finish(): void {
    this.#flush();
    const rest = this.#redact.end();
    if (!this.#ended && rest.length > 0) this.#keep(rest);
    this.#ended = true;
  }
}
