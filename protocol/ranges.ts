// Which sequence numbers have been seen, as sorted ranges that neither overlap nor touch. A lane that
// lost nothing is one range, however long it runs; that is why a broker can remember every batch
// for ever and why an acknowledgement is a few bytes.

import type { Range } from './wire.ts';

export type Ranges = readonly Range[];

/** @returns the index of the first range that ends at or after `seq`. */
function find(ranges: Ranges, seq: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.last ?? 0) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function hasSeq(ranges: Ranges, seq: number): boolean {
  const range = ranges[find(ranges, seq)];
  return range !== undefined && range.first <= seq;
}

/** @returns the ranges with `range` added; the same array when nothing is new. */
export function addRange(ranges: Ranges, range: Range): Ranges {
  // Neighbours within one of either end melt into the new range.
  const from = find(ranges, range.first - 1);
  let until = from;
  let { first, last } = range;
  while (until < ranges.length) {
    const next = ranges[until];
    if (next === undefined || next.first > range.last + 1) break;
    if (next.first <= range.first && next.last >= range.last) return ranges;
    first = Math.min(first, next.first);
    last = Math.max(last, next.last);
    until += 1;
  }
  return [...ranges.slice(0, from), { first, last }, ...ranges.slice(until)];
}

export const addSeq = (ranges: Ranges, seq: number): Ranges =>
  addRange(ranges, { first: seq, last: seq });

/** How many numbers the ranges hold. */
export const countSeqs = (ranges: Ranges): number =>
  ranges.reduce((sum, range) => sum + range.last - range.first + 1, 0);
