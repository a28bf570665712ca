// Received log lines as a person reads them: the terminal's bytes cut into lines as they come in, and each
// line with local time, component, level and text. A program that reads them gets the text unchanged.

import type { Style } from './screen.ts';
import { localClock, localStamp } from './when.ts';

export type LogLine = {
  readonly timeMs: number;
  /** The terminal could only guess the time. */
  readonly guessed: boolean;
  readonly component: string;
  readonly text: string;
};

/** Made by the agent (agent/logs/answer.ts). */
const LINE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)(~?) \[([a-z0-9-]{1,32})\] (.*)$/s;

export function parseLine(line: string): LogLine | undefined {
  const [, time = '', guess, component = '', text = ''] = LINE.exec(line) ?? [];
  if (component === '') return undefined;
  return { timeMs: Date.parse(time), guessed: guess === '~', component, text };
}

/** Cuts what comes in pieces into lines; characters may be split between two pieces. */
export function createLines(): { push: (bytes: Uint8Array) => string[]; rest: () => string } {
  const decoder = new TextDecoder();
  let held = '';
  return {
    push: (bytes) => {
      const lines = (held + decoder.decode(bytes, { stream: true })).split('\n');
      held = lines.pop() ?? '';
      return lines;
    },
    rest: () => held + decoder.decode(),
  };
}

/** What a log says must not drive the terminal it is shown on; a tab is harmless. */
const tame = (text: string): string => text.replace(/[^\P{Cc}\t]/gu, ' ');

/** Shown by themselves, or on every line the same. */
const SHOWN = ['level', 'message', 'timestamp', 'component', 'version'];

type Parts = { readonly level: string; readonly text: string; readonly rest: string };

function partsOf(text: string): Parts {
  const plain = { level: '', text, rest: '' };
  if (!text.startsWith('{')) return plain;
  try {
    const record = JSON.parse(text) as Record<string, unknown>;
    const { level, message } = record;
    if (typeof message !== 'string') return plain;
    const others = Object.entries(record).filter(([key]) => !SHOWN.includes(key));
    const rest = others.length === 0 ? '' : JSON.stringify(Object.fromEntries(others));
    return { level: typeof level === 'string' ? level : '', text: message, rest };
  } catch {
    return plain; // a cut line, or no JSON at all
  }
}

const paintOf = (style: Style, level: string): ((text: string) => string) => {
  if (/^(?:error|fatal|crit)/i.test(level)) return style.bad;
  return /^warn/i.test(level) ? style.warn : style.dim;
};

/** For a person: local time of day, and the record's own words first. */
export function shownLine({ timeMs, guessed, component, text }: LogLine, style: Style): string {
  const { level, text: words, rest } = partsOf(text);
  const time = `${localClock(timeMs)}${guessed ? '~' : ' '}`;
  const name = component.padEnd(9);
  const paint = paintOf(style, level);
  const end = rest === '' ? '' : ` ${style.dim(tame(rest))}`;
  return `${style.dim(time)} ${name} ${paint(level.padEnd(5))} ${tame(words)}${end}`.trimEnd();
}

/** For a program: the moment with its zone, the component, and the line as it was written. */
export const plainLine = ({ timeMs, component, text }: LogLine): string =>
  `${localStamp(timeMs)} ${component} ${text}`;
