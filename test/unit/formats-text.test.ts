// Bytes as tills print them, and the text that comes of them: nothing throws, nothing is lost, UTF-8 stays as it is.

import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText } from '../../agent/logs/formats/index.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const CHARACTERS = fc
  .integer({ min: 0x20, max: 0x10ffff })
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));
const again = (text: string): string => decodeText(Buffer.from(text));

describe('bytes become text', () => {
  it.each([
    ['plain', Buffer.from('item 4006381333931\t1.99'), 'item 4006381333931\t1.99'],
    ['UTF-8', Buffer.from('Käse 1,99 € für Zoë 日本 🧾'), 'Käse 1,99 € für Zoë 日本 🧾'],
    ['UTF-8 with a mark', Buffer.from('\ufeffKäse'), 'Käse'],
    [
      'Windows-1252',
      latin1('K\xe4se 1,99 \x80 \x96 \x93frisch\x94 don\x92t'),
      'Käse 1,99 € – “frisch” don’t',
    ],
    ['Windows-1252, nothing there', latin1('a\xe4b \x81 c'), 'aäb <81> c'],
    ['DOS', latin1('K\x84se f\x81r M\x81ller'), 'Käse für Müller'],
    ['DOS in French', latin1('caf\x82 cr\x82dit esp\x8aces'), 'café crédit espèces'],
    ['DOS with a box', latin1('\xc9\xcd\xcd\xcd\xcd\xbb'), '╔════╗'],
    ['both in one line', Buffer.concat([Buffer.from('Käse '), latin1('K\xe4se')]), 'Käse Käse'],
    ['a character that is cut', Buffer.from('Käse').subarray(0, 2), 'KÃ'],
    ['UTF-16', Buffer.from('\ufeffKäse 1 €', 'utf16le'), 'Käse 1 €'],
    ['UTF-16 without a mark', Buffer.from('Käse 12 €', 'utf16le'), 'Käse 12 €'],
    ['UTF-16, the other way round', Buffer.from('\ufeffKäse', 'utf16le').swap16(), 'Käse'],
    [
      'UTF-16 behind the cut at a line feed',
      Buffer.from('\nKäse 12 €', 'utf16le').subarray(1),
      'Käse 12 €',
    ],
    ['nulls of a power cut', latin1('\0\0\0\0item\0\0'), 'item'],
    ['colours', latin1('\x1b[31;1merror\x1b[0m no paper\x1b[K'), 'error no paper'],
    ['a title of a window', latin1('\x1b]0;till\x07ready'), 'ready'],
    ['a colour within a number', latin1('4111\x1b[0m1111'), '41111111'],
    ['a command that never ends', latin1('\x1b]0;till is ready'), '␛]0;till is ready'],
    ['a printer', latin1('\x1b@\x1dV\x00total 1'), '␝Vtotal 1'],
    ['Windows line ends', latin1('a\r\nb\r\n'), 'a\nb\n'],
    ['old Mac line ends', latin1('a\rb\rc\r'), 'a\nb\nc'],
    ['a bar of progress', latin1('10%\r20%\r\r\n'), '10%\n20%\n'],
    ['controls', latin1('\x02;4111\x03\x7f'), '␂;4111␃␡'],
    ['controls that nobody has', Buffer.from('a\u0085b\u009bc'), 'a<85>b<9b>c'],
    ['nothing', Buffer.alloc(0), ''],
  ])('%s', (_what, bytes, text) => {
    expect(decodeText(bytes)).toBe(text);
    expect(again(text)).toBe(text);
  });

  it('never hides a card number beside a control character', () => {
    for (let code = 0; code < 256; code += 1) {
      const bytes = Buffer.concat([Buffer.from([code]), Buffer.from('4111111111111111')]);
      const text = decodeText(Buffer.concat([bytes, Buffer.from([code])]));
      const isDigit = code >= 48 && code <= 57;
      if (!isDigit) expect(text).toMatch(/(?<!\d)4111111111111111(?!\d)/);
    }
  });

  it('gives valid text for any bytes, and the same text for that again', () => {
    const hostile = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 12 }),
        fc
          .constantFrom('\x1b', '\x1b[', '\x1b]', '\r', '\r\n', '\0', 'é', '\x07', '0m', '€')
          .map((text) => Buffer.from(text)),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(hostile, (pieces) => {
        const text = decodeText(Buffer.concat(pieces));
        expect(text.isWellFormed()).toBe(true);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be left
        expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
        expect(again(text)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('leaves UTF-8 without controls as it is', () => {
    fc.assert(
      fc.property(
        fc.array(CHARACTERS).map((all) => all.join('')),
        (text) => {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: those are read in their own way
          fc.pre(!/[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]/.test(text));
          expect(again(text)).toBe(text);
        },
      ),
    );
  });

  it('gives every byte its place: a character, a shown byte, or a part of one', () => {
    const marks = /[\u2400-\u2421]/g;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (raw) => {
        // Without what is left out by name: nulls, commands of a screen, marks.
        const bytes = raw.map((byte) => (byte === 0 || byte === 0x1b || byte === 13 ? 65 : byte));
        fc.pre(bytes[0] !== 0xff && bytes[0] !== 0xfe && bytes[0] !== 0xef);
        const text = decodeText(bytes)
          .replaceAll(/<[89][0-9a-f]>/g, 'x')
          .replaceAll(marks, 'x');
        if (isUtf8(bytes)) return;
        let characters = 0;
        for (const byte of bytes) if (byte < 0x80 || byte >= 0xc0) characters += 1;
        expect(text.length).toBeGreaterThanOrEqual(Math.floor(characters / 2));
        expect(text.length).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });

  it('reads hundreds of kilobytes of anything in time', () => {
    const from = performance.now();
    for (const piece of ['\x1b]', '\x1b[', '\x80', '\r', 'é', '\0a', '\x1b[0;']) {
      decodeText(latin1(piece.repeat(100_000)));
    }
    expect(performance.now() - from).toBeLessThan(3_000);
  });
});
