// Reads a stretch of a file line by line, in blocks, as one character per byte. Memory is one block and one
// line however large the file is; a line that is longer than anybody reads is cut, and says how much of it
// is missing. The cut never falls into digits: half a card number would pass the redactor.

import { readSync } from 'node:fs';

export const BLOCK_BYTES = 64 * 1024;
export const LINE_BYTES_MAX = 16 * 1024;
/** A row of digits that is longer is no card. */
const DIGITS_BACK_MAX = 64;

export type Line = {
  readonly text: string;
  /** Of its first byte in the file. */
  readonly start: number;
  /** Of the first byte behind its line end. */
  readonly next: number;
};

/** The end of a line that is not finished, or was not when the window was cut, can be half a number. */
const HALF_NUMBER = /\d(?:[ .+-]?\d){6,63}$/;

/** Where a text of more than `most` characters can be cut: not within digits and what may stand between. */
export function safeCut(text: string, most: number): number {
  if (text.length <= most) return text.length;
  let cut = most;
  while (cut > most - DIGITS_BACK_MAX && /[\d .+%-]/.test(text[cut - 1] ?? '')) cut -= 1;
  return cut > most - DIGITS_BACK_MAX ? cut : most;
}

export class LineReader {
  readonly #file: number;
  readonly #to: number;
  readonly #block = Buffer.allocUnsafe(BLOCK_BYTES);
  /** What was read and not handed out; `#at` is the place in the file of its first byte. */
  #held = '';
  #at: number;
  #readTo: number;

  /** @param from the start of a line; a last line without an end within `to` is handed out, too. */
  constructor(file: number, from: number, to: number) {
    this.#file = file;
    this.#at = from;
    this.#readTo = from;
    this.#to = to;
  }

  /** The first byte that was not handed out. */
  position(): number {
    return this.#at;
  }

  next(): Line | undefined {
    let dropped = 0;
    let isFinished = false;
    let kept = '';
    const start = this.#at;
    for (;;) {
      const end = this.#held.indexOf('\n');
      const piece = end < 0 ? this.#held : this.#held.slice(0, end);
      const room = 2 * LINE_BYTES_MAX - kept.length;
      kept += piece.slice(0, Math.max(0, room));
      dropped += Math.max(0, piece.length - Math.max(0, room));
      this.#at += piece.length + (end < 0 ? 0 : 1);
      this.#held = end < 0 ? '' : this.#held.slice(end + 1);
      isFinished = end >= 0;
      if (isFinished || !this.#fill()) break;
    }
    if (this.#at === start) return undefined;
    const whole = isFinished ? kept : kept.replace(HALF_NUMBER, '[cut]');
    const text = whole.endsWith('\r') ? whole.slice(0, -1) : whole;
    const cut = safeCut(text, LINE_BYTES_MAX);
    const missing = text.length - cut + dropped;
    const told = missing === 0 ? text : `${text.slice(0, cut)} [${missing} bytes cut]`;
    return { text: told, start, next: this.#at };
  }

  #fill(): boolean {
    const length = Math.min(BLOCK_BYTES, this.#to - this.#readTo);
    if (length <= 0) return false;
    const count = readSync(this.#file, this.#block, 0, length, this.#readTo);
    this.#readTo += count;
    this.#held = this.#block.toString('latin1', 0, count);
    return count > 0;
  }
}
