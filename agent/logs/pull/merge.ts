// The records of a plan, one after the other: those of each component in the order in which they were written, components
// merged by time. Of two at the same time the one whose component comes first, so every reading gives the same order.
// Blocks are read one at a time, and each reading of one is told, so that whoever asks can pause: a search that finds
// nothing for a gigabyte must still hear that it is to end.

import { DAMAGED } from '../journal/block.ts';
import type { BlockRef, JournalReader, JournalRecord } from '../journal/types.ts';
import { type Finds, fits, isWithin, type Picked, Selector } from './match.ts';
import type { Part, Wish } from './plan.ts';

export const GONE = 'blocks of the journal were removed while they were read: ask again';

/** It stays damaged: every reading says the same in its place. */
const damagedRecord = ({ firstMs, records }: BlockRef): JournalRecord => ({
  ...{ timeMs: firstMs, guessed: true, level: 'warn', version: '' },
  text: `[tillwatch: ${records} records cannot be read: a block of the journal is damaged]`,
});

/** Which of a block's records fit, where a search has told already; 'all', or their places. */
export type Known = (part: string, block: BlockRef) => 'all' | Uint32Array | undefined;

/** The blocks of a part, still there or not. */
export function blocksOf(reader: JournalReader, { component, runs }: Part, wish: Wish): BlockRef[] {
  const found: BlockRef[] = [];
  let at = 0;
  let inRun = 0;
  for (const block of reader.blocks(component, wish)) {
    const run = runs[at];
    if (run === undefined) break;
    const [segment, first, last, blocks] = run;
    if (block.segment < segment || (block.segment === segment && block.at < first)) continue;
    if (block.segment !== segment || block.at > last) throw new Error(GONE);
    found.push(block);
    inRun += 1;
    if (block.at < last) continue;
    if (inRun !== blocks) throw new Error(GONE);
    at += 1;
    inRun = 0;
  }
  if (at < runs.length) throw new Error(GONE);
  return found;
}

export type MergeOptions = {
  readonly reader: JournalReader;
  readonly wish: Wish;
  readonly finds: Finds | undefined;
  readonly known: Known;
};

export type Merged = Picked & { readonly component: string; readonly redactor: string };

class Feed {
  readonly component: string;
  readonly #o: MergeOptions;
  readonly #blocks: readonly BlockRef[];
  readonly #select: Selector;
  #picked: Picked[] = [];
  #at = 0;
  #next = 0;
  #redactor = '';
  /** Of text, in blocks that were read. */
  bytes = 0;

  constructor(part: Part, options: MergeOptions) {
    this.component = part.component;
    this.#o = options;
    this.#blocks = blocksOf(options.reader, part, options.wish);
    this.#select = new Selector(options.wish.context, part.skipMatches);
  }

  get head(): Picked | undefined {
    return this.#picked[this.#at];
  }

  get redactor(): string {
    return this.#redactor;
  }

  get isDone(): boolean {
    return this.#next >= this.#blocks.length;
  }

  step(): void {
    this.#at += 1;
  }

  load(): void {
    const { reader, wish, finds, known } = this.#o;
    const block = this.#blocks[this.#next];
    this.#next += 1;
    this.#picked = [];
    this.#at = 0;
    if (block === undefined) return;
    const read = reader.read(block);
    this.#redactor = block.redactor;
    this.bytes += block.rawBytes;
    if (!read.ok) {
      if (read.reason !== DAMAGED) throw new Error(GONE);
      this.#picked.push({ record: damagedRecord(block), isMatch: false });
      return;
    }
    const told = known(this.component, block);
    const places = told === undefined || told === 'all' ? undefined : new Set(told);
    read.value.forEach((record, index) => {
      if (!isWithin(record, wish)) return;
      const isFit =
        told === undefined ? fits(record, wish.level, finds) : (places?.has(index) ?? true);
      this.#select.add(record, isFit, this.#picked);
    });
  }
}

export const PAUSE = Symbol('a block was read');

export class Merge {
  readonly #feeds: readonly Feed[];

  /** @throws what reading the journal throws. */
  constructor(parts: readonly Part[], options: MergeOptions) {
    this.#feeds = parts.map((part) => new Feed(part, options));
  }

  readBytes(): number {
    return this.#feeds.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** @returns undefined behind the last. @throws what reading the journal throws. */
  next(): Merged | typeof PAUSE | undefined {
    let first: Feed | undefined;
    let head: Picked | undefined;
    for (const feed of this.#feeds) {
      const one = feed.head;
      if (one === undefined) {
        if (feed.isDone) continue;
        feed.load();
        return PAUSE;
      }
      if (head === undefined || one.record.timeMs < head.record.timeMs) {
        first = feed;
        head = one;
      }
    }
    if (first === undefined || head === undefined) return undefined;
    const { component, redactor } = first;
    first.step();
    return { record: head.record, isMatch: head.isMatch, component, redactor };
  }
}
