// Finds runs of digits with at most three separators between two of them, and cuts them into groups. One
// regular expression without nested choice, so the time is linear in the text; everything cleverer looks
// only at what it found. Separators are blank, hyphen, dot, plus, underscore and tab, the blanks and hyphens of
// Unicode (as characters and as bytes of UTF-8 read as Latin-1), and what URLs, HTML and JSON make of them.

import { CARD_DIGITS_MIN } from './issuers.ts';

/** Digits without a separator; `separator` stands before it, empty for the first. */
export type Group = {
  readonly start: number;
  readonly end: number;
  readonly separator: string;
};

const SEPARATOR = [
  '[ .+_\\t\\u00a0\\u2000-\\u2015\\u202f\\u2212-]',
  '\\u00c2\\u00a0|\\u00e2\\u0080[\\u0080-\\u0095\\u00af]',
  '%(?:2[0dDeEbB]|09|[cC]2%[aA]0)|&(?:nbsp|#160|#x[aA]0|#32|#45);|\\\\{1,8}(?:t|u00[aA]0|u2007|u202[fF]|x[aA]0)',
].join('|');
const RUN_SOURCE = `\\d(?:(?:${SEPARATOR}){0,3}\\d){${CARD_DIGITS_MIN - 1}`;
/**
 * A bare row of digits with which no issuer's numbers begin and after which no track can go on, as every line of
 * JSON has one for its time; not behind an escape, whose digits are none of the number's (withoutEscape).
 */
const HARMLESS_RUN = '(?<![%ux])(?!000)[0179]\\d{11,18}[,}\\s"\';]';
/** True of every line that has a run in which something can be. */
export const RUN_TRIGGER = new RegExp(`(?<!\\d)(?!${HARMLESS_RUN})${RUN_SOURCE}}`);
const RUN = new RegExp(`(?<!\\d)(?!${HARMLESS_RUN})${RUN_SOURCE},}`, 'g');
const BARE = /^\d+$/;
const PART = new RegExp(`((?:${SEPARATOR}){0,3})(\\d+)`, 'g');

/** `%22`, `\\u0022` and `\\x22` end in digits that are no digits of what follows [RFC 3986 2.1, RFC 8259 7]. */
const ESCAPE = /(?:%|\\u|\\x)$/;

/** Groups of the run at `start`; `run` is its text. */
function groupsOf(run: string, start: number): Group[] {
  if (BARE.test(run)) return [{ start, end: start + run.length, separator: '' }];
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
  const start = first.start + (escaped === '\\u' ? 4 : 2);
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
