// What is looked for in text that was decoded from something else (coded.ts, base64.ts): all card data, but not what
// is decoded once more, so that depth is bounded. Places in the decoded text are turned into places in
// the text by whoever decoded it.

import { findCards } from './cards.ts';
import { EMV_TRIGGER, findEmv } from './emv.ts';
import { findMessages, ISO_TRIGGER } from './iso8583.ts';
import { findKeyed, KEYED_TRIGGER } from './keyed.ts';
import { RUN_TRIGGER } from './runs.ts';
import type { Span } from './span.ts';

const overlaps = (a: Span, b: Span): boolean => a.start < b.end && b.start < a.end;

export function findInner(text: string): Span[] {
  const cards = RUN_TRIGGER.test(text) ? findCards(text) : [];
  const others = [
    ...(EMV_TRIGGER.test(text) ? findEmv(text) : []),
    ...(ISO_TRIGGER.test(text) ? findMessages(text) : []),
    ...(KEYED_TRIGGER.test(text) ? findKeyed(text) : []),
  ];
  const apart = others.filter((other) => !cards.some((card) => overlaps(card, other)));
  return [...cards, ...apart].sort((a, b) => a.start - b.start);
}

/** Where the characters that were decoded stand: `starts[n]` to `ends[n]`. */
export type Places = { readonly starts: readonly number[]; readonly ends: readonly number[] };

/** The spans of a decoded text, as spans of what it was decoded from. */
export const placed = (spans: readonly Span[], { starts, ends }: Places): Span[] =>
  spans.map((span) => ({
    ...span,
    start: starts[span.start] ?? 0,
    end: ends[span.end - 1] ?? ends.at(-1) ?? 0,
  }));
