// Cuts the bytes of one file into lines as they come, in pieces of any size, each line with the place behind it, so
// that whoever is killed goes on exactly there. Memory is one line of bounded length however long the line is: what is
// too much of it is counted and left out, and so are long runs of nulls, which are places that were freed and not
// noted. A cut never falls into digits, nor into a word where a blank is near (a card may stand in it in base64 or hex),
// because half a card number would pass the redactor. Pure.

import { sizeText } from '../holes.ts';

/**
 * What stands at a place: the begin of a line; the rest of one whose begin went out already; or the rest of one that
 * is too long, of which nothing is kept.
 */
export type Standing = 'start' | 'half' | 'skip';

export type TakenLine = {
  readonly text: string;
  /** Where it begins in the file, and how it stood there. */
  readonly from: number;
  readonly before: Standing;
  /** Behind it, and what stands there. */
  readonly to: number;
  readonly standing: Standing;
  /** It is about output, and none itself. */
  readonly isOurs?: boolean;
};

export type Decode = (bytes: Uint8Array) => string;

/** What is kept of a line. */
const LINE_BYTES_MAX = 16 * 1024;
/** A row of digits that is longer is no card. */
const DIGITS_BACK_MAX = 64;
/** A word that is longer is cut: a whole file, in base64. */
const WORD_BACK_MAX = 512;
/** Twice what is kept: the cut is sought backwards from there. */
const HELD_BYTES_MAX = 2 * LINE_BYTES_MAX;
const NEWLINE = 10;
/** Nothing prints so many of them. */
const NULLS = Buffer.alloc(4_096);
/** As the redactor has them between two digits (redact/runs.ts), without escapes. */
const BETWEEN = '[ .+_\\t\\u00a0\\u2000-\\u2015\\u202f\\u2212-]{0,3}';
/**
 * The end of what is not finished can be half a number, and so can the begin of what went on: also where it was broken
 * off at a blank, and again behind each group.
 */
const HALF_NUMBER = new RegExp(`\\d(?:${BETWEEN}\\d){0,63}${BETWEEN}$`);
const OTHER_HALF = new RegExp(`^(?!\\d{4}-\\d\\d-\\d\\d)${BETWEEN}\\d(?:${BETWEEN}\\d){0,63}`);

const isEdge = (char = ''): boolean => /[\s"'`]/.test(char);

/** Behind the blank or quote before it, where there is one. */
function wordCut(text: string, most: number): number {
  if (isEdge(text[most])) return most;
  let cut = most;
  while (cut > most - WORD_BACK_MAX && cut > 0 && !isEdge(text[cut - 1])) cut -= 1;
  return cut > most - WORD_BACK_MAX ? cut : most;
}

/** Not within digits and what may stand between. */
function digitsCut(text: string, most: number): number {
  let cut = most;
  while (cut > most - DIGITS_BACK_MAX && /[\d .+%-]/.test(text[cut - 1] ?? '')) cut -= 1;
  return cut > most - DIGITS_BACK_MAX ? cut : most;
}

/** Where a text of more than `most` characters can be cut. */
function safeCut(text: string, most: number): number {
  if (text.length <= most) return text.length;
  const cut = digitsCut(text, wordCut(text, most));
  // Digits that end a word.
  return digitsCut(text, wordCut(text, cut));
}

export class LineCutter {
  readonly #decode: Decode;
  #parts: Buffer[] = [];
  #bytes = 0;
  #skipped = 0;
  /** Of the line that is held. */
  #from = 0;
  standing: Standing;
  /** In the file, behind everything that was pushed. */
  at: number;

  constructor(decode: Decode, at: number, standing: Standing = 'start') {
    this.#decode = decode;
    this.at = at;
    this.#from = at;
    this.standing = standing;
  }

  /** Where that line begins. */
  get heldFrom(): number {
    return this.#from;
  }

  /** Bytes of a line that has not ended. */
  get heldBytes(): number {
    return this.#bytes;
  }

  *push(chunk: Buffer): Generator<TakenLine, void, undefined> {
    const base = this.at;
    let from = 0;
    let hole = chunk.indexOf(NULLS);
    while (from < chunk.length) {
      if (hole >= 0 && hole < from) hole = chunk.indexOf(NULLS, from);
      if (hole === from) {
        from += runOfNulls(chunk, from);
        this.at = base + from;
        continue;
      }
      if (this.#bytes === 0) this.#from = base + from;
      const end = chunk.indexOf(NEWLINE, from);
      const stop = end < 0 || (hole >= 0 && hole < end) ? hole : end;
      const to = stop < 0 ? chunk.length : stop;
      // Of a line that ends here nothing needs to be copied.
      this.#hold(chunk.subarray(from, to));
      from = stop >= 0 && stop === end ? to + 1 : to;
      this.at = base + from;
      if (stop >= 0 && stop === end) yield* this.#end();
      else if (this.#bytes >= HELD_BYTES_MAX) yield* this.#tooLong();
    }
    this.#keep();
  }

  /** What is held goes out though it has not ended: nothing came for long, its life is over, or a hole follows. */
  *breakOff(isOver: boolean): Generator<TakenLine, void, undefined> {
    if (this.standing === 'skip') {
      if (isOver) yield* this.#end();
      return;
    }
    if (this.#bytes > 0) {
      const text = this.#text().replace(/\0+$/, '').replace(HALF_NUMBER, '[cut]');
      yield this.#made(text, isOver ? 'start' : 'half');
    }
    if (isOver) this.standing = 'start';
  }

  /** Another place of the file, behind a hole: whatever begins there may be the rest of something. */
  jump(at: number, isLineStart: boolean): void {
    this.#forget();
    this.at = at;
    this.standing = isLineStart ? 'start' : 'half';
  }

  #hold(piece: Buffer): void {
    if (this.standing === 'skip') {
      this.#skipped += piece.length;
      return;
    }
    if (piece.length === 0) return;
    this.#parts.push(piece);
    this.#bytes += piece.length;
  }

  /** The chunk is used again by whoever reads. */
  #keep(): void {
    if (this.#parts.length > 0) this.#parts = [Buffer.concat(this.#parts)];
  }

  #forget(): void {
    this.#parts = [];
    this.#bytes = 0;
    this.#skipped = 0;
  }

  #text(): string {
    const [only = Buffer.alloc(0)] = this.#parts;
    const text = this.#decode(this.#parts.length > 1 ? Buffer.concat(this.#parts) : only);
    return this.standing === 'half' ? text.replace(OTHER_HALF, '[cut]') : text;
  }

  *#end(): Generator<TakenLine, void, undefined> {
    if (this.standing === 'skip') {
      const text = `[tillwatch: ${sizeText(this.#skipped)} of that line not kept here]`;
      yield { ...this.#made(text, 'start'), isOurs: true };
      return;
    }
    const whole = this.#text().replace(/\r$/, '');
    const cut = safeCut(whole, LINE_BYTES_MAX);
    const missing = whole.length - cut;
    const text = missing === 0 ? whole : `${whole.slice(0, cut)} [${missing} bytes cut]`;
    yield this.#made(text, 'start');
  }

  *#tooLong(): Generator<TakenLine, void, undefined> {
    const whole = this.#text();
    const cut = safeCut(whole, LINE_BYTES_MAX);
    const text = `${whole.slice(0, cut)} [cut]`;
    const skipped = this.#bytes - cut;
    const made = this.#made(text, 'skip');
    this.#skipped = Math.max(0, skipped);
    yield made;
  }

  /** Of what is held, which is over with it. */
  #made(text: string, standing: Standing): TakenLine {
    const line = { text, from: this.#from, before: this.standing, to: this.at, standing };
    this.#forget();
    this.#from = this.at;
    this.standing = standing;
    return line;
  }
}

function runOfNulls(chunk: Buffer, from: number): number {
  let at = from;
  while (at < chunk.length && chunk[at] === 0) at += 1;
  return at - from;
}
