// Finds runs of digits with at most one separator between two of them, and cuts them into groups. One
// regular expression without nested choice, so the time is linear in the text; everything cleverer looks
// only at what it found. The separators are blank, hyphen, dot and what a URL makes of them.

import { CARD_DIGITS_MIN } from './issuers.ts';

/** Digits without a separator; `separator` stands before it, empty for the first. */
export type Group = {
  readonly start: number;
  readonly end: number;
  readonly separator: string;
};

const SEPARATOR = '[ .+-]|%2[0dDeEbB]';
const RUN = new RegExp(`\\d(?:(?:${SEPARATOR})?\\d){${CARD_DIGITS_MIN - 1},}`, 'g');
const PART = new RegExp(`(${SEPARATOR})?(\\d+)`, 'g');

/** `%22` and `\\u0022` end in digits that are no digits of what follows [RFC 3986 2.1, RFC 8259 7]. */
const ESCAPE = /(?:%|\\u)$/;

/** Groups of the run at `start`; `run` is its text. */
function groupsOf(run: string, start: number): Group[] {
  const groups: Group[] = [];
  for (const { 1: separator = '', 2: digits = '', index } of run.matchAll(PART)) {
    const from = start + index + separator.length;
    groups.push({ start: from, end: from + digits.length, separator });
  }
  return groups;
}

/** @returns the groups without the digits of an escape before them; undefined when there is none. */
export function withoutEscape(text: string, groups: readonly Group[]): Group[] | undefined {
  const [first, ...others] = groups;
  if (first === undefined) return undefined;
  const escaped = ESCAPE.exec(text.slice(Math.max(0, first.start - 2), first.start))?.[0];
  if (escaped === undefined) return undefined;
  const start = first.start + (escaped === '%' ? 2 : 4);
  return start < first.end ? [{ ...first, start }, ...others] : others;
}

/** Calls `found` for each run in order; it answers where to go on looking. */
export function eachRun(text: string, found: (groups: readonly Group[]) => number): void {
  RUN.lastIndex = 0;
  for (let match = RUN.exec(text); match !== null; match = RUN.exec(text)) {
    const end = match.index + match[0].length;
    RUN.lastIndex = Math.max(end, found(groupsOf(match[0], match.index)));
  }
}
