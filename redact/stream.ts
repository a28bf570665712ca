// Redacts a stream of bytes that comes in chunks of any size: what a chunk leaves unfinished is carried over
// to the next, so that a card number cut in two is found, and the output does not depend on where the cuts
// were. It works on whole lines; a line that is too long to wait for is cut at a place where nothing that
// must go is torn. Bytes are read as Latin-1, one character each: digits are the same in every
// encoding that tills use, and all other bytes come out unchanged.

import { type Counts, KINDS, LINE_CHARS_MAX, NO_COUNTS } from './span.ts';
import { applySpans, findSpans, redactText } from './text.ts';

/** Travels with everything exported; what carries no mark is not let out (R1). Changes with the rules. */
export const REDACTOR = 'tillwatch-redact/1';

/** Longer than anything a finder takes out, and kept on both sides of a cut. */
export const CARRY_CHARS = 512;

export const addCounts = (a: Counts, b: Counts): Counts =>
  Object.fromEntries(KINDS.map((kind) => [kind, a[kind] + b[kind]])) as Counts;

export type RedactStream = {
  readonly redactor: typeof REDACTOR;
  /** @returns what is certain by now; the rest comes with a later call. */
  readonly push: (bytes: Uint8Array) => Buffer;
  readonly end: () => Buffer;
  readonly counts: () => Counts;
};

class Lines implements RedactStream {
  readonly redactor = REDACTOR;
  #counts: Counts = NO_COUNTS;
  /** Of the line under way: what went out already, as far back as a finder looks. */
  #context = '';
  #pending = '';

  push(bytes: Uint8Array): Buffer {
    this.#pending += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
      'latin1',
    );
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
        out += this.#take(whole, '');
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
      const end = this.#pending.indexOf('\n', length);
      if (end < 0 || end - length > LINE_CHARS_MAX) return length;
      length = end + 1;
    }
  }

  /** The rest of a line, with its end if it has come. */
  #finish(line: number): string {
    const text = this.#context + this.#pending.slice(0, line + 1);
    return this.#emit(text, text.length, '');
  }

  #take(length: number, context: string): string {
    const { text, counts } = redactText(this.#pending.slice(0, length));
    this.#counts = addCounts(this.#counts, counts);
    this.#pending = this.#pending.slice(length);
    this.#context = context;
    return text;
  }

  /** A piece of a long line, up to `cut` or to where something begins that reaches over it. */
  #cut(cut: number, line: number): string {
    const reach = Math.min(line, cut + CARRY_CHARS);
    const text = this.#context + this.#pending.slice(0, reach);
    const at = this.#context.length + cut;
    const torn = findSpans(text).find(({ start, end }) => start < at && at < end);
    const to = torn === undefined || torn.start <= this.#context.length ? at : torn.start;
    return this.#emit(text, to, text.slice(Math.max(0, to - CARRY_CHARS), to));
  }

  #emit(text: string, to: number, context: string): string {
    const from = this.#context.length;
    const { text: out, counts } = applySpans(text, findSpans(text), from, to);
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
