// The journal: what components print, in the files where it lies (one per life, <logDir>/<component>/
// <instance>.log), read by time. A question is first answered as a plan: which bytes of which files. Files
// only grow, so a plan names the same bytes however often and by whichever process it is read; it keeps the
// inode, because the agent's own log is renamed when it is full, and the holes (holes.ts), because one that is
// made later would make another answer. Lines of all files come merged by time.

import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as v from 'valibot';
import { fail, ok, type Result } from '../../protocol/result.ts';
import {
  type Hole,
  holeAt,
  holeSchema,
  holeText,
  keptBytes,
  notedAt,
  READ_PLAIN,
  readHoles,
  type SparseStat,
} from './holes.ts';
import { BLOCK_BYTES, type Line, LineReader } from './lines.ts';
import type { Learnt } from './search.ts';
import { finish, type Steps } from './steps.ts';
import { stretchOf, type Window } from './stretch.ts';
import { timeOfLine } from './times.ts';

export type { Window } from './stretch.ts';

const NEWLINE = 10;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const segmentSchema = v.object({
  component: v.string(),
  path: v.string(),
  inode: v.number(),
  from: count,
  to: count,
  /** Of lines before the first that has a time. */
  baseMs: v.number(),
  /** No line has a time: they are spread over the life of the file. */
  spread: v.optional(v.object({ firstMs: v.number(), lastMs: v.number(), bytes: count })),
  /** Within it, when it was planned. */
  holes: v.optional(v.array(holeSchema), []),
});
/** Bytes of one file that hold the lines of a window. */
export type Segment = v.InferOutput<typeof segmentSchema>;

/** A component and the files it wrote. */
export type Source = { readonly component: string; readonly paths: readonly string[] };

export const componentSource = (logDir: string, component: string): Source => {
  const folder = join(logDir, component);
  const names = readNames(folder).filter((name) => name.endsWith('.log'));
  return { component, paths: names.map((name) => join(folder, name)) };
};

/** @param path of a log that is rotated: agent.log, agent1.log ... */
export const rotatedSource = (component: string, path: string): Source => {
  const stem = basename(path, '.log');
  const own = readNames(dirname(path)).filter(
    (name) => name.startsWith(stem) && /^\d*\.log$/.test(name.slice(stem.length)),
  );
  return { component, paths: own.map((name) => join(dirname(path), name)) };
};

function readNames(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return []; // never started, or not ours to read: there are no lines
  }
}

function openPlain(path: string): number | undefined {
  try {
    return openSync(path, READ_PLAIN);
  } catch {
    return undefined;
  }
}

function* withFile<T>(path: string, use: (file: number) => Steps<T>): Steps<T | undefined> {
  const file = openPlain(path);
  if (file === undefined) return undefined;
  try {
    return yield* use(file);
  } finally {
    closeSync(file);
  }
}

/** What was learnt of the files, by path, while a plan is made. */
export type Lessons = Map<
  string,
  { readonly inode: number; readonly size: number; readonly learnt: Learnt[] }
>;

function learntOf(lessons: Lessons, path: string, { ino: inode, size }: SparseStat): Learnt[] {
  const known = lessons.get(path);
  if (known?.inode === inode && known.size === size) return known.learnt;
  const learnt: Learnt[] = [];
  lessons.set(path, { inode, size, learnt });
  return learnt;
}

function* findSegment(
  { component, path }: Pick<Segment, 'component' | 'path'>,
  file: number,
  window: Window,
  lessons: Lessons,
) {
  const stat = fstatSync(file);
  if (!stat.isFile() || stat.size === 0) return undefined;
  const all = readHoles(path, stat);
  const learnt = learntOf(lessons, path, stat);
  const stretch = yield* stretchOf({ file, size: stat.size, holes: all, learnt }, stat, window);
  if (stretch === undefined || stretch.from >= stretch.to) return undefined;
  const holes = all.filter((hole) => hole.from < stretch.to && hole.to > stretch.from);
  return { component, path, inode: stat.ino, ...stretch, holes };
}

/** @returns the bytes of each file that lie in the window; a few dozen reads an ordinary file. */
export function* segmentSteps(
  sources: readonly Source[],
  window: Window,
  lessons: Lessons = new Map(),
): Steps<Segment[]> {
  const segments: Segment[] = [];
  for (const { component, paths } of sources) {
    for (const path of paths) {
      yield;
      const found = yield* withFile(path, (file) =>
        findSegment({ component, path }, file, window, lessons),
      );
      if (found !== undefined) segments.push(found);
    }
  }
  return segments;
}

export const findSegments = (sources: readonly Source[], window: Window): Segment[] =>
  finish(segmentSteps(sources, window));

/** Bytes to read. */
export const bytesOf = (segments: readonly Segment[]): number =>
  segments.reduce((sum, segment) => sum + keptBytes(segment.holes, segment), 0);

/** Length of an ordinary line, measured at the end of the largest stretch. */
export function lineBytesOf(segments: readonly Segment[]): number {
  const [largest] = [...segments].sort((a, b) => bytesOf([b]) - bytesOf([a]));
  if (largest === undefined) return BLOCK_BYTES;
  const { path, from, to } = largest;
  const file = openPlain(path);
  if (file === undefined) return BLOCK_BYTES;
  try {
    const block = Buffer.alloc(Math.min(BLOCK_BYTES, to - from));
    const bytes = readSync(file, block, 0, block.length, to - block.length);
    const lines = block.reduce((sum, byte) => sum + (byte === NEWLINE ? 1 : 0), 0);
    const kept = keptBytes(largest.holes, { from: to - bytes, to });
    return Math.max(1, kept / Math.max(1, lines));
  } finally {
    closeSync(file);
  }
}

export type JournalLine = {
  readonly component: string;
  readonly timeMs: number;
  /** The time is guessed from the file's own. */
  readonly guessed: boolean;
  /** One character per byte, without its end. */
  readonly text: string;
  /** It stands for what is missing; its text is `holeText`. */
  readonly hole?: Hole;
};

const CUT_MEANWHILE = (component: string): string =>
  `the output of ${component} was cut while it was read: ask again`;

class SegmentReader {
  readonly #segment: Segment;
  readonly #file: number;
  readonly #lines: LineReader;
  #timeMs: number;
  head: JournalLine | undefined;

  constructor(segment: Segment, file: number) {
    this.#segment = segment;
    this.#file = file;
    this.#lines = new LineReader(file, segment.from, segment.to, segment.holes);
    this.#timeMs = segment.baseMs;
    this.step();
  }

  step(): void {
    const line = this.#lines.next();
    this.head = line && this.#dated(line);
    if (line !== undefined || this.#lines.position() >= this.#segment.to) return;
    throw new Error(CUT_MEANWHILE(this.#segment.component));
  }

  #dated({ text, start, hole }: Line): JournalLine {
    const { component, spread } = this.#segment;
    if (hole !== undefined) return this.#missing(hole.from, hole.to);
    if (spread === undefined) this.#timeMs = timeOfLine(text) ?? this.#timeMs;
    else {
      const share = start / spread.bytes;
      this.#timeMs = Math.round(spread.firstMs + (spread.lastMs - spread.firstMs) * share);
    }
    return { component, timeMs: this.#timeMs, guessed: spread !== undefined, text };
  }

  /** @throws when it was freed after the plan: the answer would not be what was begun. */
  #missing(from: number, to: number): JournalLine {
    const { component, spread, holes, path } = this.#segment;
    const planned = holeAt(holes, from);
    if (planned === undefined) {
      const noted = notedAt(path, fstatSync(this.#file), from);
      if (noted !== undefined && noted.reason !== 'unknown')
        throw new Error(CUT_MEANWHILE(component));
    }
    const times = { firstMs: this.#timeMs, lastMs: this.#timeMs };
    const hole = planned ?? { from, to, bytes: to - from, ...times, reason: 'unknown' };
    const guessed = spread !== undefined;
    return { component, timeMs: this.#timeMs, guessed, text: holeText(hole, 0), hole };
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** The file of a segment, under whatever name it has now, and still as long as it was. */
function openSegment({ path, inode, to, component }: Segment): Result<number> {
  const folder = dirname(path);
  const names = [basename(path), ...readNames(folder)];
  for (const name of names) {
    const at = join(folder, name);
    try {
      if (statSync(at).ino !== inode) continue;
      const file = openSync(at, READ_PLAIN);
      if (fstatSync(file).size >= to) return ok(file);
      closeSync(file);
      return fail(CUT_MEANWHILE(component));
    } catch {
      // Gone between two calls, or not readable: another name may still be it.
    }
  }
  return fail(`output of ${component} was removed while it was read: ask again`);
}

export type Merge = {
  /** The next line by time. @throws what reading a file throws. */
  readonly next: () => JournalLine | undefined;
  readonly close: () => void;
};

export function openMerge(segments: readonly Segment[]): Result<Merge> {
  const readers: SegmentReader[] = [];
  const close = (): void => {
    for (const reader of readers.splice(0)) reader.close();
  };
  for (const segment of segments) {
    const file = openSegment(segment);
    if (!file.ok) {
      close();
      return file;
    }
    readers.push(new SegmentReader(segment, file.value));
  }
  return ok({
    close,
    next: () => {
      let first: SegmentReader | undefined;
      for (const reader of readers) {
        const { head } = reader;
        // Of two at the same time the one whose file comes first: every reading gives the same order.
        if (head !== undefined && head.timeMs < (first?.head?.timeMs ?? Infinity)) first = reader;
      }
      const line = first?.head;
      first?.step();
      return line;
    },
  });
}
