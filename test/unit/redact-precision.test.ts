// What a till's log is full of and what is no card stays: at most one line in ten thousand of each class is
// touched (design.md section 7). And it is quick: a line costs the same however hostile it is.

import { describe, expect, it } from 'vitest';
import { NO_COUNTS, redactString } from '../../redact/index.ts';
import { harmless, seeded } from './redact-corpus.ts';

const LINES = 40_000;
const WRONG_RATIO_MAX = 0.0001;

describe('what only looks like a card', () => {
  it.each(Object.keys(harmless))('%s stays', (name) => {
    const random = seeded(20_261_123);
    const line = harmless[name];
    if (line === undefined) throw new Error(name);
    const touched: string[] = [];
    for (let count = 0; count < LINES; count += 1) {
      const text = line(random);
      if (redactString(text).value !== text) touched.push(text);
    }
    expect(touched.length / LINES, touched.slice(0, 3).join('\n')).toBeLessThanOrEqual(
      WRONG_RATIO_MAX,
    );
  });

  it('under a harmless key is a card all the same when its form is not the key’s', () => {
    expect(redactString('receipt no. 4111111111111111').counts.pan).toBe(1);
    expect(redactString('{"gtin":"4111111111111111"}').counts.pan).toBe(1);
    expect(redactString('{"imei":"4111111111111111"}').counts.pan).toBe(1);
  });
});

describe('hostile text', () => {
  it.each([
    ['digits', '4'.repeat(32_000)],
    ['digits and blanks', '4 '.repeat(16_000)],
    ['groups', '4111 1111 1111 111 '.repeat(1_600)],
    ['carets', `B4111111111111111^${'^'.repeat(30_000)}`],
    ['quotes', '"pan":"'.repeat(4_500)],
    ['backslashes', `"pan":"${'\\'.repeat(30_000)}`],
    ['per cent', '%20'.repeat(10_000)],
    ['words', 'cvv security code pin '.repeat(1_400)],
  ])('of nothing but %s takes no longer than ten times an ordinary line', (_name, text) => {
    const ordinary = 'a quiet line of a component that says what it does. '.repeat(600);
    const cost = (one: string): number => {
      const startMs = performance.now();
      for (let turn = 0; turn < 5; turn += 1) redactString(one);
      return performance.now() - startMs;
    };
    cost(ordinary);
    // Generous: a quadratic pattern on 32 KB is a thousand times slower, not fifty.
    expect(cost(text)).toBeLessThan(cost(ordinary) * 10 + 250);
  });

  it('that is empty or one character is nothing', () => {
    expect(redactString('').counts).toEqual(NO_COUNTS);
    expect(redactString('4').value).toBe('4');
  });
});
