// Every test card of the research in every encoding is gone, wherever a stream was cut, and a second pass finds nothing
// more. Then what no list of examples can say: whatever stands around a number or a track, and however the stream was
// chunked, none of either comes out.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_COUNTS, openRedactStream, redactString } from '../../redact/index.ts';
import { issuerOf, passesLuhn } from '../../redact/issuers.ts';
import { cards, containsCard } from './redact-corpus.ts';
import { asTrack1, asTrack2, type Encoded, moreEncodings } from './redact-encodings.ts';

const redact = (text: string): string => redactString(text).value;

function streamed(bytes: Uint8Array, cuts: readonly number[]): string {
  const stream = openRedactStream();
  const out: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    out.push(stream.push(bytes.subarray(from, cut)));
    from = cut;
  }
  out.push(stream.end());
  return Buffer.concat(out).toString();
}

const isDump = ({ name }: Encoded): boolean => /^(?:hexdump|xxd) /.test(name);

/** What is left of a number in a dump: of the bytes, and of the characters beside them. */
function leftInDump(out: string, card: string): string[] {
  const rows = out.split('\n').map((row) => row.replace(/^[0-9a-f]{8}:? /, ''));
  return rows.flatMap((row) => {
    const bytes = [...row.matchAll(/(?<![0-9a-f])(?:3\d ?)+/g)].map(([run]) =>
      run.replaceAll(' ', '').replace(/3(\d)/g, '$1'),
    );
    const chars = (/(?:\||\s{2})\S.*$/.exec(row)?.[0].match(/\d+/g) ?? []).map(String);
    return [...bytes, ...chars].filter((digits) => digits.length > 2 && card.includes(digits));
  });
}

function check(one: Encoded, card: string): void {
  const { value } = redactString(one.text);
  if (isDump(one)) expect(leftInDump(value, card), `${one.name}: ${value}`).toEqual([]);
  else {
    expect(one.text, `${one.name} says what must not be left`).toContain(one.leak);
    expect(value.includes(one.leak), `${one.name}: ${value}`).toBe(false);
  }
  expect(redactString(value), one.name).toEqual({ value, counts: NO_COUNTS });
}

describe.each(cards)('the card %s', (card) => {
  it('is gone from every encoding, and a second pass finds nothing', () => {
    const all = moreEncodings(card);
    expect(all.length).toBeGreaterThan(200);
    for (const one of all) check(one, card);
  });
});

describe('a stream that is cut at any byte', () => {
  it.each(['4111111111111111', '378282246310005'])(
    'has every encoding of %s as a whole',
    (card) => {
      for (const { name, text } of moreEncodings(card)) {
        const whole = redact(text);
        const bytes = Buffer.from(text);
        // A long text is cut at each byte once, in pieces, instead of once for each byte.
        const step = bytes.length > 120 ? 7 : 1;
        for (let first = 0; first < (step === 1 ? bytes.length : step); first += 1) {
          const cuts: number[] = [];
          for (let at = first; at < bytes.length; at += step === 1 ? bytes.length : step)
            cuts.push(at);
          expect(streamed(bytes, cuts), `${name} cut at ${first}`).toBe(whole);
        }
      }
    },
  );
});

function isJson(text: string): boolean {
  try {
    return typeof JSON.parse(text) === 'object';
  } catch {
    return false;
  }
}

describe('JSON', () => {
  it('stays JSON wherever a card was in it', () => {
    for (const card of cards) {
      for (const { name, text } of moreEncodings(card)) {
        if (!isJson(text)) continue;
        expect(() => JSON.parse(redact(text)), `${name}: ${redact(text)}`).not.toThrow();
      }
    }
  });
});

/** A number in a narrow range of an issuer, at a length of it, with its check digit. */
const narrow = fc
  .tuple(
    fc.constantFrom(...cards.map((card) => [card.slice(0, 6), card.length] as const)),
    fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 19, maxLength: 19 }),
  )
  .map(([[range, length], rest]) => {
    const body = (range + rest.join('')).slice(0, length - 1);
    const last = '0123456789'.split('').find((digit) => passesLuhn(body + digit)) ?? '0';
    return body + last;
  });
/** Anything but digits and letters, which would make another number or a hash of it. */
const around = fc
  .string({ unit: 'grapheme', maxLength: 24 })
  .map((text) =>
    text.replace(/[0-9a-zA-Z\\%&\s.+_=-]/g, '').replace(/[\u00a0-\u202f\u2212]/g, '#'),
  );
const words = fc.constantFrom(
  '',
  'paid ',
  'x=',
  'q: "',
  '<n>',
  '{"n":',
  '\u001b[0m ',
  'müller ',
  '€ ',
);
const whole = fc.tuple(around, words, narrow, fc.constantFrom('', ' ', '"', ',', '}', '</n>', '€'));
const cutsOf = (length: number, sizes: readonly number[]): number[] => {
  const cuts: number[] = [];
  for (let at = 0, turn = 0; at < length; turn += 1) {
    at += sizes[turn % sizes.length] ?? 1;
    if (at < length) cuts.push(at);
  }
  return cuts;
};
const sizesOf = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });

describe('whatever stands around', () => {
  it('no number of an issuer with a right check digit comes out', () => {
    fc.assert(
      fc.property(fc.array(whole, { minLength: 1, maxLength: 6 }), sizesOf, (parts, sizes) => {
        const text = parts.map(([a, word, card, end]) => `${a}${word}${card}${end}`).join(' ; ');
        const bytes = Buffer.from(text);
        const out = streamed(bytes, cutsOf(bytes.length, sizes));
        for (const [, , card] of parts)
          expect(containsCard(out, card), `${text}\n${out}`).toBe(false);
        for (const [run] of out.matchAll(/(?<!\d)\d{12,19}(?!\d)/g)) {
          expect(issuerOf(run)?.wide === false && passesLuhn(run), out).toBe(false);
        }
      }),
      { numRuns: 1_500 },
    );
  });

  it('no track comes out, also of a number that is no card', () => {
    const number = fc.stringMatching(/^[1-9]\d{11,18}$/);
    const name = fc.stringMatching(/^[A-Z]{1,12}\/[A-Z ]{1,10}$/);
    const rest = fc.stringMatching(/^\d{7,20}$/);
    fc.assert(
      fc.property(around, number, name, rest, around, sizesOf, (a, digits, who, more, b, sizes) => {
        const tracks = [`%B${digits}^${who}^${more}?`, `;${digits}=${more}?`];
        const bytes = Buffer.from(`${a} ${tracks.join(' ')} ${b}`);
        const out = streamed(bytes, cutsOf(bytes.length, sizes));
        expect(out).not.toContain(digits);
        expect(out).not.toContain(more);
        expect(out).not.toContain(who);
      }),
      { numRuns: 1_000 },
    );
  });

  it('cards and tracks beside each other all go', () => {
    const [a = '', b = ''] = cards;
    const text = `${a} ${b}|${asTrack1(a)}${asTrack2(b)}${a},${b};${b}`;
    expect(redact(text)).not.toMatch(/\d{5}/);
    expect(redact(`pan=${a}&pan=${b}`)).toBe('pan=[PAN visa ....1111]&pan=[PAN visa ....1881]');
  });
});
