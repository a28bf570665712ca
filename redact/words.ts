// Security codes, which are known by the word before them in any text (research/pos.md 9, R7), and what a key
// of a record that is still an object names (R2): a logger that holds the object asks isCardKey (fields.ts). Values of
// keys in text are in keyed.ts.

import type { Span } from './span.ts';

const CARD_KEY =
  'pan|card_?n(?:o|umber)|track_?[123]?(?:_?data)?|cvv2?|cvc2?|cid|cav2|csc|pin|pin_?block|ksn|emv|tlv|icc_?data|de(?:2|35|36|45|52|55)';
const WHOLE_CARD_KEY = new RegExp(`^(?:${CARD_KEY})$`, 'i');

export const isCardKey = (key: string): boolean => WHOLE_CARD_KEY.test(key);

const CODE_SOURCE =
  '(?<![a-z])(?:cvv2?|cvc2?|cav2|csc|cid|security[ _-]?code)\\\\{0,8}["\']?(?:[ ]?(?:is|[:=]|%3[ad])[ ]?|[ ])\\\\{0,8}["\']?(\\d{3,4})(?!\\d)';
export const CODE_TRIGGER = new RegExp(CODE_SOURCE, 'i');
const CODE = new RegExp(CODE_SOURCE, 'gi');

export function findCodes(text: string): Span[] {
  const spans: Span[] = [];
  for (const { index, 0: whole, 1: digits = '' } of text.matchAll(CODE)) {
    const end = index + whole.length;
    spans.push({ kind: 'code', start: end - digits.length, end, mark: '[CODE]' });
  }
  return spans;
}
