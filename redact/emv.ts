// Card data in the hexadecimal form in which chips and terminals speak: tag, length, value [EMV book 3 annex B].
// A number behind its tag (5A, 57, 9F6B) is believed if issuer range and check digit say so; all other tags only in a
// row of fields that holds such a number, or that fills its whole token with fields of chips and nothing else,
// because every hash has two letters that could be a tag somewhere.

import { CARD_DIGITS_MIN, issuerOf, passesLuhn } from './issuers.ts';
import type { Span } from './span.ts';
import { inHexToken } from './tokens.ts';

/** Bytes may stand apart. */
const GAP = '[ :-]?';
const BYTE = `[0-9A-Fa-f]{2}${GAP}`;
/** The number itself, and track 2 with the number in it; lengths as the standard allows them. */
const NUMBER_SOURCE = `5[aA]${GAP}(?:0[6-9aA])${GAP}(?:\\d${GAP}){12}`;
const TRACK_SOURCE = `(?:57|9[fF]${GAP}6[bB])${GAP}(?:0[a-fA-F]|1[0-3])${GAP}(?:\\d${GAP}){12}`;
/** Tags that no number stands behind: name, date, discretionary data of both tracks. */
const OTHER_SOURCE = `(?:5[fF]${GAP}2[04]|9[fF]${GAP}(?:1[fF]|20|6[bB]))${GAP}[0-4][0-9a-fA-F]${GAP}${BYTE}`;
const EMV_SOURCE = `${NUMBER_SOURCE}|${TRACK_SOURCE}|${OTHER_SOURCE}`;
export const EMV_TRIGGER = new RegExp(EMV_SOURCE);
const EMV = new RegExp(EMV_SOURCE, 'g');

/** Nothing of these may be kept, or only masked (research/pos.md 9, R4). */
const SENSITIVE = new Set(['5A', '57', '56', '9F6B', '9F1F', '9F20', '99', '5F20', '5F24']);
/** Fields that chips, readers and hosts exchange; a row of fields may hold these and no others. */
const KNOWN = new Set([
  ...SENSITIVE,
  ...['42', '4F', '50', '61', '6F', '70', '71', '72', '73', '77', '80', '81', '82', '83', '84'],
  ...['86', '87', '88', '89', '8A', '8C', '8D', '8E', '8F', '90', '91', '92', '93', '94', '95'],
  ...['97', '98', '9A', '9B', '9C', '9D', 'A5', 'BF0C', '5F25', '5F28', '5F2A', '5F2D', '5F30'],
  ...['5F34', '5F36', '5F50', '5F53', '5F54', '5F55', '5F57', '9F01', '9F02', '9F03', '9F04'],
  ...['9F05', '9F06', '9F07', '9F08', '9F09', '9F0B', '9F0D', '9F0E', '9F0F', '9F10', '9F11'],
  ...['9F12', '9F13', '9F14', '9F15', '9F16', '9F17', '9F18', '9F1A', '9F1B', '9F1C', '9F1D'],
  ...['9F1E', '9F21', '9F22', '9F23', '9F26', '9F27', '9F32', '9F33', '9F34', '9F35', '9F36'],
  ...['9F37', '9F38', '9F39', '9F3A', '9F3B', '9F3C', '9F3D', '9F40', '9F41', '9F42', '9F43'],
  ...['9F44', '9F45', '9F46', '9F47', '9F48', '9F49', '9F4A', '9F4B', '9F4C', '9F4D', '9F4E'],
  ...['9F53', '9F5B', '9F66', '9F69', '9F6C', '9F6D', '9F6E', '9F7C', 'E0', 'E1', 'E2', 'FF01'],
]);
/** Fields that hold fields. */
const CONSTRUCTED = new Set(['61', '6F', '70', '71', '72', '77', 'A5', 'BF0C', 'E0', 'E1', 'E2']);
const TOKEN_CHARS_MAX = 448;
const FIELDS_MIN = 2;
/** A tag, a length and a number with a gap behind each byte. */
const NUMBER_CHARS_MAX = 44;

type Field = { readonly tag: string; readonly start: number; readonly end: number };
/** A row of bytes with the place in the text of each. */
type Bytes = { readonly hex: string; readonly starts: readonly number[]; readonly end: number };

function bytesIn(text: string, from: number, to: number): Bytes {
  const starts: number[] = [];
  let hex = '';
  for (const { 0: byte, index } of text.slice(from, to).matchAll(/[0-9a-f]{2}/gi)) {
    hex += byte;
    starts.push(from + index);
  }
  const last = starts.at(-1);
  return { hex: hex.toUpperCase(), starts, end: last === undefined ? from : last + 2 };
}

const byteAt = ({ hex }: Bytes, at: number): string => hex.slice(at * 2, at * 2 + 2);

/** The fields from byte `at` on, as far as they are fields. @returns also where it ended. */
function readFields(bytes: Bytes, from: number): { fields: Field[]; end: number } {
  const fields: Field[] = [];
  const count = bytes.starts.length;
  let at = from;
  while (at < count) {
    let tag = byteAt(bytes, at);
    let next = at + 1;
    if (/^.[fF]/.test(tag) && (Number.parseInt(tag, 16) & 31) === 31) {
      tag += byteAt(bytes, next);
      next += 1;
    }
    let length = Number.parseInt(byteAt(bytes, next), 16);
    next += 1;
    if (length === 0x81) {
      length = Number.parseInt(byteAt(bytes, next), 16);
      next += 1;
    }
    if (!KNOWN.has(tag) || !(length < 256)) break;
    if (CONSTRUCTED.has(tag)) {
      at = next;
      continue;
    }
    // The last field may have been cut off with the line.
    fields.push({ tag, start: next, end: Math.min(count, next + length) });
    at = next + length;
  }
  return { fields, end: at };
}

/** Whether the bytes of a field are a card number, alone or at the head of a track. */
function isNumber({ hex }: Bytes, { tag, start, end }: Field): boolean {
  const value = hex.slice(start * 2, end * 2);
  const digits = /^\d+/.exec(value)?.[0] ?? '';
  const rest = value.slice(digits.length);
  const ends = tag === '5A' ? /^F*$/.test(rest) : /^D\d/.test(rest);
  if (!ends || digits.length < CARD_DIGITS_MIN) return false;
  return issuerOf(digits) !== undefined && passesLuhn(digits);
}

const spanOf = (bytes: Bytes, { start, end }: Field): Span => ({
  ...{ kind: 'emv', mark: '[EMV]' },
  start: bytes.starts[start] ?? bytes.end,
  end: end > start ? (bytes.starts[end - 1] ?? bytes.end) + 2 : (bytes.starts[start] ?? bytes.end),
});

/** Where the row of bytes around a place begins; a digit too many at its head belongs to no byte. */
const HEAD = new RegExp(
  `(?<=(?<![0-9a-zA-Z])((?:[0-9a-fA-F]{2}${GAP}){0,${TOKEN_CHARS_MAX / 2}}))`,
  'y',
);
function tokenStart(text: string, at: number): number {
  HEAD.lastIndex = at;
  return at - (HEAD.exec(text)?.[1]?.length ?? 0);
}

const TOKEN = new RegExp(`(?:${BYTE}){1,${TOKEN_CHARS_MAX / 2}}`, 'y');
function tokenEnd(text: string, at: number): number {
  TOKEN.lastIndex = at;
  return TOKEN.test(text) ? TOKEN.lastIndex : at;
}

const sensitive = (bytes: Bytes, fields: readonly Field[]): Span[] =>
  fields
    .filter(({ tag, start, end }) => SENSITIVE.has(tag) && end > start)
    .map((field) => spanOf(bytes, field));

/** The fields of the row of bytes in which a hit lies. */
function searchToken(text: string, at: number, end: number): Span[] {
  const whole = bytesIn(text, tokenStart(text, at), end);
  const row = readFields(whole, 0);
  const isRow = row.fields.length >= FIELDS_MIN && row.end >= whole.starts.length;
  if (isRow || row.fields.some((field) => isNumber(whole, field))) {
    const spans = sensitive(whole, row.fields);
    if (spans.length > 0) return spans;
  }
  // No row of fields from its head on: what begins at the hit, unless all is as long as a hash.
  if (inHexToken(text, { start: at, end: at + 2 })) return [];
  const rest = bytesIn(text, at, end);
  const { fields } = readFields(rest, 0);
  const [first] = fields;
  return first !== undefined && isNumber(rest, first) ? sensitive(rest, fields) : [];
}

/** Of a hit that says that a number follows: whether it does. */
function mayBeCard(text: string, at: number): boolean {
  const bytes = bytesIn(text, at, at + NUMBER_CHARS_MAX);
  const digits = /^(?:5A|57|9F6B)..(\d{12,19})/.exec(bytes.hex)?.[1] ?? '';
  for (let length = digits.length; length >= CARD_DIGITS_MIN; length -= 1) {
    const number = digits.slice(0, length);
    if (issuerOf(number) !== undefined && passesLuhn(number)) return true;
  }
  return false;
}

export function findEmv(text: string): Span[] {
  const spans: Span[] = [];
  let searchedTo = 0;
  EMV.lastIndex = 0;
  for (let match = EMV.exec(text); match !== null; match = EMV.exec(text)) {
    const { index } = match;
    EMV.lastIndex = index + 1;
    // Groups of four behind colons are an address of IPv6.
    if (match[0][4] === ':' && match[0][2] !== ':') continue;
    const isNamed = /^(?:5[fF]|9[fF])/.test(match[0]);
    // A row of fields is read once, however many tags it seems to hold.
    if (isNamed ? index < searchedTo : !mayBeCard(text, index)) continue;
    const end = tokenEnd(text, index);
    const found = searchToken(text, index, end);
    searchedTo = Math.max(searchedTo, end - NUMBER_CHARS_MAX);
    const last = spans.at(-1)?.end ?? 0;
    const fresh = found.filter((span) => span.start >= last);
    spans.push(...fresh);
    EMV.lastIndex = Math.max(index + 1, fresh.at(-1)?.end ?? 0);
  }
  return spans;
}
