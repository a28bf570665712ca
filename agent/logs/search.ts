// Finds a moment in a log file by halving, so that ten minutes out of a gigabyte cost a few dozen reads of
// 64 KB. It relies on times that grow from line to line; where a clock was set back, it finds one of
// the places. A file in which no line has a time is searched by the file's own times. Holes are jumped over. All are
// steps (steps.ts): output without line ends, or of nothing else, is walked over and takes its time.

import { readSync } from 'node:fs';
import { holeAt, nextHole, type Range } from './holes.ts';
import { BLOCK_BYTES, LineReader } from './lines.ts';
import type { Steps } from './steps.ts';
import { timeOfLine } from './times.ts';

/** A stretch without any time that is longer than this is walked over, not halved. */
const PROBE_BYTES_MAX = 4 * BLOCK_BYTES;
/** Below this, lines are read one after the other: a look at a place costs as much as a few dozen lines. */
const HALVE_BYTES_MIN = 4 * 1024;
/** A pause may come after so many lines, or blocks: either is well below a millisecond. */
const STEP_LINES = 128;
const STEP_BLOCKS = 8;

export type Timed = { readonly start: number; readonly timeMs: number };

/** What a search has learnt of a file: for every moment after `afterMs`, up to `upToMs`, the answer is `at`. */
export type Learnt = { readonly afterMs: number; readonly upToMs: number; readonly at: number };

/** An open file, as long as it was looked at, and what is missing in it. */
export type Opened = {
  readonly file: number;
  readonly size: number;
  readonly holes: readonly Range[];
  /** Grows with each search: the next one for another moment begins where this one ended. */
  readonly learnt?: Learnt[];
};

/** The first byte of the first line that begins at or after `position`; what follows a hole begins a line. */
export function* lineStartAt({ file, size, holes }: Opened, position: number): Steps<number> {
  if (position <= 0) return 0;
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  const inHole = holeAt(holes, position - 1);
  if (inHole !== undefined) return Math.min(inHole.to, size);
  const limit = nextHole(holes, position - 1, size);
  for (let at = position - 1; at < limit; at += BLOCK_BYTES) {
    if ((at - position + 1) % (STEP_BLOCKS * BLOCK_BYTES) === 0) yield;
    const count = readSync(file, block, 0, Math.min(BLOCK_BYTES, limit - at), at);
    const end = block.subarray(0, count).indexOf(10);
    if (end >= 0) return at + end + 1;
    if (count === 0) return size;
  }
  return limit < size ? Math.min(holeAt(holes, limit)?.to ?? size, size) : size;
}

/** The first line with a time that begins at or after the line start `from` and before `to`. */
function* firstTimed(opened: Opened, from: number, to: number): Steps<Timed | undefined> {
  const { file, size, holes } = opened;
  const lines = new LineReader(file, from, size, holes);
  let count = 0;
  for (let line = lines.next(); line !== undefined && line.start < to; line = lines.next()) {
    count += 1;
    if (count % STEP_LINES === 0) yield;
    const timeMs = line.hole === undefined ? timeOfLine(line.text) : undefined;
    if (timeMs !== undefined) return { start: line.start, timeMs };
  }
  return undefined;
}

/** The first line of the file that has a time; undefined when none of its first 256 KB has one. */
export function* firstTime(opened: Opened): Steps<Timed | undefined> {
  const first = holeAt(opened.holes, 0)?.to ?? 0;
  return yield* firstTimed(opened, first, first + PROBE_BYTES_MAX);
}

/** Lines one after the other, from a line start on. */
function* walk({ file, size, holes, learnt }: Opened, from: number, timeMs: number): Steps<number> {
  const lines = new LineReader(file, from, size, holes);
  let afterMs = -Infinity;
  let count = 0;
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    count += 1;
    if (count % STEP_LINES === 0) yield;
    const found = line.hole === undefined ? timeOfLine(line.text) : undefined;
    if (found !== undefined && found >= timeMs) {
      learnt?.push({ afterMs, upToMs: found, at: line.start });
      return line.start;
    }
    afterMs = Math.max(afterMs, found ?? afterMs);
  }
  learnt?.push({ afterMs, upToMs: Infinity, at: size });
  return size;
}

/** @returns the start of the first line at or after `timeMs`; `size` when there is none. */
export function* findTime(opened: Opened, timeMs: number): Steps<number> {
  const { size, learnt = [] } = opened;
  const known = learnt.find(({ afterMs, upToMs }) => afterMs < timeMs && timeMs <= upToMs);
  if (known !== undefined) return Math.min(known.at, size);
  const earlier = learnt.filter(({ upToMs }) => upToMs < timeMs).map(({ at }) => at);
  const later = learnt.filter(({ afterMs }) => afterMs >= timeMs).map(({ at }) => at);
  let low = Math.max(0, ...earlier);
  let high = Math.min(size, ...later);
  while (high - low > HALVE_BYTES_MIN) {
    yield;
    const middle = low + Math.floor((high - low) / 2);
    const start = yield* lineStartAt(opened, middle);
    const end = start + PROBE_BYTES_MAX;
    const found = start < high ? yield* firstTimed(opened, start, end) : undefined;
    if (found === undefined || found.timeMs >= timeMs) high = middle;
    else low = found.start;
  }
  return yield* walk(opened, yield* lineStartAt(opened, low), timeMs);
}
