// Which segments of a component have to go: the oldest, while all of them take more than their bound or while they are
// older than is kept. What somebody still reads may stay over the bound, within one of its own. Pure.

import type { Segment } from './load.ts';

export type Room = 'all' | 'quarter' | 'least';

/** Not more than this is kept for the sake of a request, per component. */
export const PINNED_BYTES_MAX = 256 * 1024 * 1024;
/** What stays of each component when the disk is short of room. */
export const JOURNAL_BYTES_LEAST = 64 * 1024;
export const JOURNAL_BYTES_MAX = 50 * 1024 * 1024;
export const JOURNAL_DAYS = 30;
const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;
const SEGMENT_BYTES_LEAST = 8 * 1024;
/** A segment is one part of so many, so that what goes at once is little of the whole. */
const PARTS = 8;

export function roomBytes(bytesMax: number, room: Room): number {
  if (room === 'all') return bytesMax;
  return Math.min(bytesMax, Math.max(JOURNAL_BYTES_LEAST, room === 'quarter' ? bytesMax / 4 : 0));
}

/** A segment that has so much is closed. */
export const segmentBytesMax = (bytes: number): number =>
  Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_LEAST, Math.floor(bytes / PARTS)));

export type Question = {
  readonly segments: readonly Pick<Segment, 'number' | 'bytes' | 'sum'>[];
  readonly bytesMax: number;
  readonly room: Room;
  /** Up to that number they are still read; 0: none is. */
  readonly pinnedTo: number;
  /** What ends before is too old. -Infinity: nobody knows for sure what time it is. */
  readonly oldBeforeMs: number;
};

export type Surplus = { readonly number: number; readonly why: 'size' | 'disk' | 'age' };

/** The oldest first; the newest may be among them. */
export function judgeSegments(question: Question): Surplus[] {
  const { segments, bytesMax, room, pinnedTo, oldBeforeMs } = question;
  const most = roomBytes(bytesMax, room);
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const surplus: Surplus[] = [];
  for (const { number, bytes: own, sum } of segments) {
    const isPinned = number <= pinnedTo && room !== 'least';
    const isOver = bytes > (isPinned ? Math.max(most, PINNED_BYTES_MAX) : most);
    const isOld = sum.records > 0 && sum.lastMs < oldBeforeMs && !isPinned;
    if (!isOver && !isOld) break;
    surplus.push({ number, why: isOver ? (room === 'all' ? 'size' : 'disk') : 'age' });
    bytes -= own;
  }
  return surplus;
}
