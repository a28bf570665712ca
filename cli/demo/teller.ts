// How the demo speaks: headings, sentences of at most 80 columns, and measured times in one column. With
// --json each of them is one JSON object on a line of its own, for a program that watches.

import { COLUMNS, type Style, wrap } from '../screen.ts';

export type Teller = {
  readonly heading: (text: string) => void;
  readonly say: (text: string) => void;
  /** A moment: milliseconds after the beginning of what is told. */
  readonly at: (ms: number, text: string) => void;
  readonly good: (text: string) => void;
  readonly bad: (text: string) => void;
  /** Lines that are laid out already. */
  readonly lines: (lines: readonly string[]) => void;
};

const MARGIN = '   ';
const TIME_WIDTH = 10;

export function createTeller(print: (line: string) => void, style: Style, json: boolean): Teller {
  let step = 0;
  const object = (kind: string, text: string, more: object = {}): void =>
    print(JSON.stringify({ kind, step, text, ...more }));
  /** The first line begins with `lead`, the others stand below its text. */
  const block = (lead: string, width: number, text: string, paint = (line: string) => line) => {
    const [first = '', ...rest] = wrap(text, COLUMNS - MARGIN.length - width);
    print(`${MARGIN}${lead}${paint(first)}`);
    for (const line of rest) print(`${MARGIN}${' '.repeat(width)}${paint(line)}`);
  };
  if (json) {
    return {
      heading: (text) => {
        step += 1;
        object('heading', text);
      },
      say: (text) => object('say', text),
      at: (ms, text) => object('at', text, { ms: Math.round(ms) }),
      good: (text) => object('good', text),
      bad: (text) => object('bad', text),
      lines: (lines) => {
        for (const line of lines) object('line', line);
      },
    };
  }
  return {
    heading: (text) => {
      step += 1;
      print('');
      print(style.bold(`${step}. ${text}`));
    },
    say: (text) => block('', 0, text),
    at: (ms, text) => block(style.bold(timeText(ms)), TIME_WIDTH, text),
    good: (text) => block(`${style.good('ok')}  `, 4, text),
    bad: (text) => block(`${style.bad('failed')}  `, 8, text, style.bad),
    lines: (lines) => {
      for (const line of lines) print(line === '' ? '' : `${MARGIN}${line}`);
    },
  };
}

/** `  2.31 s  `: wide enough for minutes in seconds. */
export const timeText = (ms: number): string =>
  `${(Math.max(0, ms) / 1000).toFixed(2).padStart(6)} s  `;

/** Minor units as the cashier sees them. */
export const money = (minor: number): string => `${(minor / 100).toFixed(2)} EUR`;
