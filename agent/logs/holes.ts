// Places in a file of output whose bytes went before the journal had them: freed because they came too fast, because
// only the newest are kept, or because the disk was full. They are written down beside the file (<instance>.holes)
// before they are freed, so that intake skips gigabytes without reading them and says what is missing, and an agent
// that was killed in between frees them again. Without that note, what the file system says it holds bounds the
// reading. Pure.

import { constants } from 'node:fs';
import { crc32 } from 'node:zlib';
import * as v from 'valibot';

/** Each with the words for it; `unknown`: the note was lost. */
const HOLE_REASONS = ['rate', 'size', 'disk', 'purged', 'unknown'] as const;

/** Kept pieces of a flood lie between holes; the oldest is given up when there are more. */
export const HOLES_MAX = 64;
export const SIDECAR_BYTES_MAX = 64 * 1024;
/** What a date can hold, either way [ECMA-262, Time Values]. */
const TIME_MS_MAX = 8.64e15;
/** Less than this between size and blocks is the file system's own (tail packing, metadata). */
const SPARSE_BYTES_MIN = 1024 * 1024;
const MEBIBYTE = 1024 * 1024;
/** Fewer blocks than bytes and bytes where the hole should be: compressed. A longer one is not read to find out. */
export const COMPRESSED_BYTES_MAX = 256 * MEBIBYTE;

export type Range = { readonly from: number; readonly to: number };

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const time = v.pipe(v.number(), v.minValue(0), v.maxValue(TIME_MS_MAX / 2));
const holeSchema = v.object({
  from: count,
  to: count,
  /** Bytes that went here: more than its width where the file was shortened in front. */
  bytes: count,
  /** Terminal's wall clock: when they were printed, as far as it was seen. */
  firstMs: time,
  lastMs: time,
  reason: v.picklist(HOLE_REASONS),
  /** The limit that they were over, in bytes (a second). */
  limit: v.optional(count),
});
export type Hole = v.InferOutput<typeof holeSchema>;

/** @param inode of the file that it is about: another file of that name has other holes. */
const sidecarSchema = v.object({
  v: v.literal(1),
  inode: v.number(),
  holes: v.array(holeSchema),
  mark: v.optional(v.object({ bytes: count, crc: count })),
});
/** What stood right behind the last hole: a file that was emptied and has grown again has another mark. */
export type Mark = { readonly bytes: number; readonly crc: number };
export const MARK_BYTES_MAX = 64;

export const sidecarOf = (path: string): string => `${path.replace(/\.log$/, '')}.holes`;

export const markOf = (bytes: Uint8Array): Mark => ({ bytes: bytes.length, crc: crc32(bytes) });

/** @param behind what stands behind the last hole now. */
export const isMarked = (mark: Mark | undefined, behind: Uint8Array): boolean =>
  mark === undefined || crc32(behind.subarray(0, mark.bytes)) === mark.crc;

export const encodeHoles = (inode: number, holes: readonly Hole[], mark?: Mark): string =>
  JSON.stringify({ v: 1, inode, holes, mark });

export type Note = { readonly holes: Hole[]; readonly mark: Mark | undefined };

/** @returns undefined when there is no note, or one that cannot be of this file. */
export function decodeNote(text: string, inode: number, size: number): Note | undefined {
  try {
    const { holes, inode: of, mark } = v.parse(sidecarSchema, JSON.parse(text));
    const inOrder = holes.every(
      ({ from, to }, index) => from < to && to <= size && from >= (holes[index - 1]?.to ?? 0),
    );
    return of === inode && inOrder ? { holes, mark } : undefined;
  } catch {
    return undefined;
  }
}

export type SparseStat = { readonly ino: number; readonly size: number; readonly blocks: number };

/** What is known to be missing when nothing was noted: as much as there are fewer blocks than bytes. */
export function guessHoles({ size, blocks }: SparseStat, nowMs: number): Hole[] {
  const missing = size - blocks * 512;
  if (missing < SPARSE_BYTES_MIN) return [];
  const range = { from: 0, to: missing, bytes: missing };
  return [{ ...range, firstMs: nowMs, lastMs: nowMs, reason: 'unknown' }];
}

/** Opening a pipe would wait for its other end [fifo(7)]: of plain files it asks nothing. */
export const READ_PLAIN = constants.O_RDONLY | constants.O_NONBLOCK;

/** The hole at a place. */
export const holeAt = <R extends Range>(holes: readonly R[], at: number): R | undefined =>
  holes.find(({ from, to }) => from <= at && at < to);

/** Where the next hole begins, or `end`. */
export const nextHole = (holes: readonly Range[], at: number, end: number): number =>
  holes.reduce((next, { from }) => (from >= at && from < next ? from : next), end);

const within = (hole: Range, { from, to }: Range): number =>
  Math.max(0, Math.min(hole.to, to) - Math.max(hole.from, from));

/** Bytes of a stretch that are there. */
export const keptBytes = (holes: readonly Range[], stretch: Range): number =>
  holes.reduce((sum, hole) => sum - within(hole, stretch), stretch.to - stretch.from);

/** A new hole among the old ones: what it covers or carries on becomes a part of it. */
export function addHole(holes: readonly Hole[], added: Hole): Hole[] {
  let whole = added;
  const others: Hole[] = [];
  for (const hole of holes) {
    const touches = hole.from <= whole.to && whole.from <= hole.to;
    const overlaps = hole.from < whole.to && whole.from < hole.to;
    if (!overlaps && !(touches && hole.reason === whole.reason)) {
      others.push(hole);
      continue;
    }
    whole = {
      ...whole,
      from: Math.min(whole.from, hole.from),
      to: Math.max(whole.to, hole.to),
      bytes: whole.bytes + hole.bytes - within(hole, whole),
      firstMs: Math.min(whole.firstMs, hole.firstMs),
      lastMs: Math.max(whole.lastMs, hole.lastMs),
    };
  }
  return [...others, whole].sort((a, b) => a.from - b.from);
}

/** `48.2 MB`, in the units of the configuration. */
export function sizeText(bytes: number): string {
  const [unit, size] =
    bytes >= 1024 * MEBIBYTE
      ? ['GB', 1024 * MEBIBYTE]
      : bytes >= MEBIBYTE / 10
        ? ['MB', MEBIBYTE]
        : ['KB', 1024];
  return `${(bytes / size).toFixed(1)} ${unit}`;
}

const clockText = (ms: number): string => new Date(Math.round(ms)).toISOString().slice(11, 19);

/**
 * The line that a reader sees in its place.
 * @param offsetMs added to the terminal's clock, as to the times of all lines.
 */
export function holeText({ bytes, firstMs, lastMs, reason, limit = 0 }: Hole, offsetMs: number) {
  const what = `${sizeText(bytes)} not kept here`;
  const when = `${clockText(firstMs + offsetMs)} to ${clockText(lastMs + offsetMs)}`;
  switch (reason) {
    case 'rate':
      return `[tillwatch: ${what}, ${when}: more than ${sizeText(limit)} a second]`;
    case 'size':
      return `[tillwatch: ${what}: only the newest ${sizeText(limit)} are]`;
    case 'disk':
      return `[tillwatch: ${what}: the disk was full at ${clockText(lastMs + offsetMs)}]`;
    case 'purged':
      return `[tillwatch: ${what}: an operator deleted what was older than ${clockText(lastMs + offsetMs)}]`;
    case 'unknown':
      return `[tillwatch: ${what}]`;
  }
}
