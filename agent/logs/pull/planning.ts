// From what a search has found to a plan: where more was found than was asked for, what is left out at the beginning is
// counted exactly, because the newest records are those that count. Two passes over what was found at most: which
// matches are too many, then how many records are too many bytes.

import type { Cut } from '../../../protocol/logs.ts';
import { stamp } from '../../../redact/index.ts';
import type { Steps } from '../steps.ts';
import { lineBytesOf } from './lines.ts';
import { Merge, PAUSE } from './merge.ts';
import type { Part, Plan, Wish } from './plan.ts';
import { completeFrom, type Found, type SearchOptions, searchSteps } from './search.ts';

/** A number for each record of an answer, in little memory. */
class Row {
  #values = new Uint32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) {
      const longer = new Uint32Array(this.length * 2);
      longer.set(this.#values);
      this.#values = longer;
    }
    this.#values[this.length] = value;
    this.length += 1;
  }

  at(index: number): number {
    return this.#values[index] ?? 0;
  }
}

/** Of the merged matches only the newest: which part leaves out how many of its own. */
function* newest(parts: readonly Part[], options: SearchOptions, { known }: Found): Steps<Part[]> {
  const { last = Infinity, ...rest } = options.wish;
  const wish = { ...rest, context: 0 };
  const merge = new Merge(parts, { ...options, wish, known });
  const order = new Row();
  const index = new Map(parts.map(({ component }, at) => [component, at]));
  for (let one = merge.next(); one !== undefined; one = merge.next()) {
    if (one === PAUSE) yield;
    else if (one.isMatch) order.push(index.get(one.component) ?? 0);
  }
  const skips = parts.map(() => 0);
  for (let at = 0; at < order.length - last; at += 1) {
    const part = order.at(at);
    skips[part] = (skips[part] ?? 0) + 1;
  }
  return parts.map((part, at) => ({ ...part, skipMatches: skips[at] ?? 0 }));
}

/** How many of the first records are left out so that the rest fits, and when the rest begins. */
function* fitting(parts: readonly Part[], options: SearchOptions, { known }: Found) {
  const { bytesMax } = options.wish;
  const merge = new Merge(parts, { ...options, known });
  const lengths = new Row();
  let bytes = 0;
  for (let one = merge.next(); one !== undefined; one = merge.next()) {
    if (one === PAUSE) {
      yield;
      continue;
    }
    const length = lineBytesOf(one.component, one.record);
    lengths.push(length);
    bytes += length;
  }
  let skip = 0;
  while (bytes > bytesMax && skip < lengths.length) {
    bytes -= lengths.at(skip);
    skip += 1;
  }
  return skip;
}

/** When the answer begins. */
function* firstMsOf(parts: readonly Part[], skip: number, options: SearchOptions, known: Found) {
  const merge = new Merge(parts, { ...options, known: known.known });
  let left = skip;
  for (let one = merge.next(); one !== undefined; one = merge.next()) {
    if (one === PAUSE) yield;
    else if (left === 0) return one.record.timeMs;
    else left -= 1;
  }
  return undefined;
}

function cutOf(found: Found, { last = Infinity, behind }: Wish, isTooLong: boolean): Cut {
  if (found.isLate) return 'time';
  if (isTooLong) return 'bytes';
  if (found.matches > last) return 'lines';
  if (!found.isMore) return behind === true ? 'behind' : '';
  return found.matches >= last ? 'lines' : 'bytes';
}

/** @throws what reading the journal throws. */
export function* planSteps(
  options: SearchOptions,
): Steps<{ readonly plan: Plan; readonly found: Found }> {
  const { reader, wish } = options;
  const found = yield* searchSteps(options);
  const { last = Infinity, bytesMax } = wish;
  const tooMany = found.isMore || found.matches > last;
  const parts =
    tooMany && last < Infinity ? yield* newest(found.parts, options, found) : found.parts;
  const skipRecords =
    found.isMore || found.mostBytes > bytesMax ? yield* fitting(parts, options, found) : 0;
  const isCut = skipRecords > 0 || parts.some(({ skipMatches }) => skipMatches > 0);
  const firstMs = isCut ? yield* firstMsOf(parts, skipRecords, options, found) : undefined;
  const completeMs = completeFrom(reader, wish.components);
  const isRotated = completeMs > wish.sinceMs;
  const fromMs = Math.max(
    wish.sinceMs,
    isRotated ? completeMs : -Infinity,
    found.isLate || found.isMore ? found.fromMs : -Infinity,
    firstMs ?? -Infinity,
  );
  const cutBy = cutOf(found, wish, skipRecords > 0);
  const plan = {
    ...{ redactor: stamp(), parts: [...parts], skipRecords, cutBy },
    ...{
      truncated: isCut || found.isLate || found.isMore || isRotated || wish.behind === true,
      fromMs,
    },
    ...{ searchedBytes: found.searchedBytes, searchBytes: found.searchBytes },
  };
  return { plan, found };
}
