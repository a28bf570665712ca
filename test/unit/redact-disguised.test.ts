// Numbers in disguise: digits of other scripts, characters that nobody sees and colours between them, escapes of
// escapes, bytes as decimal numbers, zeros before them. As text and as the bytes of a stream, which are
// read one character each.

import { describe, expect, it } from 'vitest';
import { NO_COUNTS, openRedactStream, redactString } from '../../redact/index.ts';

const CARD = '4111111111111111';
const grouped = (between: string): string => CARD.replace(/(....)(?=.)/g, `$1${between}`);
const from = (zero: number): string =>
  Array.from(CARD, (digit) => String.fromCodePoint(zero + Number(digit))).join('');
const each = (code: (char: string) => string): string => Array.from(CARD, code).join('');
const decimal = (between: string): string => [...Buffer.from(CARD)].join(between);

const gone: readonly (readonly [string, string])[] = [
  ['Arabic digits', from(0x660)],
  ['Persian digits', from(0x6f0)],
  ['digits of Devanagari', from(0x966)],
  ['wide digits', from(0xff10)],
  ['wide digits as escapes of JSON', each((digit) => `\\uff1${digit}`)],
  ['soft hyphens', grouped('\u00ad')],
  ['soft hyphens as escapes of JSON', grouped('\\u00ad')],
  ['zero-width spaces as escapes of JSON', grouped('\\u200b')],
  ['word joiners', grouped('\u2060')],
  ['byte order marks', grouped('\ufeff')],
  ['ideographic spaces', grouped('\u3000')],
  ['colours in the number', '4111\u001b[31m1111\u001b[0m11111111'],
  ['colours between groups', grouped(' \u001b[0m')],
  ['colours around each digit', each((digit) => `\u001b[1m${digit}\u001b[0m`)],
  ['colours as escapes of JSON', '{"m":"4111\\u001b[31m111111111111"}'],
  ['per cent in per cent', each((digit) => `%253${digit}`)],
  ['per cent in per cent between groups', grouped('%2520')],
  ['quotes of a URL in a URL', `q=%2522${CARD}%2522`],
  ['entities in entities', each((digit) => `&amp;#${48 + Number(digit)};`)],
  ['entities with zeros', each((digit) => `&#0${48 + Number(digit)};`)],
  ['entities nobody sees', grouped('&shy;')],
  ['entities of thin spaces', grouped('&thinsp;')],
  ['quoted-printable blanks', grouped('=20')],
  ['track 2 of quoted-printable', `${CARD}=3D29122011234567890`],
  ['a Buffer as JSON', JSON.stringify(Buffer.from(CARD))],
  ['bytes as Java prints them', `[${decimal(', ')}]`],
  ['bytes with blanks', `got ${decimal(' ')} end`],
  ['zeros before it, to 19 digits', `000${CARD} ok`],
  ['zeros before it, to 20 digits', `"pad":"0000${CARD}"`],
];

const digitsOf = (text: string): string => text.replace(/\D/g, '');

describe('a card in disguise', () => {
  it.each(gone)('goes: %s', (_name, written) => {
    const text = `a ${written} b`;
    const { value } = redactString(text);
    expect(value).toMatch(/\[(?:PAN visa \.{4}1111|TRACK)\]/);
    expect(digitsOf(value)).not.toContain('1111111');
    expect(value.match(/\d[ ,]+\d{2}[ ,]/)).toBeNull();
    expect(redactString(value)).toEqual({ value, counts: NO_COUNTS });
    if (text.includes('{')) return;
    const stream = openRedactStream();
    const out = Buffer.concat([stream.push(Buffer.from(text)), stream.end()]).toString();
    expect(out).toBe(value);
  });

  it('is not seen in what only looks so', () => {
    for (const text of [
      '\u001b[32m2026-11-23 10:00:00\u001b[0m \u001b[1m4111\u001b[0m sold, 1111 left',
      '{"type":"Buffer","data":[1,2,3,52,49,49]}',
      '0002026112300001234 printed',
      'q=%2520%252E 100%25 1763000000000',
      '[48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 48, 49, 50]',
      'müde \u00ad1111\u00ad22 ６',
    ]) {
      expect(redactString(text).value).toBe(text);
    }
  });
});
