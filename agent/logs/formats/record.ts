// What a whole record says: its first line does, and where that one is only a head (java.util.logging) or only a brace
// (JSON over several lines) the lines below it do. Pure.

import { type Facts, readLine } from './line.ts';

/** JSON of more characters is not put together again for its time. */
const JSON_CHARS_MAX = 16 * 1024;

/** @param nearMs when it was read (readLine). */
export function readRecord(text: string, nearMs?: number): Facts {
  const end = text.indexOf('\n');
  if (end < 0) return readLine(text, nearMs);
  const first = text.slice(0, end);
  if (first.trimEnd() === '{' && text.length <= JSON_CHARS_MAX) return readLine(text, nearMs);
  const said = readLine(first, nearMs);
  if (said.level !== undefined || said.timeMs === undefined) return said;
  const second = text.indexOf('\n', end + 1);
  const below = text.slice(end + 1, second < 0 ? undefined : second);
  const { level } = /^[A-Z]+: /.test(below) ? readLine(below, nearMs) : {};
  return level === undefined ? said : { ...said, level };
}
