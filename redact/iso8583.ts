// Messages of ISO 8583 between a till and its host, written as one row of characters: kind of message, bitmap,
// fields without names. The bitmap says whether there is a card number (field 2) or a track (35, 36, 45) in it, and
// where field 2 is; from the first of them on the whole row goes, because nothing in it has a name by which less
// could be taken out. Named fields ("DE35=") are keys, and keyed.ts has them.

import { CARD_DIGITS_MAX, CARD_DIGITS_MIN, issuerOf, passesLuhn } from './issuers.ts';
import type { Span } from './span.ts';

/** Version, class, function and origin [ISO 8583 6.1], then a bitmap. */
const MESSAGE_SOURCE = '(?<![0-9A-Za-z])[0-2][1-8][0-9][0-5] ?[0-9A-Fa-f]{16}';
export const ISO_TRIGGER = new RegExp(MESSAGE_SOURCE);
const MESSAGE = new RegExp(MESSAGE_SOURCE, 'g');
const ROW = /[0-9A-Za-z=^ ;?%/*._-]{1,480}/y;
const BITMAP_CHARS = 16;

const hasField = (bitmap: string, field: number): boolean => {
  const digit = Number.parseInt(bitmap[(field - 1) >> 2] ?? '0', 16);
  return (digit & (8 >> ((field - 1) & 3))) !== 0;
};

const isCard = (digits: string): boolean =>
  /^\d+$/.test(digits) && issuerOf(digits) !== undefined && passesLuhn(digits);

/** Field 2: two digits of length and the number, an odd one of binary coded digits filled up. */
function cardIn(row: string): boolean {
  const length = Number(row.slice(0, 2));
  if (!(length >= CARD_DIGITS_MIN && length <= CARD_DIGITS_MAX)) return false;
  return isCard(row.slice(2, 2 + length)) || isCard(row.slice(3, 3 + length));
}

/** A card number with something of a track behind it, anywhere in the row. */
function trackIn(row: string): number | undefined {
  for (const { index } of row.matchAll(/(?<=\d{12})[=D^]/gi)) {
    for (
      let from = Math.max(0, index - CARD_DIGITS_MAX);
      from <= index - CARD_DIGITS_MIN;
      from += 1
    ) {
      if (isCard(row.slice(from, index))) return from;
    }
  }
  return undefined;
}

export function findMessages(text: string): Span[] {
  const spans: Span[] = [];
  for (const { 0: head, index } of text.matchAll(MESSAGE)) {
    const bitmap = head.slice(-BITMAP_CHARS);
    let at = index + head.length;
    if (hasField(bitmap, 1)) at += BITMAP_CHARS;
    ROW.lastIndex = at;
    const row = ROW.exec(text)?.[0] ?? '';
    const end = at + row.trimEnd().length;
    if (at < (spans.at(-1)?.end ?? 0)) continue;
    const lead = row.length - row.trimStart().length;
    const from = hasField(bitmap, 2) && cardIn(row.trimStart()) ? lead : trackIn(row);
    if (from !== undefined) spans.push({ kind: 'emv', start: at + from, end, mark: '[EMV]' });
  }
  return spans;
}
