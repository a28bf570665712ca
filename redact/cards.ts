// Card numbers and tracks in the digit runs of a text. A bare number must be whole: nothing is cut out of a
// longer row of digits. In a run with separators every group and every plausible row of groups is tried,
// because a number may stand between others ("2 4111 1111 1111 1111 12/29").

import { CARD_DIGITS_MAX, issuerOf, passesLuhn } from './issuers.ts';
import { eachRun, type Group, withoutEscape } from './runs.ts';
import type { Span } from './span.ts';
import {
  inHexToken,
  inIban,
  inSpanId,
  inUuid,
  isFraction,
  isGtin,
  isHarmless,
  isNearCardWord,
} from './tokens.ts';
import { findTrack1, findTrack2 } from './tracks.ts';

const widthOf = ({ start, end }: Group): number => end - start;

/** As cards are printed and typed; found also between other numbers. */
const PRINTED = ['4-4-4-4', '4-6-5', '4-6-4', '4-4-4-2', '4-4-4-3', '4-4-4-4-3', '4-5-6', '8-8'];
/** Any row of groups of these sizes counts if it is the whole run. */
const GROUP_DIGITS_MIN = 3;
const GROUP_DIGITS_MAX = 8;
/** The first group holds the issuer's range in every way of writing. */
const FIRST_DIGITS_MIN = 4;
const CARD_GROUPS_MAX = 6;
const PRINTED_GROUPS_MAX = 5;
/** Twelve digits in bytes. */
const DEALT_GROUPS_MIN = 6;

/** Digit by digit, or the bytes of a binary coded number; what is left over of it may be one digit. */
const isDealt = (sizes: readonly number[]): boolean =>
  sizes.every((size) => size === 1) ||
  sizes.every((size, at) => size === 2 || at === sizes.length - 1);

function isPlausible(sizes: readonly number[], isWholeRun: boolean): boolean {
  if (sizes.length === 1) return true;
  if (isWholeRun && isDealt(sizes)) return true;
  if (PRINTED.includes(sizes.join('-'))) return isWholeRun || sizes.join('-') !== '8-8';
  const [first = 0] = sizes;
  const last = sizes.at(-1) ?? 0;
  const ordinary = sizes
    .slice(0, -1)
    .every((size) => size >= GROUP_DIGITS_MIN && size <= GROUP_DIGITS_MAX);
  return isWholeRun && ordinary && first >= FIRST_DIGITS_MIN && last <= GROUP_DIGITS_MAX;
}

/** @returns the mark of a card that these groups are, if they are one. */
function cardMark(text: string, groups: readonly Group[], isWholeRun: boolean): string | undefined {
  const sizes = groups.map(widthOf);
  const first = groups[0];
  const last = groups.at(-1);
  if (first === undefined || last === undefined || !isPlausible(sizes, isWholeRun))
    return undefined;
  const digits = groups.map(({ start, end }) => text.slice(start, end)).join('');
  const issuer = issuerOf(digits);
  if (issuer === undefined || !passesLuhn(digits)) return undefined;
  const where = { start: first.start, end: last.end };
  if (inUuid(text, where) || inIban(text, where)) return undefined;
  if (groups.length === 1) {
    if (inHexToken(text, where) || isFraction(text, where.start)) return undefined;
    if (inSpanId(text, where) || (issuer.wide && isGtin(digits))) return undefined;
    if (isHarmless(text, where.start, digits)) return undefined;
  }
  if (issuer.wide && sizes.join('-') !== '4-4-4-4' && !isNearCardWord(text, where)) {
    return undefined;
  }
  return `[PAN ${issuer.name} ....${digits.slice(-4)}]`;
}

type Hit = { readonly span: Span; readonly groups: number };

/** How many groups from `from` on can belong to one number: of a card's size, one kind of separator. */
function rowLength(groups: readonly Group[], from: number): number {
  let digits = 0;
  let length = 0;
  for (const group of groups.slice(from, from + CARD_GROUPS_MAX)) {
    // Dates and amounts beside a number are not part of it.
    if (length > 1 && group.separator !== groups[from + 1]?.separator) break;
    const width = widthOf(group);
    digits += width;
    if (digits > CARD_DIGITS_MAX || (length === 0 && width < FIRST_DIGITS_MIN)) break;
    length += 1;
    if (width < GROUP_DIGITS_MIN || width > GROUP_DIGITS_MAX) break;
  }
  return length;
}

const hitOf = (row: readonly Group[], mark: string): Hit => ({
  span: { kind: 'pan', start: row[0]?.start ?? 0, end: row.at(-1)?.end ?? 0, mark },
  groups: row.length,
});

/** The longest card that begins with group `from`; with mixed separators only as cards are printed. */
function cardAt(text: string, groups: readonly Group[], from: number): Hit | undefined {
  const sameLength = rowLength(groups, from);
  const first = groups[from];
  const most = first !== undefined && widthOf(first) === FIRST_DIGITS_MIN ? PRINTED_GROUPS_MAX : 0;
  for (let length = Math.max(sameLength, most); length > 0; length -= 1) {
    const row = groups.slice(from, from + length);
    if (length > sameLength && !PRINTED.includes(row.map(widthOf).join('-'))) continue;
    const mark = cardMark(text, row, length === groups.length);
    if (mark !== undefined) return hitOf(row, mark);
  }
  return undefined;
}

/** A number digit by digit or byte by byte, after what is no such group (the offset of a dump). */
function dealtCard(text: string, groups: readonly Group[]): Hit | undefined {
  const offsets = groups.findIndex((group) => widthOf(group) <= 2);
  const row = offsets < 0 || offsets > 1 ? [] : groups.slice(offsets);
  if (row.length < DEALT_GROUPS_MIN || row.length > CARD_DIGITS_MAX) return undefined;
  if (!isDealt(row.map(widthOf))) return undefined;
  const mark = cardMark(text, row, true);
  return mark === undefined ? undefined : hitOf(row, mark);
}

/** A number that a host's format fills up with zeros to 19 digits or more. */
function padded(text: string, group: Group): Hit | undefined {
  if (widthOf(group) < CARD_DIGITS_MAX || !text.startsWith('000', group.start)) return undefined;
  let { start } = group;
  while (start < group.end && text[start] === '0') start += 1;
  const digits = text.slice(start, group.end);
  const issuer = issuerOf(digits);
  if (issuer === undefined || issuer.wide || !passesLuhn(digits)) return undefined;
  if (isHarmless(text, group.start, text.slice(group.start, group.end))) return undefined;
  const row = [{ ...group, start }];
  if (inHexToken(text, { start, end: group.end }) || inUuid(text, group)) return undefined;
  return hitOf(row, `[PAN ${issuer.name} ....${digits.slice(-4)}]`);
}

const trackSpan = ({ start, end }: { start: number; end: number }): Span => ({
  ...{ kind: 'track', start, end },
  mark: '[TRACK]',
});

/** What one run holds, and where it is done with. */
function searchRun(text: string, groups: readonly Group[]): { spans: Span[]; end: number } {
  const track1 = findTrack1(text, groups);
  if (track1 !== undefined) return { spans: [trackSpan(track1)], end: track1.end };
  const dealt = dealtCard(text, groups);
  if (dealt !== undefined) return { spans: [dealt.span], end: dealt.span.end };
  const spans: Span[] = [];
  for (let at = 0; at < groups.length; ) {
    const group = groups[at];
    const track2 = group && findTrack2(text, group);
    if (track2 !== undefined) return { spans: [...spans, trackSpan(track2)], end: track2.end };
    const hit = cardAt(text, groups, at) ?? (group && padded(text, group));
    if (hit !== undefined) spans.push(hit.span);
    at += hit?.groups ?? 1;
  }
  return { spans, end: 0 };
}

/** @returns spans in order, none over another. */
export function findCards(text: string): Span[] {
  const all: Span[] = [];
  eachRun(text, (groups) => {
    // "%4111..." can be an escape and 14 digits, or a card: whichever is one.
    const escaped = withoutEscape(text, groups);
    const first = searchRun(text, escaped ?? groups);
    const { spans, end } =
      escaped !== undefined && first.spans.length === 0 ? searchRun(text, groups) : first;
    all.push(...spans);
    return end;
  });
  return all;
}
