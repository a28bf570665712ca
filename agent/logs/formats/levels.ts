// What a level is called: by winston, pino, bunyan, log4j, java.util.logging, Python, .NET, Serilog, glog, syslog and
// the event log of Windows, in any case, as words, letters or numbers. Four are left of them: what is worse than an
// error is an error, and what only its programmer wants to know is debug. Pure.

import type { LogLevel } from '../../../protocol/catalogue.ts';

const NAMES: Readonly<Record<LogLevel, string>> = {
  error:
    'error err eror fatal ftl crit critical alert emerg emergency panic dpanic severe fail failure exception fehler',
  warn: 'warn warning wrn wrning warnung',
  info: 'info inf information informational notice note config audit http success ok log default',
  debug: 'debug dbg dbug trace trc trce verbose vrb verb silly fine finer finest all',
};

const WORDS = new Map<string, LogLevel>();
for (const level of ['error', 'warn', 'info', 'debug'] as const) {
  for (const word of NAMES[level].split(' ')) WORDS.set(word, level);
}

/** One of them alone says nothing: only where a level is bound to stand. */
const LETTERS: Readonly<Record<string, LogLevel>> = {
  ...{ E: 'error', F: 'error', C: 'error', W: 'warn', I: 'info', N: 'info' },
  ...{ D: 'debug', T: 'debug', V: 'debug' },
};

/** The longest has so many. */
const WORD_CHARS_MAX = 13;

export const levelOfWord = (word: string): LogLevel | undefined =>
  word.length < 2 || word.length > WORD_CHARS_MAX ? undefined : WORDS.get(word.toLowerCase());

/** Where nothing but a level can stand. */
export const levelOfTag = (tag: string): LogLevel | undefined =>
  tag.length === 1 ? LETTERS[tag.toUpperCase()] : levelOfWord(tag);

/** Syslog counts from 0 (emergency) to 7 [RFC 5424, 6.2.1]. */
export const levelOfSeverity = (severity: number): LogLevel =>
  severity <= 3 ? 'error' : severity === 4 ? 'warn' : severity <= 6 ? 'info' : 'debug';

/** Pino and bunyan count from 10 (trace) to 60 (fatal), GELF as syslog, log4j2 from 100 (fatal) to 600 (trace). */
export function levelOfNumber(value: number): LogLevel | undefined {
  if (!Number.isFinite(value) || value < 0) return undefined;
  if (value < 10) return value <= 7 ? levelOfSeverity(value) : undefined;
  if (value < 100)
    return value >= 50 ? 'error' : value >= 40 ? 'warn' : value >= 30 ? 'info' : 'debug';
  if (value > 600) return undefined;
  return value <= 200 ? 'error' : value <= 300 ? 'warn' : value <= 400 ? 'info' : 'debug';
}
