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
/** `"gtin": "`, `receipt_no=`, `receipt no. `, `order #`. */
const KEY = /([a-z][a-z_-]{0,31})["']?(?:[ ]?[:=#][ ]?|[ ](?:(?:no|number|id)[.:]?[ ])?)["']?$/i;

export function isHarmless(text: string, start: number, digits: string): boolean {
  const key = KEY.exec(text.slice(Math.max(0, start - KEY_CHARS_MAX), start))?.[1]?.toLowerCase();
  return key !== undefined && HARMLESS.some((entry) => entry.key.test(key) && entry.fits(digits));
}

const CARD_WORD =
  /card|karte|carte|pan\b|visa|master|maestro|amex|diners|jcb|discover|unionpay|rupay|credit|debit|pay|tender|auth/i;
const CARD_WORD_REACH = 32;

/** R5: wide ranges count only where somebody speaks of cards. */
export const isNearCardWord = (text: string, { start, end }: Stretch): boolean =>
  CARD_WORD.test(text.slice(Math.max(0, start - CARD_WORD_REACH), end + CARD_WORD_REACH));
