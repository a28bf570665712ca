// Finds a moment in a log file by halving, so that ten minutes out of a gigabyte cost a few dozen reads of
// 64 KB. It relies on times that grow from line to line; where a clock was set back, it finds one of
// the places. A file in which no line has a time is searched by the file's own times. Holes are jumped over.

import { readSync } from 'node:fs';
import { holeAt, nextHole, type Range } from './holes.ts';
import { BLOCK_BYTES, LineReader } from './lines.ts';
import { timeOfLine } from './times.ts';

/** A stretch without any time that is longer than this is walked over, not halved. */
const PROBE_BYTES_MAX = 4 * BLOCK_BYTES;
/** Below this, lines are read one after the other. */
const HALVE_BYTES_MIN = BLOCK_BYTES;

export type Timed = { readonly start: number; readonly timeMs: number };

/** An open file, as long as it was looked at, and what is missing in it. */
export type Opened = {
  readonly file: number;
  readonly size: number;
  readonly holes: readonly Range[];
};

/** The first byte of the first line that begins at or after `position`; what follows a hole begins a line. */
export function lineStartAt({ file, size, holes }: Opened, position: number): number {
  if (position <= 0) return 0;
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  const inHole = holeAt(holes, position - 1);
  if (inHole !== undefined) return Math.min(inHole.to, size);
  const limit = nextHole(holes, position - 1, size);
  for (let at = position - 1; at < limit; at += BLOCK_BYTES) {
    const count = readSync(file, block, 0, Math.min(BLOCK_BYTES, limit - at), at);
    const end = block.subarray(0, count).indexOf(10);
    if (end >= 0) return at + end + 1;
    if (count === 0) return size;
  }
  return limit < size ? Math.min(holeAt(holes, limit)?.to ?? size, size) : size;
}

/** The first line with a time that begins at or after the line start `from` and before `to`. */
function firstTimed({ file, size, holes }: Opened, from: number, to: number): Timed | undefined {
  const lines = new LineReader(file, from, size, holes);
  for (let line = lines.next(); line !== undefined && line.start < to; line = lines.next()) {
    const timeMs = line.hole === undefined ? timeOfLine(line.text) : undefined;
    if (timeMs !== undefined) return { start: line.start, timeMs };
  }
  return undefined;
}

/** The first line of the file that has a time; undefined when none of its first 256 KB has one. */
export function firstTime(opened: Opened): Timed | undefined {
  const first = holeAt(opened.holes, 0)?.to ?? 0;
  return firstTimed(opened, first, first + PROBE_BYTES_MAX);
}

/** @returns the start of the first line at or after `timeMs`; `size` when there is none. */
export function findTime(opened: Opened, timeMs: number): number {
  const { file, size, holes } = opened;
  let low = 0;
  let high = size;
  while (high - low > HALVE_BYTES_MIN) {
    const middle = low + Math.floor((high - low) / 2);
    const start = lineStartAt(opened, middle);
    const found = start < high ? firstTimed(opened, start, start + PROBE_BYTES_MAX) : undefined;
    if (found === undefined || found.timeMs >= timeMs) high = middle;
    else low = found.start;
  }
  const lines = new LineReader(file, lineStartAt(opened, low), size, holes);
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    const at = line.hole === undefined ? timeOfLine(line.text) : undefined;
    if (at !== undefined && at >= timeMs) return line.start;
  }
  return size;
}
