// Finds the blocks that answer a request: from the newest backwards, so that the last hundred lines of a gigabyte cost one
// block, and until enough was found, everything was looked at or the time is over. Without a filter the index alone
// tells. A block counts as settled when no block that was not looked at can hold a newer record, so a
// clock that was set back costs time and never a record.

import type { BlockRef, JournalReader, Window } from '../journal/types.ts';
import type { Steps } from '../steps.ts';
import { lineBytesOf } from './lines.ts';
import { type Finds, fits, hasLevel, isWithin } from './match.ts';
import type { Known } from './merge.ts';
import { type Part, RUNS_MAX, type Run, type Wish } from './plan.ts';

/** What stands before each record, about; and of `rawBytes` nothing is left out. */
const HEAD_BYTES = 36;
/** Matches whose places are remembered, so that a slow pattern runs once. */
const REMEMBERED_MAX = 2_000_000;
const ALL: Window = { sinceMs: -Infinity, untilMs: Infinity };

export type SearchOptions = {
  readonly reader: JournalReader;
  readonly wish: Wish;
  readonly finds: Finds | undefined;
  /** Whether the time is over. */
  readonly isLate: () => boolean;
  /** Bytes of text looked through, of so many. */
  readonly progress: (searchedBytes: number, searchBytes: number) => void;
};

type Candidate = { readonly part: number; readonly index: number; readonly block: BlockRef };
type Hit = { readonly matches: number; readonly bytes: number; readonly mostBytes: number };
const NO_HIT: Hit = { matches: 0, bytes: 0, mostBytes: 0 };
/** The index tells lengths about: rather a block too many than a record too few. */
const ENOUGH_RATIO = 1.25;

export type Found = {
  readonly parts: readonly Part[];
  /** More may fit than was looked for. */
  readonly isMore: boolean;
  readonly isLate: boolean;
  /** From when on everything was looked at; -Infinity: from the beginning. */
  readonly fromMs: number;
  readonly matches: number;
  /** At most so many, with neighbours. */
  readonly mostBytes: number;
  readonly searchedBytes: number;
  readonly searchBytes: number;
  readonly known: Known;
};

/** When the oldest record was written of those that are still there, where older ones have gone; else -Infinity. */
function oldestOf(reader: JournalReader, component: string): number {
  for (const { segment, firstMs } of reader.blocks(component, ALL)) {
    return segment > 1 ? firstMs : -Infinity;
  }
  return -Infinity;
}

/** From when on the journal is complete, of those components. */
export const completeFrom = (reader: JournalReader, components: readonly string[]): number =>
  Math.max(-Infinity, ...components.map((component) => oldestOf(reader, component)));

function runsOf(blocks: readonly BlockRef[], chosen: readonly number[]): Run[] {
  const runs: { from: number; to: number }[] = [];
  for (const index of chosen) {
    const last = runs.at(-1);
    const isNext = last !== undefined && index === last.to + 1;
    if (isNext && blocks[index]?.segment === blocks[last.to]?.segment) last.to = index;
    else runs.push({ from: index, to: index });
  }
  for (let gap = 1; runs.length > RUNS_MAX && gap <= blocks.length; gap *= 2) {
    for (let at = runs.length - 1; at > 0; at -= 1) {
      const [one, two] = [runs[at - 1], runs[at]];
      if (one === undefined || two === undefined || two.from - one.to - 1 > gap) continue;
      if (blocks[one.to]?.segment !== blocks[two.from]?.segment) continue;
      one.to = two.to;
      runs.splice(at, 1);
    }
  }
  return runs.flatMap(({ from, to }): Run[] => {
    const [first, last] = [blocks[from], blocks[to]];
    if (first === undefined || last === undefined) return [];
    return [[first.segment, first.at, last.at, to - from + 1]];
  });
}

/** Those with hits, and their neighbours as far as context reaches. */
function chosenOf(blocks: readonly BlockRef[], hits: readonly number[], context: number): number[] {
  const chosen = new Set(hits);
  for (const index of context > 0 ? hits : []) {
    for (const step of [-1, 1]) {
      let left = context;
      for (let at = index + step; left > 0 && blocks[at] !== undefined; at += step) {
        chosen.add(at);
        left -= blocks[at]?.records ?? 0;
      }
    }
  }
  return [...chosen].sort((a, b) => a - b);
}

class Search {
  readonly #o: SearchOptions;
  readonly #isFiltered: boolean;
  readonly #places = new Map<BlockRef['component'], Map<string, Uint32Array>>();
  #remembered = 0;

  constructor(options: SearchOptions) {
    this.#o = options;
    const { level } = options.wish;
    this.#isFiltered = level !== undefined || options.finds !== undefined;
  }

  readonly known: Known = (component, { segment, at }) =>
    this.#isFiltered ? this.#places.get(component)?.get(`${segment}/${at}`) : 'all';

  /** What a block brings: by its index where that tells, else by reading it. */
  look(block: BlockRef): Hit {
    const { reader, wish, finds } = this.#o;
    const isInside = block.firstMs >= wish.sinceMs && block.lastMs <= wish.untilMs;
    if (!this.#isFiltered && isInside) {
      const { records, rawBytes } = block;
      const bytes = rawBytes + records * (HEAD_BYTES + block.component.length);
      return { matches: records, bytes, mostBytes: bytes };
    }
    const read = reader.read(block);
    // Damaged, or just gone: it brings nothing that could be looked for.
    if (!read.ok) return this.#isFiltered ? NO_HIT : { ...NO_HIT, matches: block.records };
    const places: number[] = [];
    let bytes = 0;
    read.value.forEach((record, index) => {
      if (!isWithin(record, wish) || !fits(record, wish.level, finds)) return;
      places.push(index);
      bytes += lineBytesOf(block.component, record);
    });
    if (this.#isFiltered) this.#remember(block, places);
    const neighbours = Math.min(read.value.length, places.length * 2 * wish.context);
    const most = read.value.reduce((sum, { text }) => Math.max(sum, text.length), 0);
    const mostBytes = bytes + neighbours * (most + HEAD_BYTES);
    return { matches: places.length, bytes, mostBytes };
  }

  #remember({ component, segment, at }: BlockRef, places: readonly number[]): void {
    this.#remembered += places.length + 1;
    if (this.#remembered > REMEMBERED_MAX) return;
    const known = this.#places.get(component) ?? new Map<string, Uint32Array>();
    this.#places.set(component, known);
    known.set(`${segment}/${at}`, Uint32Array.from(places));
  }
}

type WaitingHit = Hit & { readonly firstMs: number };

/** How much of what was found cannot be pushed out by anything that was not looked at. */
class Settled {
  #waiting: WaitingHit[] = [];
  matches = 0;
  bytes = 0;

  add(hit: Hit, firstMs: number): void {
    if (hit.matches > 0) this.#waiting.push({ ...hit, firstMs });
  }

  /** Everything newer than that was looked at. */
  upTo(newestMs: number): void {
    const left: WaitingHit[] = [];
    for (const one of this.#waiting) {
      if (one.firstMs < newestMs) left.push(one);
      else {
        this.matches += one.matches;
        this.bytes += one.bytes;
      }
    }
    this.#waiting = left;
  }
}

/** A pause may come after each block. @throws what reading the journal throws. */
export function* searchSteps(options: SearchOptions): Steps<Found> {
  const { reader, wish, isLate, progress } = options;
  const all = wish.components.map((component) => [...reader.blocks(component, wish)]);
  const candidates: Candidate[] = all
    .flatMap((blocks, part) => blocks.map((block, index) => ({ part, index, block })))
    .filter(({ block }) => hasLevel(block, wish.level))
    .sort((a, b) => b.block.lastMs - a.block.lastMs);
  const searchBytes = candidates.reduce((sum, { block }) => sum + block.rawBytes, 0);
  const search = new Search(options);
  const settled = new Settled();
  const hits = all.map((): number[] => []);
  const total = { matches: 0, mostBytes: 0, searchedBytes: 0 };
  let isMore = false;
  let late = false;
  let fromMs = -Infinity;
  for (const { part, index, block } of candidates) {
    settled.upTo(block.lastMs);
    const { last = Infinity, bytesMax } = wish;
    isMore = settled.matches >= last || settled.bytes > bytesMax * ENOUGH_RATIO;
    late = !isMore && isLate();
    if (isMore || late) {
      fromMs = block.lastMs;
      break;
    }
    const hit = search.look(block);
    settled.add(hit, block.firstMs);
    total.matches += hit.matches;
    total.mostBytes += hit.mostBytes;
    total.searchedBytes += block.rawBytes;
    if (hit.matches > 0) hits[part]?.push(index);
    progress(total.searchedBytes, searchBytes);
    yield;
  }
  const parts = wish.components.map((component, at) => {
    const blocks = all[at] ?? [];
    const chosen = chosenOf(
      blocks,
      (hits[at] ?? []).sort((a, b) => a - b),
      wish.context,
    );
    return { component, runs: runsOf(blocks, chosen), skipMatches: 0 };
  });
  return { parts, isMore, isLate: late, fromMs, ...total, searchBytes, known: search.known };
}
