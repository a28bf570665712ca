// Security codes, which are known by the word before them in any text (research/pos.md 9, R7), and what a key
// of a record that is still an object names (R2): a logger that holds the object asks isCardKey (fields.ts). Values of
// keys in text are in keyed.ts.

import type { Span } from './span.ts';

const CARD_KEY =
  'pan|card_?n(?:o|umber)|track_?[123]?(?:_?data)?|cvv2?|cvc2?|cid|cav2|csc|pin|pin_?block|ksn|emv|tlv|icc_?data|de(?:2|35|36|45|52|55)';
const WHOLE_CARD_KEY = new RegExp(`^(?:${CARD_KEY})$`, 'i');

/** Words of more than one meaning (`gpioPin`) count only by themselves; these behind others, too. */
const LAST_WORDS =
  /_(?:card_?pan|card_?n(?:o|umber)|track_?[123](?:_?data)?|cvv2?|cvc2?|pin_?block|icc_?data)$/;

export const isCardKey = (key: string): boolean =>
  WHOLE_CARD_KEY.test(key) ||
  LAST_WORDS.test(
    `_${key
      .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
      .replace(/[-. ]/g, '_')
      .toLowerCase()}`,
  );

/** Colours, which a terminal is given between a word and its value. */
const COLOUR = '(?:(?:\\x1b|\\\\{1,8}u001[bB])\\[[0-9;]{0,12}m)?';
// Letters beyond ASCII also as the bytes of UTF-8, which a stream shows one by one.
const CODE_WORDS = [
  'cvv2?|cvc2?|cav2|csc|cid|pin|(?:security|verification)[ _-]?(?:code|value|number)',
  '(?:karten)?pr(?:\u00fc|\u00c3\u00bc|ue?)f(?:nummer|ziffer)|kpn|sicherheitscode|geheimzahl',
  'cryptogramme(?:[ _-]visuel)?|code[ _-]de[ _-]s(?:\u00e9|\u00c3\u00a9|e)curit(?:\u00e9|\u00c3\u00a9|e)',
  'c(?:\u00f3|\u00c3\u00b3|o)digo[ _-]de[ _-]seguridad',
].join('|');
const CODE_SOURCE = `(?<![a-z])(?:${CODE_WORDS})(?:[ _-]code)?\\\\{0,8}["'\\])]?${COLOUR}(?:[ \\u00a0]{0,2}(?:is|was|[:=#(\\[-]|%3[ad])[ ([]{0,2}|[ \\t\\u00a0]{1,2})${COLOUR}\\\\{0,8}["']?(\\d{3,4})(?!\\d)`;
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
