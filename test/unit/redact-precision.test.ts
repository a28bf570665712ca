// What a till's log is full of and what is no card stays: at most one line in ten thousand of each class is
// touched (design.md section 7). And it is quick: a line costs the same however hostile it is.

import { describe, expect, it } from 'vitest';
import { NO_COUNTS, redactString } from '../../redact/index.ts';
import { harmless, seeded } from './redact-corpus.ts';
import { retailLines } from './retail-log.ts';

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

describe('a retail log of 50 000 lines', () => {
  it('has at most one line in ten thousand touched, of all its classes', () => {
    const touched: string[] = [];
    const count = 50_000;
    for (const { name, line } of retailLines(20_261_123, count)) {
      const { value } = redactString(line);
      if (value !== line) touched.push(`${name}: ${value}`);
    }
    expect(touched.length / count, touched.join('\n')).toBeLessThanOrEqual(WRONG_RATIO_MAX);
  });

  it('is no way to hide a card in', () => {
    const gone = [
      'refund to DE44 4111 1111 1111 1111 44 booked',
      'refund to DE07 4111 1111 1111 1111 booked',
      'case (01)4111111111111111 received',
      'case (01)30569309025904 received',
      '{\\"gtin\\":\\"4111111111111111\\"}',
      'traceparent=00-7eb25f47d55272e27864e1022f2238cc-4111111111111111',
      'card 5000000000000611 declined',
      'time":1763000000000,4111111111111111,',
      '1763000000000 4111 1111 1111 1111',
      '%104111111111111111 ',
    ];
    for (const text of gone) expect(redactString(text).counts.pan, text).toBe(1);
  });

  it('keeps account numbers, cases and span ids that are right', () => {
    for (const text of [
      'refund to DE95 4111 1111 1111 1111 00 booked',
      'case (01)36950267771289 received',
      'paid by card: item 5714437637573',
      '{\\"receipt\\":\\"4150680275846746265\\"}',
      'traceparent=00-7eb25f47d55272e27864e1022f2238cc-c378388810484900-01',
    ]) {
      expect(redactString(text).value).toBe(text);
    }
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
      const start = process.threadCpuUsage();
      for (let turn = 0; turn < 5; turn += 1) redactString(one);
      const { user, system } = process.threadCpuUsage(start);
      return (user + system) / 1_000;
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
