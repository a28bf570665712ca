// Card data whose characters were written as numbers: hexadecimal dumps of ASCII in every spacing, escapes of C,
// JSON and URLs, entities of HTML, and UTF-16 with its nulls. Twelve digits in such a code are the seed; the text
// around it is decoded within bounds, and what is found in that goes. One seed per code and no choice within
// one, so the time is linear.

import { findInner, placed } from './inner.ts';
import type { Span } from './span.ts';

type Code = {
  readonly seed: string;
  /** One character; a group holds its number if it is written as one. */
  readonly unit: string;
  readonly radix: number;
};

const DIGITS_MIN = 12;
/** @param digit code of a digit. @param gap code of what may stand between groups of digits. */
const seedOf = (digit: string, gap: string): string =>
  `${digit}(?:(?:${gap})?${digit}){${DIGITS_MIN - 1}}`;

const SPACE = '[ :,-]{0,2}';
const LISTED = '(?:, ?|[ ]|(?!\\d))';
const NUL = '(?:\\0|\\\\{1,8}(?:u0000|x00|0))';
const CODES: readonly Code[] = [
  {
    // 34313131, 34 31 31 31, 34:31, 3431 3131
    ...{ seed: seedOf(`3\\d${SPACE}`, `2[0bdeBDE]${SPACE}`), radix: 16 },
    unit: `([2-7][0-9a-fA-F])${SPACE}`,
  },
  {
    // UTF-16 in a dump: 34 00 31 00
    ...{ seed: seedOf(`3\\d ?00${SPACE}`, `2[0bdeBDE] ?00${SPACE}`), radix: 16 },
    unit: `([2-7][0-9a-fA-F]) ?00${SPACE}`,
  },
  {
    // With the other byte first: 00 34 00 31
    ...{ seed: seedOf(`00 ?3\\d${SPACE}`, `00 ?2[0bdeBDE]${SPACE}`), radix: 16 },
    unit: `00 ?([2-7][0-9a-fA-F])${SPACE}`,
  },
  {
    // \x34\x31, 0x34, 0x31
    ...{ seed: seedOf(`[0\\\\]x3\\d${SPACE}`, `[0\\\\]x2[0bdeBDE]${SPACE}`), radix: 16 },
    unit: `[0\\\\]x([2-7][0-9a-fA-F])${SPACE}`,
  },
  {
    ...{ seed: seedOf('\\\\{1,8}u003\\d', '\\\\{1,8}u00(?:2[0bdeBDE]|[aA]0)|[ .-]'), radix: 16 },
    unit: '\\\\{1,8}u00([2-7][0-9a-fA-F])',
  },
  {
    ...{ seed: seedOf('%3\\d', '%2[0bdeBDE]|[ .+-]'), radix: 16 },
    unit: '%([2-7][0-9a-fA-F])',
  },
  {
    ...{ seed: seedOf('&#(?:4[89]|5[0-7]);', '&#(?:32|4[356]|160);|&nbsp;|[ .-]'), radix: 10 },
    unit: '&#(\\d{2,3});',
  },
  {
    ...{ seed: seedOf('&#[xX]3\\d;', '&#[xX](?:2[0bdeBDE]|[aA]0);|&nbsp;|[ .-]'), radix: 16 },
    unit: '&#[xX]([2-7][0-9a-fA-F]|[aA]0);',
  },
  {
    // Bytes as JSON and Java print them: 52, 49, 49
    ...{ seed: seedOf(`(?:4[89]|5[0-7])${LISTED}`, `(?:32|4[56])${LISTED}`), radix: 10 },
    unit: `(?<!\\d)(3[2-9]|[4-9]\\d|1[01]\\d|12[0-6])${LISTED}`,
  },
  { seed: seedOf(`\\d${NUL}`, `[ .-]${NUL}`), unit: `[ -~]${NUL}`, radix: 0 },
];

export const CODED_TRIGGER = new RegExp(CODES.map(({ seed }) => seed).join('|'));

/** Before a seed stands at most the head of a track, or a key; behind it at most a track. */
const UNITS_BEFORE_MAX = 24;
const UNITS_AFTER_MAX = 100;

type Coder = {
  readonly seed: RegExp;
  readonly before: RegExp;
  readonly run: RegExp;
  readonly unit: RegExp;
  readonly radix: number;
};

const CODERS: readonly Coder[] = CODES.map(({ seed, unit, radix }) => ({
  seed: new RegExp(seed, 'g'),
  before: new RegExp(`(?<=((?:${unit.replace(/\((?!\?)/, '(?:')}){0,${UNITS_BEFORE_MAX}}))`, 'y'),
  run: new RegExp(`(?:${unit}|[ .-](?=[\\\\&%])){1,${UNITS_AFTER_MAX}}`, 'y'),
  unit: new RegExp(`${unit}|[ .-]`, 'g'),
  radix,
}));

/** The spans in the coded text around a seed at `at`, and where that text ends. */
function searchAround(text: string, at: number, coder: Coder): { spans: Span[]; end: number } {
  const { before, run, unit, radix } = coder;
  before.lastIndex = at;
  const head = before.exec(text)?.[1] ?? '';
  run.lastIndex = at;
  const end = run.test(text) ? run.lastIndex : at;
  const first = at - head.length;
  const starts: number[] = [];
  const ends: number[] = [];
  let decoded = '';
  for (const { 0: whole, 1: number, index } of text.slice(first, end).matchAll(unit)) {
    decoded +=
      number === undefined ? whole[0] : String.fromCharCode(Number.parseInt(number, radix));
    starts.push(first + index);
    ends.push(first + index + whole.length - (/[ :,-]*$/.exec(whole)?.[0].length ?? 0));
  }
  return { spans: placed(findInner(decoded), { starts, ends }), end };
}

export function findCoded(text: string): Span[] {
  const spans: Span[] = [];
  for (const coder of CODERS) {
    coder.seed.lastIndex = 0;
    for (let match = coder.seed.exec(text); match !== null; match = coder.seed.exec(text)) {
      const { spans: found, end } = searchAround(text, match.index, coder);
      spans.push(...found);
      coder.seed.lastIndex = Math.max(match.index + match[0].length, end);
    }
  }
  return spans.sort((a, b) => a.start - b.start);
}
