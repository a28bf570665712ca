// What is not a card although its digits are: hashes, trace ids and UUIDs, fractions, and the values of keys
// that say what they are (research/pos.md 9, R3, R5 and R11). Each is asked only of a number that has already
// passed range, length and check digit, so none of them costs anything on an ordinary line.

type Stretch = { readonly start: number; readonly end: number };

/** Digits of the hexadecimal identifiers in use: MongoDB, MD5 and trace, SHA-1, 224, 256, 384, 512. */
const HEX_TOKEN_CHARS: ReadonlySet<number> = new Set([24, 32, 40, 56, 64, 96, 128]);
const HEX_TOKEN_CHARS_MAX = 128;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const UUID_CHARS = 36;
const isHex = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);

/** Whether the digits lie within a hash or the like. */
export function inHexToken(text: string, { start, end }: Stretch): boolean {
  let from = start;
  let to = end;
  while (from > start - HEX_TOKEN_CHARS_MAX && isHex(text.charCodeAt(from - 1))) from -= 1;
  while (to < end + HEX_TOKEN_CHARS_MAX && isHex(text.charCodeAt(to))) to += 1;
  // Nothing but the digits themselves: no letter makes it hexadecimal.
  if (from === start && to === end) return false;
  return HEX_TOKEN_CHARS.has(to - from);
}

export function inUuid(text: string, { start, end }: Stretch): boolean {
  const from = Math.max(0, start - UUID_CHARS);
  for (const { index } of text.slice(from, end + UUID_CHARS).matchAll(UUID)) {
    if (from + index < end && from + index + UUID_CHARS > start) return true;
  }
  return false;
}

/** The integer part of a number that JavaScript or C printed with 15 to 17 significant digits. */
const INTEGER_PART = /(?<![\d.])\d{1,3}\.$/;
export const isFraction = (text: string, start: number): boolean =>
  INTEGER_PART.test(text.slice(Math.max(0, start - 5), start));

/** GS1's check digit: weights 3 and 1 from the right [GS1 General Specifications 7.9]. */
function passesGs1(digits: string): boolean {
  const sum = [...digits].reduceRight(
    (total, digit, at) => total + Number(digit) * ((digits.length - at) % 2 === 0 ? 3 : 1),
    0,
  );
  return sum % 10 === 0;
}

const lengthIn = (from: number, to: number) => (digits: string) =>
  digits.length >= from && digits.length <= to;

/**
 * Keys whose values only look like cards, each with the form that a value of it has: a card that somebody
 * scanned into the wrong field still goes. 16 digits are never let through.
 */
const HARMLESS: readonly { key: RegExp; fits: (digits: string) => boolean }[] = [
  {
    key: /^(?:gtin|ean|upc|sku|plu|barcode|item|article|product)/,
    fits: (d) => d.length === 14 && passesGs1(d),
  },
  { key: /^sscc/, fits: (d) => d.length === 18 && passesGs1(d) },
  { key: /^imei/, fits: lengthIn(15, 15) },
  { key: /^iccid/, fits: lengthIn(19, 19) },
  { key: /^(?:receipt|bon|invoice|transaction|order|ticket|sale)/, fits: lengthIn(17, 19) },
  { key: /^(?:trace|span|parent)/, fits: lengthIn(17, 19) },
];
const KEY_CHARS_MAX = 40;
/** `"gtin": "`, `\\"gtin\\":\\"`, `receipt_no=`, `receipt no. `, `order #`. */
const KEY =
  /([a-z][a-z_-]{0,31})\\{0,8}["']?(?:[ ]?[:=#][ ]?|[ ](?:(?:no|number|id)[.:]?[ ])?)\\{0,8}["']?$/i;
/** Application identifiers that a scanner sends before a GTIN-14 and an SSCC [GS1 General Specifications 3.2]. */
const GTIN_BEFORE = /(?:\(01\)|\](?:C1|d2|Q3|e0)01)$/;
const SSCC_BEFORE = /(?:\(00\)|\](?:C1|d2|Q3|e0)00)$/;

const isElement = (before: string, digits: string): boolean =>
  passesGs1(digits) &&
  ((digits.length === 14 && GTIN_BEFORE.test(before)) ||
    (digits.length === 18 && SSCC_BEFORE.test(before)));

export function isHarmless(text: string, start: number, digits: string): boolean {
  const before = text.slice(Math.max(0, start - KEY_CHARS_MAX), start);
  if (isElement(before, digits)) return true;
  const key = KEY.exec(before)?.[1]?.toLowerCase();
  return key !== undefined && HARMLESS.some((entry) => entry.key.test(key) && entry.fits(digits));
}

/** UPC-A, EAN-13 and GTIN-14: every one of them passes, and of wide ranges' numbers one in ten. */
export const isGtin = (digits: string): boolean =>
  digits.length >= 12 && digits.length <= 14 && passesGs1(digits);

/** Characters of an IBAN by country, where its digits can hold a card's [SWIFT IBAN registry]. */
const IBAN_CHARS: Readonly<Record<string, number>> = {
  ...{ AT: 20, CH: 21, CZ: 24, DE: 22, DK: 18, EE: 20, ES: 24, FI: 18, HR: 21, HU: 28 },
  ...{ IL: 23, LI: 21, LT: 20, NO: 15, PL: 28, PT: 25, RS: 22, SE: 24, SI: 19, SK: 24 },
  ...{ BE: 16, BA: 20, ME: 22, XK: 20 },
};
const IBAN_REACH = 40;
const IBAN = /(?<![0-9A-Za-z])([A-Z]{2})\d\d(?: ?\d){11,24}(?![0-9A-Za-z])/g;

/** ISO 13616-1: the first four characters go last, letters are two digits, modulus 97 leaves 1. */
function isIban(text: string): boolean {
  const bare = text.replaceAll(' ', '');
  if (IBAN_CHARS[bare.slice(0, 2)] !== bare.length) return false;
  let rest = 0;
  for (const character of bare.slice(4) + bare.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

/** Whether the digits lie within the number of a bank account of a country where those are digits only. */
export function inIban(text: string, { start, end }: Stretch): boolean {
  const from = Math.max(0, start - IBAN_REACH);
  for (const { index, 0: found } of text.slice(from, end + IBAN_REACH).matchAll(IBAN)) {
    const at = from + index;
    if (at < start && end <= at + found.length && isIban(found)) return true;
  }
  return false;
}

/** The span's id behind the trace's in W3C's traceparent. */
const TRACE_BEFORE = /(?<![0-9a-f])[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{0,4}$/;
const SPAN_AFTER = /^[0-9a-f]{0,4}-[0-9a-f]{2}(?![0-9a-f])/;
export const inSpanId = (text: string, { start, end }: Stretch): boolean =>
  TRACE_BEFORE.test(text.slice(Math.max(0, start - IBAN_REACH - 4), start)) &&
  SPAN_AFTER.test(text.slice(end, end + 8));

const CARD_WORD =
  /card|karte|carte|pan\b|visa|master|maestro|amex|diners|jcb|discover|unionpay|rupay|credit|debit|pay|tender|auth/i;
const CARD_WORD_REACH = 32;

/** R5: wide ranges count only where somebody speaks of cards. */
export const isNearCardWord = (text: string, { start, end }: Stretch): boolean =>
  CARD_WORD.test(text.slice(Math.max(0, start - CARD_WORD_REACH), end + CARD_WORD_REACH));
