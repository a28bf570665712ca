// What an answer to a request for logs looks like, as text: made by the terminal, kept by the broker as it came, read by
// whoever shows, searches or forwards it. One record begins with its time, level and component and may go on over
// lines of its own, each after a tab, so that a stack trace stays one record and the text stays one that a person
// and grep can read. JSON would cost a third more to make, to redact and to send.
//
//   2026-11-23T10:00:00.123Z W [sale] the receipt printer does not answer
//   <tab>Error: timeout
//   <tab>    at Printer.ask (printer.js:41)

import type { LogLevel } from './catalogue.ts';
import { isId } from './ids.ts';

export type LogRecord = {
  /** Corrected time of the terminal. */
  readonly timeMs: number;
  /** It says no time itself: this is when it was printed, as far as that is known. */
  readonly guessed: boolean;
  /** Undefined: it says none. */
  readonly level: LogLevel | undefined;
  readonly component: string;
  /** Without a line end behind it; line ends within are part of it. */
  readonly text: string;
};

const LETTERS = { error: 'E', warn: 'W', info: 'I', debug: 'D' } as const satisfies Record<
  LogLevel,
  string
>;
const LEVELS: Readonly<Record<string, LogLevel>> = { E: 'error', W: 'warn', I: 'info', D: 'debug' };
/** What a record that says no level has in its place. */
const NO_LEVEL = '-';

/** Of its first line: 24 characters of time, `~` where it was guessed, and so on. */
const HEAD = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)(~?) ([EWID-]) \[([a-z0-9-]{1,32})\] /;

/** @returns the record as lines, with a line end behind the last. */
export function formatRecord({ timeMs, guessed, level, component, text }: LogRecord): string {
  const time = new Date(Math.round(timeMs)).toISOString();
  const letter = level === undefined ? NO_LEVEL : LETTERS[level];
  const lines = text.includes('\n') ? text.replaceAll('\n', '\n\t') : text;
  return `${time}${guessed ? '~' : ''} ${letter} [${component}] ${lines}\n`;
}

/** Whether a line begins a record; every other one goes on with the one before. */
export const isHead = (line: string): boolean => HEAD.test(line);

/** @param lines of one record, without the last line end. @returns undefined when it is none. */
export function parseRecord(lines: string): LogRecord | undefined {
  const [head = '', time = '', guess, letter = '', component = ''] = HEAD.exec(lines) ?? [];
  if (head === '' || !isId(component)) return undefined;
  const text = lines.slice(head.length).replaceAll('\n\t', '\n');
  const timeMs = Date.parse(time);
  if (!Number.isFinite(timeMs)) return undefined;
  return { timeMs, guessed: guess === '~', level: LEVELS[letter], component, text };
}

/** From most to least serious; `level` and worse is what a request with a level asks for. */
const ORDER: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** A record that says no level is taken for one that informs. */
export const isAtLeast = (level: LogLevel | undefined, least: LogLevel): boolean =>
  ORDER.indexOf(level ?? 'info') <= ORDER.indexOf(least);

export type Splitter = {
  /** @returns the records that are whole by now: the newest is known to be so only when another begins. */
  readonly push: (bytes: Uint8Array) => { readonly offset: number; readonly lines: string }[];
  readonly end: () => { readonly offset: number; readonly lines: string }[];
};

/** Takes an answer apart into records, in pieces of any size. `offset`: of a record's first byte. */
export function createSplitter(from = 0): Splitter {
  let held = Buffer.alloc(0);
  let offset = from;
  function cut(isEnd: boolean): { offset: number; lines: string }[] {
    const records: { offset: number; lines: string }[] = [];
    let at = 0;
    for (;;) {
      // A record ends before the first line that does not begin with a tab.
      let end = held.indexOf(10, at);
      while (end >= 0 && held[end + 1] === 9) end = held.indexOf(10, end + 1);
      if (end < 0 || (end + 1 === held.length && !isEnd)) break;
      records.push({ offset: offset + at, lines: held.toString('utf8', at, end) });
      at = end + 1;
    }
    if (isEnd && at < held.length) {
      records.push({ offset: offset + at, lines: held.toString('utf8', at) });
      at = held.length;
    }
    held = held.subarray(at);
    offset += at;
    return records;
  }
  return {
    push: (bytes) => {
      held = held.length === 0 ? Buffer.from(bytes) : Buffer.concat([held, bytes]);
      return cut(false);
    },
    end: () => cut(true),
  };
}
