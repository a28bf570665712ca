// The redactor finds every card of the corpus, however it is written and wherever the stream is cut, and
// leaves alone what only looks like one.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  LINE_CHARS_MAX,
  NO_COUNTS,
  openRedactStream,
  redactFields,
  redactString,
} from '../../redact/index.ts';
import { cards, containsCard, encodings, track1, track2, wideCards } from './redact-corpus.ts';

const redact = (text: string): string => redactString(text).value;

function redactInTwo(text: string, cut: number): string {
  const stream = openRedactStream();
  const bytes = Buffer.from(text);
  const out = [stream.push(bytes.subarray(0, cut)), stream.push(bytes.subarray(cut)), stream.end()];
  return Buffer.concat(out).toString();
}

describe('a card number', () => {
  it('is named by its issuer and its last four digits', () => {
    expect(redact('paid with 4111111111111111 today')).toBe('paid with [PAN visa ....1111] today');
    expect(redact('3782 822463 10005')).toBe('[PAN amex ....0005]');
    expect(redact('{"pan":4111111111111111,"a":1}')).toBe('{"pan":"[PAN visa ....1111]","a":1}');
  });

  it.each(cards)('%s is found in every encoding', (card) => {
    for (const [name, text] of encodings(card)) {
      const out = redact(text);
      expect(containsCard(out, card), `${name}: ${out}`).toBe(false);
      expect(out, name).toContain('[');
    }
  });

  it.each(cards)('%s is found wherever a stream is cut', (card) => {
    for (const [name, text] of encodings(card)) {
      const whole = redact(text);
      for (let cut = 0; cut <= text.length; cut += 1) {
        expect(redactInTwo(text, cut), `${name} cut at ${cut}`).toBe(whole);
      }
    }
  });

  it('of a wide range is found grouped, or near a word of cards', () => {
    for (const card of wideCards) {
      expect(redact(`maestro ${card}`), card).not.toContain(card);
      expect(redact(`no. ${card.replace(/(\d{4})(?=\d)/g, '$1 ')}.`), card).toContain('[PAN');
      expect(redact(`loyalty ${card}`), card).toContain(card);
    }
  });

  it('stands out of a row of other numbers', () => {
    expect(redact('2 4111 1111 1111 1111 12/29 123')).toBe('2 [PAN visa ....1111] 12/29 123');
    expect(redact('2026-11-23 4111111111111111')).toBe('2026-11-23 [PAN visa ....1111]');
    expect(redact('7 4111111111111111 8 5555555555554444 9')).toBe(
      '7 [PAN visa ....1111] 8 [PAN mastercard ....4444] 9',
    );
  });

  it('is found behind an escape whose digits touch it', () => {
    expect(redact('q=%204111111111111111')).toBe('q=%20[PAN visa ....1111]');
    expect(redact('q=%224111111111111111%22')).toBe('q=%22[PAN visa ....1111]%22');
    expect(redact('{"a":"\\u00224111111111111111\\u0022"}')).toContain('[PAN visa');
    expect(redact('100 %4111111111111111')).toContain('[PAN visa');
  });

  it('survives a second pass unchanged', () => {
    for (const card of cards) {
      for (const [name, text] of encodings(card)) {
        const once = redactString(text).value;
        expect(redactString(once), name).toEqual({ value: once, counts: NO_COUNTS });
      }
    }
  });
});

describe('a track', () => {
  it('goes as a whole, also when its number is no real one', () => {
    expect(redact(`read ${track1} ok`)).toBe('read [TRACK] ok');
    expect(redact(`read ${track2} ok`)).toBe('read [TRACK] ok');
    expect(redact(';1234567890123=29122011234567890?')).toBe('[TRACK]');
    expect(redact('%B1234567890123^DOE/JOHN^2912201?')).toBe('[TRACK]');
    expect(redact('4111111111111111D29122011234567890F')).toBe('[TRACK]');
  });

  it('is found as JSON and URLs write it', () => {
    for (const track of [track1, track2]) {
      expect(redact(encodeURIComponent(track))).toBe('[TRACK]');
      expect(redact(JSON.stringify({ raw: track, level: 'info' }))).toBe(
        '{"raw":"[TRACK]","level":"info"}',
      );
    }
    expect(redact(track2.replace('=', '\\u003d'))).toBe('[TRACK]');
    expect(redact('B3727 006992 51018^DOE/J^2912201123')).toBe('[TRACK]');
  });

  it('is found wherever a stream is cut', () => {
    const text = `a ${track1} b ${track2} c`;
    for (let cut = 0; cut <= text.length; cut += 1) {
      expect(redactInTwo(text, cut)).toBe('a [TRACK] b [TRACK] c');
    }
  });
});

describe('security codes and keys', () => {
  it('lose their values', () => {
    expect(redact('cvv=123 cvc: 4567, security code 999')).not.toMatch(/\d{3}/);
    expect(redact('{\\"cvv\\":\\"123\\"}')).toBe('{\\"cvv\\":\\"[REMOVED]\\"}');
    expect(redact('{"track2":"anything at all","x":1}')).toBe('{"track2":"[REMOVED]","x":1}');
    expect(redact('{"pin_block":"0412AC89ABCDEF67"}')).toBe('{"pin_block":"[REMOVED]"}');
    expect(redact('cvv2=1234&pin=9876;')).toBe('cvv2=[REMOVED]&pin=[REMOVED];');
  });

  it('are told from words that only begin like them', () => {
    for (const text of ['spin=1234', 'shopping 1234', '"pinned":true', 'acid 1234', '"pin":null']) {
      expect(redact(text)).toBe(text);
    }
  });
});

describe('a log record', () => {
  it('loses card data in texts, numbers, keys, lists and depths', () => {
    const record = {
      message: 'paid with 4111111111111111',
      pan: '5555555555554444',
      cvv: 123,
      nested: { list: [4242424242424242, 'x'], track2: 'anything' },
      when: new Date(0),
      count: 7,
    };
    const { value, counts } = redactFields(record);
    expect(value).toEqual({
      message: 'paid with [PAN visa ....1111]',
      pan: '[PAN mastercard ....4444]',
      cvv: '[REMOVED]',
      nested: { list: ['[PAN visa ....4242]', 'x'], track2: '[REMOVED]' },
      when: '1970-01-01T00:00:00.000Z',
      count: 7,
    });
    expect(counts).toEqual({ ...NO_COUNTS, pan: 3, key: 2 });
  });

  it('that is round or deep is cut, not followed for ever', () => {
    const round: Record<string, unknown> = { a: 1 };
    round['self'] = round;
    expect(JSON.stringify(redactFields(round).value)).toContain('[REMOVED]');
  });
});

describe('any stream', () => {
  const card = fc.constantFrom(...cards);
  const around = fc.stringMatching(/^[g-zG-Z ,;:"{}\n=&é€_-]{0,30}$/);
  const separator = fc.constantFrom('', ' ', '-', '.');

  it('holds no number of an issuer with a right check digit, however it was chunked', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(around, card, separator), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 }),
        (parts, sizes) => {
          const written = parts.map(([text, digits, between]) => {
            const groups = digits.match(/.{4,5}(?=.{4})|.+/g) ?? [];
            return `${text} ${between === '' ? digits : groups.join(between)} `;
          });
          const bytes = Buffer.from(written.join('x'));
          const stream = openRedactStream();
          const out: Buffer[] = [];
          for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1;
            out.push(stream.push(bytes.subarray(at, at + size)));
            at += size;
          }
          out.push(stream.end());
          const text = Buffer.concat(out).toString();
          for (const [, digits] of parts) expect(containsCard(text, digits), text).toBe(false);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('without card data comes out byte for byte', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 }), (chunks) => {
        const stream = openRedactStream();
        const out = [...chunks.map((chunk) => stream.push(chunk)), stream.end()];
        expect(Buffer.concat(out)).toEqual(Buffer.concat(chunks));
      }),
    );
  });

  it('of a line that must be cut marks a card on the cut once', () => {
    for (let shift = 0; shift <= 40; shift += 1) {
      const before = 'z'.repeat(LINE_CHARS_MAX - 21 + shift);
      const stream = openRedactStream();
      const out = [
        stream.push(Buffer.from(`${before} 4111 1111 1111 1111 ${'z'.repeat(2_000)}`)),
        stream.end(),
      ];
      const text = Buffer.concat(out).toString();
      expect(text.length, `shift ${shift}`).toBe(before.length + 2 + 19 + 2_000);
      expect(stream.counts().pan).toBe(1);
    }
  });

  it('of one endless line keeps little in memory and tears no card at its own cuts', () => {
    const stream = openRedactStream();
    let out = '';
    let held = 0;
    for (let part = 0; part < 2_000; part += 1) {
      const bytes = Buffer.from(`${'z'.repeat(part % 300)} 4111-1111-1111-1111 `);
      held += bytes.length;
      const done = stream.push(bytes);
      held -= done.length;
      out += done.toString();
      expect(held).toBeLessThan(40_000);
    }
    out += stream.end().toString();
    expect(out.length).toBeGreaterThan(300_000);
    expect(out).not.toMatch(/1111-/);
    expect(out.match(/\[PAN visa \.{4}1111\]/g)?.length).toBe(2_000);
  });
});
