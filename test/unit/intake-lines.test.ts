// Bytes become lines with places: whatever the pieces are, wherever a reading ends and goes on, each line comes once.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText } from '../../agent/logs/formats/index.ts';
import { LineCutter, type TakenLine } from '../../agent/logs/intake/lines.ts';

const MEBIBYTE = 1024 * 1024;
const pushAll = (cutter: LineCutter, bytes: Buffer, piece: number): TakenLine[] => {
  const all: TakenLine[] = [];
  for (let at = 0; at < bytes.length; at += piece) {
    // Used again by whoever reads: nothing may be kept of it.
    const chunk = Buffer.from(bytes.subarray(at, at + piece));
    all.push(...cutter.push(chunk));
    chunk.fill(0x2a);
  }
  return all;
};
const texts = (lines: readonly TakenLine[]): string[] => lines.map(({ text }) => text);

describe('lines of output', () => {
  it('come once and whole, however they are cut and wherever a reader goes on', () => {
    const line = fc.stringMatching(/^[ -~äß]{0,40}$/);
    fc.assert(
      fc.property(fc.array(line), fc.integer({ min: 1, max: 50 }), fc.nat(), (lines, piece, at) => {
        const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(''));
        const cutter = new LineCutter(decodeText, 0);
        const all = pushAll(cutter, bytes, piece);
        expect(texts(all)).toEqual(lines);
        expect(cutter.at).toBe(bytes.length);
        const last = all[at % Math.max(1, all.length)];
        if (last === undefined) return;
        const again = new LineCutter(decodeText, last.to, last.standing);
        const rest = texts(pushAll(again, bytes.subarray(last.to), piece));
        expect(rest).toEqual(lines.slice(lines.length - rest.length));
        expect(all.indexOf(last) + 1 + rest.length).toBe(lines.length);
      }),
    );
  });

  it('of any length cost the memory of one: its begin is kept, and how much is missing is told', () => {
    const cutter = new LineCutter(decodeText, 0);
    const all = texts([...cutter.push(Buffer.from('short\n'))]);
    for (let n = 0; n < 256; n += 1) {
      all.push(...texts([...cutter.push(Buffer.alloc(64 * 1024, 'x'))]));
      expect(cutter.heldBytes).toBeLessThan(128 * 1024);
    }
    all.push(...texts([...cutter.push(Buffer.from('\nnext\n'))]));
    expect(all[1]).toMatch(/^x{16384} \[cut\]$/);
    expect(all.slice(2)).toEqual(['[tillwatch: 16.0 MB of that line not kept here]', 'next']);
  });

  it('that are a little too long say how many bytes are cut, and never within digits', () => {
    const card = '4111 1111 1111 1111';
    const cutter = new LineCutter(decodeText, 0);
    const [line] = [...cutter.push(Buffer.from(`${'x'.repeat(16 * 1024 - 8)}${card} behind\n`))];
    expect(line?.text).toMatch(/^x+ \[26 bytes cut\]$/);
  });

  it('are never cut within a word that may hide a card: in base64, in hex, in a quoted value', () => {
    const base64 = Buffer.from('{"card":"4111111111111111","until":"0127"}').toString('base64');
    const hex = Buffer.from('4111111111111111=0127').toString('hex').replaceAll('3', 'aF3');
    for (const token of [base64, `"${base64}"`, hex, `data="${hex}"`]) {
      for (let kept = 1; kept < token.length; kept += 1) {
        const begin = 'word '.repeat(4_000).slice(0, 16 * 1024 - kept - 1);
        const one = `${begin} ${token} behind`;
        const [little] = [...new LineCutter(decodeText, 0).push(Buffer.from(`${one}\n`))];
        const far = Buffer.from(`${one} ${'y'.repeat(40_000)}`);
        const [much] = [...new LineCutter(decodeText, 0).push(far)];
        for (const text of [little?.text, much?.text]) {
          const shown = text?.slice(begin.length).replace(/ ?\[.*cut\]$/, '') ?? '';
          expect(['', ' ', ' "', ' data="', ' data='], `${kept}: ${shown}`).toContain(shown);
        }
      }
    }
  });

  it('that do not end go out without what may be half of a number, and so does what follows', () => {
    const cutter = new LineCutter(decodeText, 0);
    expect([...cutter.push(Buffer.from('pay 411111111'))]).toEqual([]);
    expect(texts([...cutter.breakOff(false)])).toEqual(['pay [cut]']);
    expect(cutter.standing).toBe('half');
    const rest = [...cutter.push(Buffer.from('1111111 now\n12345678 next\n'))];
    expect(texts(rest)).toEqual(['[cut] now', '12345678 next']);
  });

  it('that are broken off at a blank of a card number leave no two halves to put together', () => {
    for (const separator of [' ', '-', '. ', '\u00a0', '']) {
      const card = ['4111', '1111', '1111', '1111'].join(separator);
      for (let at = 1; at < card.length; at += 1) {
        const cutter = new LineCutter(decodeText, 0);
        const all = [...cutter.push(Buffer.from(`pay ${card.slice(0, at)}`))];
        all.push(...cutter.breakOff(false));
        all.push(...cutter.push(Buffer.from(`${card.slice(at)} ok\n`)));
        const digits = texts(all).join('').replaceAll(/\D/g, '');
        expect(digits.length, `${separator} ${at}`).toBeLessThan(4);
      }
    }
    const cutter = new LineCutter(decodeText, 0);
    const all = ['pay 4111', ' 1111', ' 1111', ' 1111 ok\n'].flatMap((piece) => [
      ...cutter.push(Buffer.from(piece)),
      ...cutter.breakOff(false),
    ]);
    expect(texts(all).join('')).not.toMatch(/\d/);
  });

  it('have no place that was freed: long runs of nulls are nobody’s words, a few are', () => {
    const cutter = new LineCutter(decodeText, 0);
    const holes = Buffer.alloc(3 * MEBIBYTE);
    const bytes = Buffer.concat([Buffer.from('one\n'), holes, Buffer.from('two\nth\0ree\n')]);
    expect(texts(pushAll(cutter, bytes, 64 * 1024))).toEqual(['one', 'two', 'three']);
    expect(cutter.at).toBe(bytes.length);
  });
});
