// Received log records as a person reads them: local time of the store, component, level in its colour and the record's
// own words first. A program that reads them gets one record a line. What a log says must not drive the terminal
// that it is shown on.

import type { LogLevel } from '../protocol/catalogue.ts';
import type { LogRecord } from '../protocol/log-lines.ts';
import type { Style } from './screen.ts';
import { localClock, localStamp } from './when.ts';
import type { Zone } from './zone.ts';

/** A tab is harmless; what turns the order of words round shows something that nobody printed. */
const tame = (text: string): string =>
  text.replace(/[^\P{Cc}\t]|[\u202a-\u202e\u2066-\u2069]/gu, ' ');

/** What is no record, line by line. */
export const tameLines = (text: string): string => text.split('\n').map(tame).join('\n');

/** Shown by themselves, or on every line the same. */
const SHOWN = ['level', 'message', 'msg', 'timestamp', 'time', 'component', 'version'];

type Parts = { readonly text: string; readonly rest: string };

/** Of JSON its message, and whatever else it says behind it. */
function partsOf(text: string): Parts {
  const plain = { text, rest: '' };
  if (!text.startsWith('{')) return plain;
  try {
    const record = JSON.parse(text) as Record<string, unknown>;
    const message = record['message'] ?? record['msg'];
    if (typeof message !== 'string') return plain;
    const others = Object.entries(record).filter(([key]) => !SHOWN.includes(key));
    const rest = others.length === 0 ? '' : JSON.stringify(Object.fromEntries(others));
    return { text: message, rest };
  } catch {
    return plain; // a cut line, or no JSON at all
  }
}

const paintOf = (style: Style, level: LogLevel | undefined): ((text: string) => string) => {
  if (level === 'error') return style.bad;
  return level === 'warn' ? style.warn : style.dim;
};

/** What follows the first line of a record, under its words. */
const INDENT = ' '.repeat(6);

export type Shown = {
  readonly style: Style;
  /** Of the clock that is shown. */
  readonly zone?: Zone;
  /** Stands before each record, where several terminals answer. */
  readonly terminal?: string | undefined;
};

/** For a person: one line, and those of a stack trace below it. */
export function shownLines(record: LogRecord, { style, zone, terminal }: Shown): string[] {
  const { timeMs, guessed, component, level } = record;
  const { text, rest } = partsOf(record.text);
  const [first = '', ...more] = text.split('\n');
  const time = `${localClock(timeMs, zone)}${guessed ? '~' : ' '}`;
  const where = terminal === undefined ? '' : `${terminal} `;
  const paint = paintOf(style, level);
  const end = rest === '' ? '' : ` ${style.dim(tame(rest))}`;
  const name = component.padEnd(9);
  const head = `${style.dim(time)} ${where}${name} ${paint((level ?? '').padEnd(5))} ${tame(first)}`;
  return [`${head}${end}`.trimEnd(), ...more.map((line) => style.dim(`${INDENT}${tame(line)}`))];
}

/** For a program: the moment with its zone, where, the level, and the record in one line. */
export function plainLine({ timeMs, component, level, text }: LogRecord, shown: Shown): string {
  const where = shown.terminal === undefined ? '' : `${shown.terminal} `;
  const words = tame(text.replaceAll('\r', '').replaceAll('\n', '\\n'));
  return `${localStamp(timeMs, shown.zone)} ${where}${component} ${level ?? '-'} ${words}`;
}
