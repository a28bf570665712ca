// Which error records are of one kind.

import { describe, expect, it } from 'vitest';
import { signatureOf } from '../../protocol/signatures.ts';

const of = (text: string) => signatureOf('sale', 'error', text);

describe('two errors are of one kind', () => {
  it.each([
    ['receipt 4711 not printed after 3 tries', 'receipt 815 not printed after 12 tries'],
    ['cannot read /var/lib/till/a.db', 'cannot read /srv/x/b.db'],
    ['no answer from http://10.0.0.7:80/x?y=1', 'no answer from https://hq.example/'],
    ['sku "banana" unknown', 'sku "apple pie" unknown'],
    ['card [PAN visa ....1111] refused', 'card [PAN amex ....0005] refused'],
    [
      'order 0b3f6f0e-5a8a-4f3c-9a51-0a4a9a3a7f10 lost',
      'order e1b2a2ee-0000-4f3c-9a51-0a4a9a3a7f10 lost',
    ],
    ['job a1b2c3d4 failed', 'job ffee0011 failed'],
  ])('%s and %s', (one, other) => {
    expect(of(one)).toEqual(of(other));
    expect(of(one).pattern).toContain('*');
  });
  it('when only the deeper frames of their stacks differ', () => {
    const stack = (line: number, deep: string): string =>
      `Error: timeout\n    at ask (printer.js:${line}:3)\n    at ${deep} (x.js:1:1)`;
    expect(of(stack(4, 'a'))).toEqual(of(stack(9, 'b')));
    expect(of(stack(4, 'a')).pattern).toBe('Error: timeout at ask (printer.js:*)');
  });
});

describe('two errors are of different kinds', () => {
  it('by their words, their component, their level and where they come from', () => {
    const ids = [
      of('the printer does not answer').id,
      of('the scanner does not answer').id,
      signatureOf('sync', 'error', 'the printer does not answer').id,
      signatureOf('sale', 'warn', 'the printer does not answer').id,
      of('the printer does not answer\n    at ask (printer.js:1:1)').id,
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});

it('a text made to be slow takes its length', () => {
  const took = (text: string): number => {
    const startedMs = performance.now();
    for (let turn = 0; turn < 200; turn += 1) of(text);
    return performance.now() - startedMs;
  };
  for (const piece of ['a-', '1-', '-', '/', '"', '* ', 'a@', 'a.', '[', 'https://']) {
    const whole = piece.repeat(2_000 / piece.length);
    took(whole);
    expect(took(whole) / took(whole.slice(0, 500)), piece).toBeLessThan(40);
  }
});
