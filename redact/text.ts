// Takes card data out of a text: asks every finder, lets the more certain win where two overlap, and puts
// marks in. Never across a line end. Text is a string of any kind; the stream gives it one character per
// byte, so that what is not card data comes out byte for byte as it went in.

import { findCards } from './cards.ts';
import { type Counts, NO_COUNTS, type Span } from './span.ts';
import { findCodes, findKeyed } from './words.ts';

export type Redacted = { readonly text: string; readonly counts: Counts };

/** Whether a finder of words can have something to do: one look instead of three. */
const WORDS =
  /track|c[vas][vcd2]|cid|csc|pin|ksn|"(?:pan|card_?n|emv|tlv|icc|de\d)|icc_?data|ecurity/i;

const overlaps = (a: Span, b: Span): boolean => a.start < b.end && b.start < a.end;

/** A JSON string stays a string, with only the card in it gone. */
const isWholeValue = (keyed: Span, card: Span, text: string): boolean => {
  const rest = text.slice(keyed.start, card.start) + text.slice(card.end, keyed.end);
  return card.kind === 'pan' && /^(?:""|)$/.test(rest);
};

/** @returns spans in order, none over another. */
export function findSpans(text: string): Span[] {
  const cards = findCards(text);
  if (!WORDS.test(text)) return cards;
  // A key takes its whole value, but of a number alone the last four digits stay useful (R6).
  const keyed = findKeyed(text).filter(
    (span) => !cards.some((card) => overlaps(span, card) && isWholeValue(span, card, text)),
  );
  const certain = [...keyed, ...cards.filter((card) => !keyed.some((key) => overlaps(key, card)))];
  const codes = findCodes(text).filter((code) => !certain.some((span) => overlaps(span, code)));
  return [...certain, ...codes].sort((a, b) => a.start - b.start);
}

/** A number of JSON that becomes a mark must become a string, or the line is no JSON any more. */
function markIn(text: string, { start, end, mark }: Span): string {
  const bare =
    mark.startsWith('[') && /"[ ]?:[ ]?$/.test(text.slice(Math.max(0, start - 4), start));
  return bare && ',}]'.includes(text[end] ?? '') ? `"${mark}"` : mark;
}

/** Puts the marks of `spans` into text[from, to). Spans that begin before `from` count from there. */
export function applySpans(
  text: string,
  spans: readonly Span[],
  from: number,
  to: number,
): Redacted {
  let at = from;
  let out = '';
  const counts = { ...NO_COUNTS };
  for (const span of spans) {
    if (span.end <= from || span.start >= to) continue;
    out += text.slice(at, Math.max(at, span.start)) + markIn(text, span);
    at = span.end;
    counts[span.kind] += 1;
  }
  return { text: out + text.slice(Math.min(at, to), to), counts };
}

/** @param text of which no line is longer than LINE_CHARS_MAX; see stream.ts for any other. */
export function redactText(text: string): Redacted {
  const spans = findSpans(text);
  return spans.length === 0 ? { text, counts: NO_COUNTS } : applySpans(text, spans, 0, text.length);
}
