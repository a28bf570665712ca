// Texts that cost more than they are worth: whoever reads a configuration says no, in time, and never throws.

import { describe, expect, it } from 'vitest';
import { formatProblem, loadConfig } from '../../configuration/config.ts';
import { readDocument } from '../../configuration/fleet.ts';

const BYTES = 256 * 1024;
const many = (count: number, line: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => line(at)).join('\n');
/** Far above what the slowest of them takes, far below what a quadratic one does. */
const MS_MAX = 6_000;

const TEXTS: readonly (readonly [string, string, RegExp])[] = [
  ['thousands of keys', many(26_000, (at) => `k${at}: 1`), /k0: is not a key/],
  [
    'thousands of names in one key',
    `components:\n  - name: a\n    command: [x]\n    env:\n${many(16_000, (at) => `      K${at}: "1"`)}`,
    /env: must have at most 100 entries/,
  ],
  [
    'a long chain of components',
    `components:\n${many(7_000, (at) => `  - {name: c${at}, after: [c${at + 1}]}`)}`,
    /components: must have at most 32 entries/,
  ],
  ['lists in lists', '['.repeat(BYTES - 1), /not valid YAML/],
  [
    'aliases of aliases',
    `a: &a [x,x,x,x,x,x,x,x,x]\n${many(9, (at) => `${'bcdefghij'[at]}: &${'bcdefghij'[at]} [${Array(9).fill(`*${'abcdefghi'[at]}`).join(',')}]`)}`,
    /not valid YAML: Excessive alias count/,
  ],
];

describe('a text that costs much', () => {
  it.each(TEXTS)('%s', (_what, text, sentence) => {
    const startedMs = performance.now();
    const read = readDocument(text.slice(0, BYTES));
    const ms = performance.now() - startedMs;
    expect(read.ok ? '' : read.problems.map(formatProblem).join('\n')).toMatch(sentence);
    expect(ms).toBeLessThan(MS_MAX);
  });

  it('is no file of a till either', () => {
    for (const [, text] of TEXTS.slice(0, 3)) {
      expect(loadConfig(text.slice(0, BYTES), '/etc/pos').ok).toBe(false);
    }
  });
});

describe('a key that stands twice', () => {
  it.each([
    ['at the top', 'mode: act\nlink: {}\nmode: observe\n', /^line 3: .*"mode" stands here twice/],
    [
      'within a component',
      'components:\n  - name: a\n    command: [x]\n    name: b\n',
      /^line 4: /,
    ],
    ['in quotes and without', 'mode: act\n"mode": observe\n', /^line 2: /],
  ])('%s is told, with its line', (_what, text, sentence) => {
    const read = readDocument(text);
    expect(read.ok ? '' : read.problems.map(formatProblem).join('\n')).toMatch(sentence);
  });
});
