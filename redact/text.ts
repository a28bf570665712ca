// Takes card data out of a text, line by line: a look for triggers over the whole text finds the lines in
// which a finder can have something to do, and only those are shown to finders; all others are copied as they
// lie. Where finds overlap, nothing of any of them stays. Text is a string of any kind; the stream gives it one
// character per byte, so that what is not card data comes out byte for byte as it went in.

import { activeFinders, isAllowed } from './active.ts';
import { type Counts, MARKS, NO_COUNTS, type Span } from './span.ts';

export type Redacted = { readonly text: string; readonly counts: Counts };
/** A span with how certain its finder is: 0 is the most certain. */
type Ranked = Span & { readonly rank: number };

const NONE: readonly Span[] = [];
const LINE_END = 0x0a;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;

/** Of what was redacted before nothing is found again, whatever the finders think of a mark. */
function outsideMarks(line: string, spans: readonly Ranked[]): readonly Ranked[] {
  const marks = [...line.matchAll(MARKS)];
  if (marks.length === 0) return spans;
  return spans.filter(
    ({ start, end }) =>
      !marks.some(({ index, 0: mark }) => index <= start && end <= index + mark.length),
  );
}

/** Of a value that is a number and nothing else the last four digits stay useful (R6). */
const isWholeValue = (value: Span, card: Span, line: string): boolean =>
  (value.kind === 'key' || value.kind === 'phone') &&
  card.kind === 'pan' &&
  value.start <= card.start &&
  card.end <= value.end &&
  /^"?"?$/.test(line.slice(value.start, card.start) + line.slice(card.end, value.end));

/** What stands in place of two that overlap: the mark of the more certain over both. */
function both(a: Ranked, b: Ranked, line: string): Ranked {
  const [first, second] = a.rank <= b.rank ? [a, b] : [b, a];
  if (isWholeValue(first, second, line)) return second;
  return { ...first, start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}

function joined(ranked: readonly Ranked[], line: string): Span[] {
  const spans: Ranked[] = [];
  for (const span of [...ranked].sort((a, b) => a.start - b.start || a.rank - b.rank)) {
    const last = spans.at(-1);
    if (last !== undefined && span.start < last.end) {
      spans[spans.length - 1] = both(last, span, line);
    } else spans.push(span);
  }
  return spans;
}

/** @param ranks of the finders to ask. @returns spans in order, none over another. */
function spansOf(line: string, ranks: Iterable<number>): readonly Span[] {
  let ranked: Ranked[] | undefined;
  const { finders } = activeFinders();
  for (const rank of ranks) {
    for (const span of finders[rank]?.find(line) ?? NONE) {
      ranked ??= [];
      ranked.push({ ...span, rank });
    }
  }
  if (ranked === undefined) return NONE;
  const unmarked = line.includes('[') ? outsideMarks(line, ranked) : ranked;
  return joined(
    unmarked.filter((span) => !isAllowed(line, span)),
    line,
  );
}

/** @param line without its end. @returns spans in order, none over another. */
export function findSpans(line: string): readonly Span[] {
  const ended = `${line}\n`;
  return spansOf(
    line,
    activeFinders().triggers.flatMap((trigger, rank) => {
      trigger.lastIndex = 0;
      return trigger.test(ended) ? [rank] : [];
    }),
  );
}

/** After a key, or in a list; a list of JSON is told from a row of CSV by what the line begins with. */
function isBare(text: string, start: number): boolean {
  const before = text.slice(Math.max(0, start - 4), start);
  if (/"[ ]?:[ ]{0,2}$/.test(before)) return true;
  return /[[,][ ]?$/.test(before) && /^\s{0,16}[[{]/.test(text);
}

/** A number of JSON that becomes a mark must become a string, or the line is no JSON any more. */
function markIn(text: string, { start, end, mark }: Span): string {
  const isEnd = /^[ ]?[,}\]]/.test(text.slice(end, end + 2)) || end === text.length;
  return mark.startsWith('[') && isEnd && isBare(text, start) ? `"${mark}"` : mark;
}

/** Puts the marks of `spans` into text[from, to). Spans that begin before `from` count from there. */
export function applySpans(
  text: string,
  spans: readonly Span[],
  from: number,
  to: number,
  counts: Record<keyof Counts, number>,
): string {
  let at = from;
  let out = '';
  let counted = 0;
  let isInText = false;
  for (const span of spans) {
    // Within a text of JSON a mark is part of it; each character is looked at once, however many marks there are.
    for (; counted < span.start; counted += 1) {
      const code = text.charCodeAt(counted);
      if (code === BACKSLASH) counted += 1;
      else if (code === QUOTE) isInText = !isInText;
    }
    if (span.end <= from || span.start >= to) continue;
    out += text.slice(at, Math.max(at, span.start)) + (isInText ? span.mark : markIn(text, span));
    at = span.end;
    counts[span.kind] += 1;
  }
  return out + text.slice(Math.min(at, to), to);
}

/** The beginnings of lines in which something may be, each with the finders to ask. */
function candidates(text: string): Map<number, number[]> | undefined {
  let found: Map<number, number[]> | undefined;
  const { triggers } = activeFinders();
  for (let rank = 0; rank < triggers.length; rank += 1) {
    const trigger = triggers[rank];
    if (trigger === undefined) continue;
    trigger.lastIndex = 0;
    while (trigger.test(text)) {
      // The last character that it matched, or the one before when that ends the line.
      const last = trigger.lastIndex - 1;
      const hit = text.charCodeAt(last) === LINE_END ? last - 1 : last;
      const start = text.lastIndexOf('\n', hit) + 1;
      found ??= new Map();
      const ranks = found.get(start);
      if (ranks === undefined) found.set(start, [rank]);
      else ranks.push(rank);
      const end = text.indexOf('\n', Math.max(hit, start));
      if (end < 0) break;
      trigger.lastIndex = end + 1;
    }
  }
  return found;
}

/** @param text of which no line is longer than LINE_CHARS_MAX; see stream.ts for any other. */
export function redactText(text: string): Redacted {
  const ended = text.endsWith('\n') ? text : `${text}\n`;
  const lines = candidates(ended);
  if (lines === undefined) return { text, counts: NO_COUNTS };
  let counts: Record<keyof Counts, number> | undefined;
  let out = '';
  /** Up to here the text is in `out`. */
  let copied = 0;
  const starts = [...lines.keys()].sort((a, b) => a - b);
  for (const start of starts) {
    const end = ended.indexOf('\n', start);
    const line = ended.slice(start, end);
    const spans = spansOf(line, lines.get(start) ?? []);
    if (spans.length === 0) continue;
    counts ??= { ...NO_COUNTS };
    out += text.slice(copied, start) + applySpans(line, spans, 0, line.length, counts);
    copied = end;
  }
  if (counts === undefined) return { text, counts: NO_COUNTS };
  return { text: out + text.slice(copied), counts };
}
