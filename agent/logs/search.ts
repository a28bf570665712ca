// Finds a moment in a log file by halving, so that ten minutes out of a gigabyte cost a few dozen reads of
// 64 KB. It relies on times that grow from line to line; where a clock was set back, it finds one of
// the places. A file in which no line has a time is searched by the file's own times.

import { readSync } from 'node:fs';
import { BLOCK_BYTES, LineReader } from './lines.ts';
import { timeOfLine } from './times.ts';

/** A stretch without any time that is longer than this is walked over, not halved. */
const PROBE_BYTES_MAX = 4 * BLOCK_BYTES;
/** Below this, lines are read one after the other. */
const HALVE_BYTES_MIN = BLOCK_BYTES;

export type Timed = { readonly start: number; readonly timeMs: number };

/** The first byte of the first line that begins at or after `position`. */
export function lineStartAt(file: number, position: number, size: number): number {
  if (position <= 0) return 0;
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let at = position - 1; at < size; at += BLOCK_BYTES) {
    const count = readSync(file, block, 0, Math.min(BLOCK_BYTES, size - at), at);
    const end = block.subarray(0, count).indexOf(10);
    if (end >= 0) return at + end + 1;
    if (count === 0) break;
  }
  return size;
}

/** The first line with a time that begins at or after the line start `from` and before `to`. */
function firstTimed(file: number, from: number, to: number, size: number): Timed | undefined {
  const lines = new LineReader(file, from, size);
  for (let line = lines.next(); line !== undefined && line.start < to; line = lines.next()) {
    const timeMs = timeOfLine(line.text);
    if (timeMs !== undefined) return { start: line.start, timeMs };
  }
  return undefined;
}

/** The first line of the file that has a time; undefined when none of its first 256 KB has one. */
export const firstTime = (file: number, size: number): Timed | undefined =>
  firstTimed(file, 0, PROBE_BYTES_MAX, size);

/** @returns the start of the first line at or after `timeMs`; `size` when there is none. */
export function findTime(file: number, size: number, timeMs: number): number {
  let low = 0;
  let high = size;
  while (high - low > HALVE_BYTES_MIN) {
    const middle = low + Math.floor((high - low) / 2);
    const start = lineStartAt(file, middle, size);
    const found = start < high ? firstTimed(file, start, start + PROBE_BYTES_MAX, size) : undefined;
    if (found === undefined || found.timeMs >= timeMs) high = middle;
    else low = found.start;
  }
  const lines = new LineReader(file, lineStartAt(file, low, size), size);
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    const at = timeOfLine(line.text);
    if (at !== undefined && at >= timeMs) return line.start;
  }
  return size;
}
