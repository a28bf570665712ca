// The difference of two texts, against patch(1)'s own reading of it where an example says too little.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differenceOf } from '../../broker/configurations/difference.ts';

const difference = (from: string, to: string) =>
  differenceOf({ name: 'a', text: from }, { name: 'b', text: to });

/** What patch(1) would make of `from`. */
function patched(from: string, unified: string): string {
  const source = from === '' ? [] : from.replace(/\n$/, '').split('\n');
  const result: string[] = [];
  let at = 0;
  for (const line of unified.split('\n').slice(2, -1)) {
    const hunk = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(line);
    if (hunk !== null) {
      const start = Number(hunk[1]) - (hunk[2] === '0' ? 0 : 1);
      result.push(...source.slice(at, start));
      at = start;
      continue;
    }
    if (line.startsWith('+')) result.push(line.slice(1));
    else {
      expect(source[at]).toBe(line.slice(1));
      if (line.startsWith(' ')) result.push(line.slice(1));
      at += 1;
    }
  }
  result.push(...source.slice(at));
  return result.map((line) => `${line}\n`).join('');
}

describe('the difference of two texts', () => {
  it('is nothing of two that are the same', () => {
    expect(difference('a\nb\n', 'a\nb\n')).toBe('');
    expect(difference('', '')).toBe('');
  });

  it('shows what goes and comes, with three lines around, as people know it', () => {
    const from = ['1', '2', '3', '4', '5', '6', '7', '8', '9', ''].join('\n');
    expect(difference(from, from.replace('5', 'five'))).toBe(
      `--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n`,
    );
    expect(difference('', 'mode: act\n')).toBe('--- a\n+++ b\n@@ -0,0 +1,1 @@\n+mode: act\n');
  });

  it('leads from one to the other, whatever they are', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', '', '- x'), { maxLength: 30 })
      .map((lines) => lines.map((line) => `${line}\n`).join(''));
    fc.assert(
      fc.property(text, text, (from, to) => {
        const unified = difference(from, to);
        expect(unified === '' ? from : patched(from, unified)).toBe(to);
      }),
      { numRuns: 500 },
    );
  });

  it('takes no longer for two that have nothing in common', () => {
    const many = (word: string) => Array.from({ length: 20_000 }, (_, at) => `${word}${at}`);
    const [from, to] = [many('a'), many('b')].map((lines) => `${lines.join('\n')}\n`) as [
      string,
      string,
    ];
    const unified = difference(from, to);
    expect(unified.split('\n')).toHaveLength(40_004);
    expect(patched(from, unified)).toBe(to);
  });
});
