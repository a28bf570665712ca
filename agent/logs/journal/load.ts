// What lies in the journal of a component, found at the start of the agent: closed segments by the head that sums them
// up, the newest one block by block with all checksums, because only its end can have been torn. Places and note are
// those of the newest intact block that has them. Reads only, at once: the newest segment has a few MB at most.

import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  addSums,
  blocksOfEnd,
  decodeMeta,
  HEAD_BYTES,
  type Head,
  NOTHING,
  type Sum,
} from './block.ts';
import {
  Bytes,
  endOf,
  openSegment,
  replacesOf,
  SEGMENT_HEAD_BYTES,
  scan,
  segmentName,
  segmentsIn,
} from './segment.ts';
import type { Place } from './types.ts';

/** A segment as the journal knows it. */
export type Segment = {
  readonly number: number;
  /** Of the disk. */
  bytes: number;
  blocks: number;
  sum: Sum;
  /** It holds the blocks of another, packed better. */
  readonly isMerged?: boolean;
};

export type BlockPlace = { readonly number: number; readonly at: number; readonly bytes: number };

export type Loaded = {
  /** The oldest first; the newest is the last. */
  readonly segments: Segment[];
  /** Where the newest goes on; undefined: it is closed, or there is none. */
  readonly tail: number | undefined;
  /** Behind its tail something is torn and has to go before it goes on. */
  readonly isTorn: boolean;
  readonly places: readonly Place[];
  readonly note: string;
  /** Records of the newest segment that cannot be read, as far as they can be counted. */
  readonly damaged: number;
  /** Of the newest block with records, where the newest segment has one. */
  readonly newest: BlockPlace | undefined;
  /** Replaced by another that holds the same, and still there. */
  readonly replaced: readonly number[];
};

type Marks = { places: readonly Place[] | undefined; note: string | undefined };

function readMeta(bytes: Bytes, at: number, head: Head) {
  return decodeMeta(head, bytes.read(at + HEAD_BYTES, head.metaBytes));
}

const isWhole = (bytes: Bytes, at: number, head: Head): boolean =>
  head.emptied ||
  crc32(bytes.read(at + HEAD_BYTES + head.metaBytes, head.packedBytes)) === head.bodyCrc;

type Walk = {
  sum: Sum;
  blocks: number;
  /** Behind the last append that is whole. */
  tail: number;
  damaged: number;
  marks: Marks;
  newest: Omit<BlockPlace, 'number'> | undefined;
};

/** All blocks of a segment; with `checks` their records, too. An append whose last block is missing does not count. */
function walk(bytes: Bytes, size: number, checks: boolean): Walk {
  const walked: Walk = {
    ...{ sum: NOTHING, blocks: 0, tail: SEGMENT_HEAD_BYTES, damaged: 0 },
    marks: { places: undefined, note: undefined },
    newest: undefined,
  };
  let held: Head[] = [];
  let bad = 0;
  for (const found of scan(bytes, size)) {
    if (found.kind === 'gap') continue;
    const { at, head } = found;
    const meta = readMeta(bytes, at, head);
    if (meta === undefined || (checks && !isWhole(bytes, at, head))) {
      bad += head.records;
      continue;
    }
    held.push(head);
    if (head.goesOn || head.ends) continue;
    for (const one of held) walked.sum = addSums(walked.sum, one);
    walked.blocks += held.length;
    const length = HEAD_BYTES + head.metaBytes + head.packedBytes;
    walked.tail = at + length;
    if (head.records > 0) walked.newest = { at, bytes: length };
    // What is bad at the very end was torn: it never counted, and is read from the output again.
    walked.damaged += bad;
    walked.marks = {
      places: meta.places ?? walked.marks.places,
      note: meta.note ?? walked.marks.note,
    };
    held = [];
    bad = 0;
  }
  return walked;
}

function withBytes<T>(path: string, use: (bytes: Bytes, size: number) => T): T | undefined {
  const file = openSegment(path);
  if (file === undefined) return undefined;
  try {
    const bytes = new Bytes(file);
    return use(bytes, bytes.size());
  } catch {
    return undefined; // an error of the disk: as if it were not there
  } finally {
    closeSync(file);
  }
}

function loadClosed(path: string, number: number): Segment | undefined {
  return withBytes(path, (bytes, size) => {
    const end = endOf(bytes, size);
    if (end !== undefined) return { number, bytes: size, blocks: blocksOfEnd(end), sum: end };
    const { sum, blocks } = walk(bytes, size, false);
    return { number, bytes: size, blocks, sum };
  });
}

type Newest = { segment: Segment; tail: number | undefined; isTorn: boolean; walked: Walk };

function loadNewest(path: string, number: number): Newest | undefined {
  return withBytes(path, (bytes, size) => {
    const isClosed = endOf(bytes, size) !== undefined;
    const walked = walk(bytes, size, true);
    const { sum, blocks, tail } = walked;
    const segment = { number, bytes: size, blocks, sum };
    return { segment, tail: isClosed ? undefined : tail, isTorn: tail !== size, walked };
  });
}

/** Where the newest segment says nothing of them (it is destroyed): the newest word of those before. */
function olderMarks(folder: string, numbers: readonly number[], marks: Marks): Marks {
  let { places, note } = marks;
  for (const number of numbers.toReversed()) {
    if (places !== undefined) break;
    const path = join(folder, segmentName(number));
    const older = withBytes(path, (bytes, size) => walk(bytes, size, false).marks);
    places = older?.places;
    note ??= older?.note;
  }
  return { places, note };
}

export function loadComponent(folder: string): Loaded {
  const all = segmentsIn(folder);
  const stands = new Map(all.map((n) => [n, replacesOf(join(folder, segmentName(n)))]));
  // Another one replaces them: the agent was killed before it removed them.
  const replaced = [...stands.values()].filter((number) => all.includes(number));
  const numbers = all.filter((number) => !replaced.includes(number));
  const last = numbers.at(-1);
  const newest = last === undefined ? undefined : loadNewest(join(folder, segmentName(last)), last);
  const older = numbers.slice(0, -1);
  const segments = older
    .map((number) => loadClosed(join(folder, segmentName(number)), number))
    .filter((segment) => segment !== undefined);
  const none = { places: undefined, note: undefined };
  const marks = olderMarks(folder, older, newest?.walked.marks ?? none);
  if (newest !== undefined) segments.push(newest.segment);
  // One that cannot be opened still has its number.
  else if (last !== undefined) segments.push({ number: last, bytes: 0, blocks: 0, sum: NOTHING });
  const marked = segments.map((segment) => ({
    ...segment,
    isMerged: (stands.get(segment.number) ?? 0) > 0,
  }));
  return {
    segments: marked,
    tail: newest?.tail,
    isTorn: newest?.isTorn ?? false,
    places: marks.places ?? [],
    note: marks.note ?? '',
    damaged: newest?.walked.damaged ?? 0,
    newest:
      last === undefined || newest?.walked.newest === undefined
        ? undefined
        : { number: last, ...newest.walked.newest },
    replaced,
  };
}
