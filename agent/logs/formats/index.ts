// How components print, and how that is read: bytes to text, a line to its time and level, lines to records. Pure; what
// files there are, and when they are read, is intake's.

export {
  createJoiner,
  JOIN_MS,
  type Joiner,
  RECORD_CHARS_MAX,
  RECORD_LINES_MAX,
} from './joiner.ts';
export { type Facts, readLine } from './line.ts';
export { readRecord } from './record.ts';
export { decodeText } from './text.ts';
