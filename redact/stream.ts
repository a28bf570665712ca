// Redacts a stream of bytes that comes in chunks of any size: what a chunk leaves unfinished is carried over
// to the next, so that a card number cut in two is found, and the output does not depend on where the cuts
// were. It works on whole lines; a line that is too long to wait for is cut at a place where nothing that
// must go is torn. Bytes are read as Latin-1, one character each: digits are the same in every
// encoding that tills use, and all other bytes come out unchanged.

import { stamp } from './active.ts';
import { addCounts, type Counts, LINE_CHARS_MAX, NO_COUNTS, type Span } from './span.ts';
import { applySpans, findSpans, redactText } from './text.ts';

/** Longer than anything a finder takes out, and kept on both sides of a cut. */
export const CARRY_CHARS = 512;
const LINE_END = 0x0a;

export type RedactStream = {
  /** The stamp of what comes out. */
  readonly redactor: string;
  /** @returns what is certain by now; the rest comes with a later call. */
  readonly push: (bytes: Uint8Array) => Buffer;
  readonly end: () => Buffer;
  readonly counts: () => Counts;
};

class Lines implements RedactStream {
  readonly redactor = stamp();
  #counts: Counts = NO_COUNTS;
  /** Of the line under way: what went out already, as far back as a finder looks. */
  #context = '';
  #pending = '';

  push(bytes: Uint8Array): Buffer {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#pending += chunk.toString('latin1');
    // Nothing can be done yet; joining what is pending for every few bytes would cost its square.
    const isWaiting = this.#context.length + this.#pending.length < LINE_CHARS_MAX;
    if (isWaiting && !chunk.includes(LINE_END)) return Buffer.alloc(0);
    return this.#drain(false);
  }

  end(): Buffer {
    return this.#drain(true);
  }

  counts(): Counts {
    return this.#counts;
  }

  #drain(isEnd: boolean): Buffer {
    let out = '';
    for (;;) {
      const whole = this.#wholeLines();
      if (whole > 0) {
        out += this.#take(whole);
        continue;
      }
      const line = this.#lineLength();
      const isLong = this.#context.length + line > LINE_CHARS_MAX;
      const isDone = line < this.#pending.length || isEnd;
      if (isLong && (line >= LINE_CHARS_MAX + CARRY_CHARS || isDone)) {
        const cut = Math.min(line, LINE_CHARS_MAX);
        out += cut < line ? this.#cut(cut, line) : this.#finish(line);
      } else if (isDone && this.#pending !== '') out += this.#finish(line);
      else return Buffer.from(out, 'latin1');
    }
  }

  /** Length of the line that begins what is pending, without its end. */
  #lineLength(): number {
    const end = this.#pending.indexOf('\n');
    return end < 0 ? this.#pending.length : end;
  }

  /** How much of what is pending is whole lines of ordinary length, taken together for speed. */
  #wholeLines(): number {
    if (this.#context !== '') return 0;
    let length = 0;
    for (;;) {
      // The last line end within reach: every line before it is short enough.
      const end = this.#pending.lastIndexOf('\n', length + LINE_CHARS_MAX);
      if (end < length) return length;
      length = end + 1;
    }
  }

  /** The rest of a line, with its end if it has come. */
  #finish(line: number): string {
    const text = this.#context + this.#pending.slice(0, line);
    const out = this.#emit(text, text.length, findSpans(text), '');
    if (this.#pending === '') return out;
    this.#pending = this.#pending.slice(1);
    return `${out}\n`;
  }

  #take(length: number): string {
    const { text, counts } = redactText(this.#pending.slice(0, length));
    this.#counts = addCounts(this.#counts, counts);
    this.#pending = this.#pending.slice(length);
    return text;
  }

  /** A piece of a long line, up to `cut` or to where something begins that reaches over it. */
  #cut(cut: number, line: number): string {
    const reach = Math.min(line, cut + CARRY_CHARS);
    const text = this.#context + this.#pending.slice(0, reach);
    const at = this.#context.length + cut;
    const spans = findSpans(text);
    const torn = spans.find(({ start, end }) => start < at && at < end);
    const to = torn === undefined || torn.start <= this.#context.length ? at : torn.start;
    return this.#emit(text, to, spans, text.slice(Math.max(0, to - CARRY_CHARS), to));
  }

  /** @param spans of the whole text; those of what is not sent yet are found again. */
  #emit(text: string, to: number, spans: readonly Span[], context: string): string {
    const from = this.#context.length;
    const counts = { ...NO_COUNTS };
    const out = applySpans(text, spans, from, to, counts);
    this.#counts = addCounts(this.#counts, counts);
    this.#pending = this.#pending.slice(to - from);
    this.#context = context;
    return out;
  }
}

export const openRedactStream = (): RedactStream => {
  const lines = new Lines();
  return {
    redactor: lines.redactor,
    push: (bytes) => lines.push(bytes),
    end: () => lines.end(),
    counts: () => lines.counts(),
  };
};
