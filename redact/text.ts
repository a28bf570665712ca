// Takes card data out of a text: asks every finder, lets the more certain win where two overlap, and puts
// marks in. Never across a line end. Text is a string of any kind; the stream gives it one character per
// byte, so that what is not card data comes out byte for byte as it went in.

import { FINDERS } from './finders.ts';
import { type Counts, NO_COUNTS, type Span } from './span.ts';

export type Redacted = { readonly text: string; readonly counts: Counts };

const byStart = (a: Span, b: Span): number => a.start - b.start;

/** Of a key's value that is a number and nothing else the last four digits stay useful (R6). */
const isWholeValue = (value: Span, card: Span, text: string): boolean =>
  (value.kind === 'key' || value.kind === 'phone') &&
  card.kind === 'pan' &&
  value.start <= card.start &&
  card.end <= value.end &&
  /^"?"?$/.test(text.slice(value.start, card.start) + text.slice(card.end, value.end));

/** Two spans that overlap, `first` of the more certain finder: its mark over both stretches. */
const merged = (first: Span, second: Span, text: string): Span =>
  isWholeValue(first, second, text)
    ? second
    : {
        ...first,
        start: Math.min(first.start, second.start),
        end: Math.max(first.end, second.end),
      };

/** @returns spans in order, none over another. */
export function findSpans(text: string): Span[] {
  const found = FINDERS.flatMap(({ mayHave, find }, rank) =>
    mayHave(text) ? find(text).map((span) => ({ span, rank })) : [],
  );
  found.sort((a, b) => byStart(a.span, b.span));
  const spans: { span: Span; rank: number }[] = [];
  for (const next of found) {
    const last = spans.at(-1);
    if (last === undefined || last.span.end <= next.span.start) spans.push(next);
    else {
      const [first, second] = last.rank <= next.rank ? [last, next] : [next, last];
      spans[spans.length - 1] = { span: merged(first.span, second.span, text), rank: first.rank };
    }
  }
  return spans.map(({ span }) => span);
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
