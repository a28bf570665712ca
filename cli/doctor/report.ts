// How findings are shown: one line each, and under what is not well one sentence of what to do. Nothing but words and
// spaces carries a meaning; colour only helps to find it.

import { plural, type Style, tame, wrap } from '../screen.ts';
import { counts, type Found, type State } from './check.ts';

const WORDS: Readonly<Record<State, string>> = {
  ok: 'ok',
  warn: 'warn',
  fail: 'FAIL',
  skipped: 'skip',
};
const NAME_COLUMN = 6;
const FOUND_COLUMN = 21;

const paint = (state: State, { good, bad, warn, dim }: Style) =>
  ({ ok: good, warn, fail: bad, skipped: dim })[state];

/** Behind the first line they are moved in below its words. */
const moved = (text: string, columns: number): string[] =>
  wrap(tame(text), Math.max(20, columns - FOUND_COLUMN));

export function linesOf({ check, state, found, todo }: Found, style: Style): string[] {
  const [first = '', ...rest] = moved(found, style.columns);
  const word = paint(state, style)(WORDS[state]) + ' '.repeat(NAME_COLUMN - WORDS[state].length);
  const name = check.padEnd(FOUND_COLUMN - NAME_COLUMN);
  const indent = ' '.repeat(FOUND_COLUMN);
  return [
    `${word}${name}${first}`,
    ...rest.map((line) => indent + line),
    ...(todo === undefined ? [] : moved(`-> ${todo}`, style.columns).map((line) => indent + line)),
  ];
}

export function summaryOf(all: readonly Found[]): string {
  const { ok, warn, fail, skipped } = counts(all);
  const words = [`${plural(all.length, 'finding')}: ${ok} ok`];
  if (warn > 0) words.push(plural(warn, 'warning'));
  const failed = all.filter(({ state }) => state === 'fail').map(({ check }) => check);
  if (fail > 0) words.push(`${fail} failed (${[...new Set(failed)].join(', ')})`);
  if (skipped > 0) words.push(`${skipped} could not be looked at`);
  return words.join(', ');
}
