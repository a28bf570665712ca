// Reads a stretch of a file line by line, in blocks, as one character per byte. Memory is one block and one
// line however large the file is; a line that is longer than anybody reads is cut, and says how much of it
// is missing. The cut never falls into digits: half a card number would pass the redactor. Bytes that are not
// there any more (holes.ts) are not read: they come out as one line of their own.

import { readSync } from 'node:fs';
import { holeAt, nextHole, type Range } from './holes.ts';
import { timeOfLine } from './times.ts';

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
  /** It stands for bytes that are not there. */
  readonly hole?: Range;
};

/** The end of a line that is not finished, or was not when the window was cut, can be half a number. */
const HALF_NUMBER = /\d(?:[ .+-]?\d){6,63}$/;
/** And so can the beginning of one of which the front was freed. */
const OTHER_HALF = /^\d(?:[ .+-]?\d){6,63}/;
/** A freed place that nobody noted. Nothing prints so many of them. */
const ZEROS = Buffer.alloc(4096);

/** Where a text of more than `most` characters can be cut: not within digits and what may stand between. */
export function safeCut(text: string, most: number): number {
  if (text.length <= most) return text.length;
  let cut = most;
  while (cut > most - DIGITS_BACK_MAX && /[\d .+%-]/.test(text[cut - 1] ?? '')) cut -= 1;
  return cut > most - DIGITS_BACK_MAX ? cut : most;
}

const hideOtherHalf = (text: string): string =>
  timeOfLine(text) === undefined ? text.replace(OTHER_HALF, '[cut]') : text;

export class LineReader {
  readonly #file: number;
  readonly #to: number;
  readonly #holes: readonly Range[];
  readonly #block = Buffer.allocUnsafe(BLOCK_BYTES);
  /** What was read and not handed out; `#at` is the place in the file of its first byte. */
  #held = '';
  #at: number;
  #readTo: number;
  /** Of zeros that nobody noted, found behind what is held. */
  #zerosTo = 0;
  #isBehindHole = false;

  /** @param from the start of a line; a last line without an end within `to` is handed out, too. */
  constructor(file: number, from: number, to: number, holes: readonly Range[] = []) {
    this.#file = file;
    this.#at = from;
    this.#readTo = from;
    this.#to = to;
    this.#holes = holes;
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
    if (this.#held === '' && !this.#fill() && this.#at < this.#to) return this.#skip();
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
    const front = this.#isBehindHole ? hideOtherHalf(kept) : kept;
    this.#isBehindHole = false;
    const whole = isFinished ? front : front.replace(/\0+$/, '').replace(HALF_NUMBER, '[cut]');
    const text = whole.endsWith('\r') ? whole.slice(0, -1) : whole;
    const cut = safeCut(text, LINE_BYTES_MAX);
    const missing = text.length - cut + dropped;
    const told = missing === 0 ? text : `${text.slice(0, cut)} [${missing} bytes cut]`;
    return { text: told, start, next: this.#at };
  }

  /** The hole that begins here; nothing where the file ends early. */
  #skip(): Line | undefined {
    const start = this.#at;
    const known = holeAt(this.#holes, start)?.to ?? this.#zerosTo;
    const next = Math.min(known, this.#to);
    if (next <= start) return undefined;
    this.#at = next;
    this.#readTo = next;
    this.#isBehindHole = true;
    return { text: '', start, next, hole: { from: start, to: next } };
  }

  #fill(): boolean {
    if (holeAt(this.#holes, this.#readTo) !== undefined) return false;
    const limit = nextHole(this.#holes, this.#readTo, this.#to);
    const length = Math.min(BLOCK_BYTES, limit - this.#readTo);
    if (length <= 0) return false;
    const count = readSync(this.#file, this.#block, 0, length, this.#readTo);
    const zeros = this.#block.subarray(0, count).includes(0)
      ? this.#block.subarray(0, count).indexOf(ZEROS)
      : -1;
    if (zeros >= 0) this.#zerosTo = this.#endOfZeros(this.#readTo + zeros, limit);
    const read = zeros >= 0 ? zeros : count;
    this.#held = this.#block.toString('latin1', 0, read);
    this.#readTo += read;
    return read > 0;
  }

  #endOfZeros(from: number, limit: number): number {
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    for (let at = from; at < limit; at += BLOCK_BYTES) {
      const count = readSync(this.#file, block, 0, Math.min(BLOCK_BYTES, limit - at), at);
      const end = block.subarray(0, count).findIndex((byte) => byte !== 0);
      if (end >= 0) return at + end;
      if (count === 0) return at;
    }
    return limit;
  }
}
