// Card data that is known by the word before it: security codes, and values of keys that name what may not
// be kept (research/pos.md 9, R2 and R7). In text a key counts in JSON form and as key=value; a logger that
// still holds the object asks isCardKey instead (fields.ts).

import { MARKED, type Span } from './span.ts';

const CARD_KEY =
  'pan|card_?n(?:o|umber)|track_?[123]?(?:_?data)?|cvv2?|cvc2?|cid|cav2|csc|pin|pin_?block|ksn|emv|tlv|icc_?data|de(?:2|35|36|45|52|55)';
const WHOLE_CARD_KEY = new RegExp(`^(?:${CARD_KEY})$`, 'i');

export const isCardKey = (key: string): boolean => WHOLE_CARD_KEY.test(key);

const CODE =
  /(?<![a-z])(?:cvv2?|cvc2?|cav2|csc|cid|security[ _-]?code)\\?["']?(?:[ ]?(?:is|[:=]|%3[aAdD])[ ]?|[ ])\\?["']?(\d{3,4})(?!\d)/gi;
const JSON_KEY = new RegExp(`"(?:${CARD_KEY})"[ ]?:[ ]?`, 'gi');
/** Without the keys that are words of ordinary text: what they hold is found by itself. */
const TEXT_KEY =
  /(?<![\w-])(?:track_?[123](?:_?data)?|cvv2?|cvc2?|cav2|csc|pin|pin_?block|ksn|icc_?data)=(?=\S)/gi;
/** The value of a key: more than any track; what is longer is cut here and searched like all text. */
const VALUE_CHARS_MAX = 256;

function jsonValueEnd(text: string, at: number): number {
  const last = Math.min(text.length, at + VALUE_CHARS_MAX);
  if (text[at] !== '"') {
    let end = at;
    while (end < last && !',}] \n\r\t'.includes(text[end] ?? '')) end += 1;
    return end;
  }
  for (let next = at + 1; next < last; next += 1) {
    if (text[next] === '\\') next += 1;
    else if (text[next] === '"') return next + 1;
    else if (text[next] === '\n') return next;
  }
  return last;
}

function plainValueEnd(text: string, at: number): number {
  const last = Math.min(text.length, at + VALUE_CHARS_MAX);
  let end = at;
  while (end < last && !' \t\r\n,;&"\'})]'.includes(text[end] ?? '')) end += 1;
  return end;
}

/** Objects, true, null and what is marked already stay. */
const isKept = (value: string): boolean =>
  value === '' ||
  /^"?"?$|^[[{]|^(?:true|false|null|undefined)/.test(value) ||
  MARKED.test(value.replace(/^"/, ''));

export function findCodes(text: string): Span[] {
  const spans: Span[] = [];
  for (const { index, 0: whole, 1: digits = '' } of text.matchAll(CODE)) {
    const end = index + whole.length;
    spans.push({ kind: 'code', start: end - digits.length, end, mark: '[CODE]' });
  }
  return spans;
}

export function findKeyed(text: string): Span[] {
  const spans: Span[] = [];
  for (const { index, 0: key } of text.matchAll(JSON_KEY)) {
    const start = index + key.length;
    const end = jsonValueEnd(text, start);
    if (!isKept(text.slice(start, end)))
      spans.push({ kind: 'key', start, end, mark: '"[REMOVED]"' });
  }
  for (const { index, 0: key } of text.matchAll(TEXT_KEY)) {
    const start = index + key.length;
    const end = plainValueEnd(text, start);
    if (!isKept(text.slice(start, end))) spans.push({ kind: 'key', start, end, mark: '[REMOVED]' });
  }
  return spans;
}
