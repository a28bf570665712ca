// The two tracks of a magnetic stripe, as text, as a URL carries them, and in the form with a hex D that EMV
// uses. Nothing of a track may be kept (PCI DSS 3.3.1), so the whole of it goes and no check digit is asked
// for; only the D form needs one, because hashes look like it (research/pos.md 9, R3).

import { CARD_DIGITS_MAX, CARD_DIGITS_MIN, issuerOf, passesLuhn } from './issuers.ts';
import type { Group } from './runs.ts';
import { inHexToken } from './tokens.ts';

export type Found = { readonly start: number; readonly end: number };

/** Name of track 1; a URL needs three characters for some of its letters. */
const NAME_CHARS_MIN = 2;
const NAME_CHARS_MAX = 78;
/** What may follow year and month until the end sentinel: ISO/IEC 7813 allows 79 characters in all. */
const REST_CHARS_MAX = 80;
const DISCRETIONARY_MIN = 7;

// As they are, as a URL writes them, and as some JSON writers do (Gson) [RFC 8259 7].
const CARET = /\^|%5[eE]|\\{1,8}u005[eE]|&#94;|&#x5[eE];/y;
const EQUALS = /=|%3[dD]|\\{1,8}u003[dD]|&#61;|&#x3[dD];/y;
const HEX_D = /[dD]/y;
const SENTINEL = /\?|%3[fF]/y;
const TRACK_2_REST = /\d*(?:[fF](?![0-9a-fA-F]))?/y;
/** Without an end sentinel: what a reader sends, and nothing that begins the next field. */
const TRACK_1_REST = /[0-9A-Z]*/y;

/** @returns where the match of `pattern` at `at` ends; undefined when it does not match there. */
function after(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

function countDigits(text: string, at: number, most: number): number {
  let count = 0;
  while (count < most && isDigit(text.charCodeAt(at + count))) count += 1;
  return count;
}
const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** The caret that ends the name that begins at `at`. */
function nameEnd(text: string, at: number): number | undefined {
  const last = Math.min(text.length, at + NAME_CHARS_MAX);
  for (let next = at + NAME_CHARS_MIN; next <= last; next += 1) {
    if (text[next] === '\n') return undefined;
    const end = after(CARET, text, next);
    if (end !== undefined) return end;
  }
  return undefined;
}

function restEnd(text: string, at: number): number {
  const last = Math.min(text.length, at + REST_CHARS_MAX);
  for (let next = at; next <= last; next += 1) {
    const end = after(SENTINEL, text, next);
    if (end !== undefined) return end;
    if ('"\'\n\\'.includes(text[next] ?? '\n')) break;
  }
  return after(TRACK_1_REST, text, at) ?? at;
}

/** Where a track begins whose number begins at `at`: with its start sentinel and format code. */
function startOf(text: string, at: number, sentinel: RegExp): number | undefined {
  const before = sentinel.exec(text.slice(Math.max(0, at - 4), at))?.[0];
  return before === undefined ? undefined : at - before.length;
}
const TRACK_1_START = /(?:%(?:25)?)?[bB]$/;
const TRACK_2_START = /(?:;|%3[bB])?$/;

/** Some issuers put blanks into the number on track 1, so it is the whole run that counts. */
export function findTrack1(text: string, groups: readonly Group[]): Found | undefined {
  const first = groups[0];
  const last = groups.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const digits = groups.reduce((sum, { start, end }) => sum + end - start, 0);
  if (digits < CARD_DIGITS_MIN || digits > CARD_DIGITS_MAX) return undefined;
  const start = startOf(text, first.start, TRACK_1_START);
  const name = after(CARET, text, last.end);
  if (start === undefined || name === undefined) return undefined;
  const expiry = nameEnd(text, name);
  if (expiry === undefined || countDigits(text, expiry, 4) < 4) return undefined;
  return { start, end: restEnd(text, expiry + 4) };
}

/** The number of a track in the D form, which may stand behind other digits (a length, a message). */
function numberBefore(text: string, { start, end }: Group): number | undefined {
  for (
    let from = Math.max(start, end - CARD_DIGITS_MAX);
    from <= end - CARD_DIGITS_MIN;
    from += 1
  ) {
    const number = text.slice(from, end);
    if (issuerOf(number) !== undefined && passesLuhn(number)) return from;
  }
  return undefined;
}

/** Digits, a D and digits, whole and with a month where one belongs: no hash looks like that. */
const BARE_D_TRACK = /(?<![0-9a-z])\d{12,19}d\d\d(?:0[1-9]|1[0-2])\d{3,}f?(?![0-9a-z])/iy;

function findHexTrack2(text: string, group: Group, rest: number): number | undefined {
  const start = numberBefore(text, group);
  if (start === undefined) return undefined;
  BARE_D_TRACK.lastIndex = group.start;
  if (!BARE_D_TRACK.test(text) && inHexToken(text, { start, end: rest })) return undefined;
  return start;
}

export function findTrack2(text: string, group: Group): Found | undefined {
  const digits = group.end - group.start;
  if (digits < CARD_DIGITS_MIN) return undefined;
  const plain = after(EQUALS, text, group.end);
  const hex = plain === undefined ? after(HEX_D, text, group.end) : undefined;
  const rest = plain ?? hex;
  if (rest === undefined) return undefined;
  if (countDigits(text, rest, DISCRETIONARY_MIN) < DISCRETIONARY_MIN) return undefined;
  const from =
    hex === undefined
      ? Math.max(group.start, group.end - CARD_DIGITS_MAX)
      : findHexTrack2(text, group, rest);
  if (from === undefined) return undefined;
  const end = after(TRACK_2_REST, text, rest) ?? rest;
  const start = startOf(text, from, TRACK_2_START) ?? from;
  return { start, end: after(SENTINEL, text, end) ?? end };
}
