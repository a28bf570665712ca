// Card data in base64, also url-safe and without padding. Nothing is decoded on suspicion: three digits that lie
// on three bytes, and the tags of a chip's card number with their lengths, each have a form of their own in base64, and
// that form also tells where the groups of four begin. So words, paths and hashes cost a look, and the
// alignment of a number inside longer text never has to be guessed.

import { findEmv } from './emv.ts';
import { findInner, placed } from './inner.ts';
import type { Span } from './span.ts';

/** Three ASCII digits, 0011xxxx each. Of a number in groups at least two groups have such a three. */
const DIGITS = '[MNO][DTjz][AEIMQUYcgk][w-z0-5]';
/** 5A 06 to 0A, 57 and 9F6B 0C to 13, then a byte of two digits; the first byte on place 0, 1 or 2 of its group. */
const TAGS: readonly { readonly form: string; readonly place: number }[] = [
  { form: 'Wg[YZcdghklop]|[Va](?:w[wx014589]|x[ABEFIJMN])', place: 0 },
  { form: '(?:[FVl1](?:o[G-K]|c[M-T])|2s[M-T])[I-Za]', place: 1 },
  {
    form: '[BFJNRVZdhlptx159](?:a(?:B[i-myz012]|C[C-GS-Wi-m])|[Xr][DE][C-GS-Wi-myz012])',
    place: 2,
  },
];
const SEED = new RegExp([`(${DIGITS})`, ...TAGS.map(({ form }) => `(${form})`)].join('|'), 'g');
/** The same seeds, each asked for at its rarest character: small letters are in every line. */
const RARE_FIRST: readonly string[] = [
  DIGITS,
  'Wg[YZcdghklop]|[wx](?<=[Va][wx])(?:(?<=w)[wx014589]|(?<=x)[ABEFIJMN])',
  '[G-KM-T](?<=[FVl1](?:o[G-K]|c[M-T])|2s[M-T])[I-Za]',
  '[B-E](?<=[BFJNRVZdhlptx159](?:a[BC]|[Xr][DE]))(?:(?<=aB)[i-myz012]|(?<=aC)[C-GS-Wi-m]|(?<=[Xr][DE])[C-GS-Wi-myz012])',
];
/** A seed is worth a look only in a word that is long enough for a number. */
export const BASE64_TRIGGER = new RegExp(
  `(?:${RARE_FIRST.join('|')})(?:[0-9A-Za-z+/_-]{8}|(?<=[0-9A-Za-z+/_-]{12}))`,
);
/** How many characters of its group of four stand before a seed: of digits, then of the three places. */
const CHARS_BEFORE = [0, 0, 1, 2];

/** Longer than a track, so that none is seen in parts only. */
const AROUND_CHARS_MAX = 160;
const AFTER_CHARS_MAX = 384;
/** Twelve digits in bytes of two. */
const RUN_CHARS_MIN = 11;
const BEFORE = new RegExp(`(?<=([0-9A-Za-z+/_-]{0,${AROUND_CHARS_MAX}}))`, 'y');
const AFTER = new RegExp(`[0-9A-Za-z+/_-]{1,${AFTER_CHARS_MAX}}`, 'y');

/** Places of bytes: byte n of a group lies in its characters n and n + 1. */
function placesOf(first: number, bytes: number): { starts: number[]; ends: number[] } {
  const starts: number[] = [];
  const ends: number[] = [];
  for (let at = 0; at < bytes; at += 1) {
    const start = first + Math.floor(at / 3) * 4 + (at % 3);
    starts.push(start);
    ends.push(start + 2);
  }
  return { starts, ends };
}

/** The bytes as hexadecimal text, each two characters of it where its byte stands. */
function findBinary(bytes: Buffer, first: number): Span[] {
  const { starts, ends } = placesOf(first, bytes.length);
  const twice = (places: readonly number[]): number[] => places.flatMap((place) => [place, place]);
  return placed(findEmv(bytes.toString('hex').toUpperCase()), {
    starts: twice(starts),
    ends: twice(ends),
  });
}

/** The groups of four around a seed, all that are near. */
function wordAround(text: string, seed: number, group: number): { start: number; end: number } {
  BEFORE.lastIndex = group;
  const run = BEFORE.exec(text)?.[1]?.length ?? 0;
  AFTER.lastIndex = seed;
  return { start: group - (run & ~3), end: AFTER.test(text) ? AFTER.lastIndex : seed };
}

export function findBase64(text: string): Span[] {
  const spans: Span[] = [];
  /** How far the text is decoded by now, for each place at which groups of four can begin. */
  const decodedTo = [0, 0, 0, 0];
  SEED.lastIndex = 0;
  for (let match = SEED.exec(text); match !== null; match = SEED.exec(text)) {
    const which = match.slice(1).findIndex((group) => group !== undefined);
    const group = match.index - (CHARS_BEFORE[which] ?? 0);
    // Seeds of different kinds may overlap.
    SEED.lastIndex = match.index + 1;
    if (group < 0 || match.index < (decodedTo[group & 3] ?? 0)) continue;
    const { start, end } = wordAround(text, match.index, group);
    const isCut = end - match.index === AFTER_CHARS_MAX;
    decodedTo[group & 3] = isCut ? end - AROUND_CHARS_MAX : end;
    if (end - start < RUN_CHARS_MIN) continue;
    const bytes = Buffer.from(text.slice(start, end), 'base64');
    const inner = placed(findInner(bytes.toString('latin1')), placesOf(start, bytes.length));
    spans.push(...inner, ...findBinary(bytes, start));
  }
  return spans.sort((a, b) => a.start - b.start);
}
