// Records as lines of an answer, quickly: what protocol/log-lines.ts says, byte for byte, without asking for a date of
// each record anew. A hundred megabytes are a million records, and a second of an ordinary log has hundreds.

import type { LogLevel } from '../../../protocol/catalogue.ts';
import type { JournalRecord } from '../journal/types.ts';

const LETTERS = { error: 'E', warn: 'W', info: 'I', debug: 'D' } as const satisfies Record<
  LogLevel,
  string
>;
/** Beyond it a date is none. */
const DATE_MS_MAX = 8.64e15;
/** Time, blanks, level, brackets and the line end. */
const HEAD_BYTES = 31;

export type Lines = (component: string, record: JournalRecord) => string;

/** @param offsetMs what is added to the terminal's own clock. */
export function linesWith(offsetMs: number): Lines {
  let second = Number.NaN;
  let shown = '';
  return (component, { timeMs, guessed, level, text }) => {
    const exact = Math.min(DATE_MS_MAX, Math.max(0, Math.round(timeMs + offsetMs)));
    const ms = exact % 1_000;
    if (exact - ms !== second) {
      second = exact - ms;
      shown = new Date(second).toISOString().slice(0, -4);
    }
    const thousandths = ms < 10 ? `00${ms}` : ms < 100 ? `0${ms}` : ms;
    const letter = level === undefined ? '-' : LETTERS[level];
    const lines = text.includes('\n') ? text.replaceAll('\n', '\n\t') : text;
    return `${shown}${thousandths}Z${guessed ? '~' : ''} ${letter} [${component}] ${lines}\n`;
  };
}

/** Bytes of the record as lines. */
export function lineBytesOf(component: string, { guessed, text }: JournalRecord): number {
  let tabs = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) tabs += 1;
  return HEAD_BYTES + (guessed ? 1 : 0) + component.length + Buffer.byteLength(text) + tabs;
}
