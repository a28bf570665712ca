// Reads the journal without the agent: in the process that searches it, while the agent goes on writing, closing and
// removing segments. Finding a window reads one head for each closed segment and one for each block of those that
// the window touches; nothing is kept but the place. What goes away meanwhile is passed by and counted, and so is
// what is damaged: an answer says what it lacks (design.md, Delivery).

import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { isId } from '../../../protocol/ids.ts';
import { fail, type Result } from '../../../protocol/result.ts';
import { DAMAGED, decodeMeta, HEAD_BYTES, type Head, levelSet, unpackBody } from './block.ts';
import { decodeRecords } from './records.ts';
import {
  Bytes,
  endOf,
  namesIn,
  openSegment,
  replacesOf,
  scan,
  segmentName,
  segmentsIn,
} from './segment.ts';
import type { BlockRef, JournalReader, JournalRecord, Missed, Window } from './types.ts';

const GONE = 'that part of the journal was removed while it was read';

const touches = ({ firstMs, lastMs }: Head, { sinceMs, untilMs }: Window): boolean =>
  firstMs <= untilMs && lastMs >= sinceMs;

class Reader implements JournalReader {
  readonly #folder: string;
  #missed: Missed = { gone: 0, damaged: 0 };
  /** The segment of the last block that was read: the next one is most likely in it, too. */
  #held: { readonly key: string; readonly file: number; readonly bytes: Bytes } | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  readonly components = (): readonly string[] =>
    namesIn(this.#folder).filter((name) => isId(name) && this.#numbers(name).length > 0);

  readonly missed = (): Missed => this.#missed;

  #miss(more: Partial<Missed>): void {
    const { gone, damaged } = this.#missed;
    this.#missed = {
      gone: gone + (more.gone ?? 0),
      damaged: damaged + (more.damaged ?? 0),
    };
  }

  #numbers(component: string): number[] {
    return segmentsIn(join(this.#folder, component));
  }

  #path(component: string, number: number): string {
    return join(this.#folder, component, segmentName(number));
  }

  *blocks(component: string, window: Window): Generator<BlockRef, undefined, undefined> {
    if (!isId(component)) return undefined;
    const numbers = this.#numbers(component);
    const replaced = new Set(
      numbers.map((number) => replacesOf(this.#path(component, number))).filter((n) => n > 0),
    );
    for (const number of numbers) {
      if (replaced.has(number)) continue;
      const stillThere = this.#present(component, number);
      if (stillThere === undefined) this.#miss({ gone: 1 });
      else yield* this.#blocksIn(component, stillThere.number, stillThere.file, window);
    }
    return undefined;
  }

  /** The segment, or the one that has replaced it since it was listed. */
  #present(component: string, number: number) {
    for (const candidate of [number, number + 1]) {
      const path = this.#path(component, candidate);
      if (candidate !== number && replacesOf(path) !== number) continue;
      const file = openSegment(path);
      if (file !== undefined) return { number: candidate, file };
    }
    return undefined;
  }

  *#blocksIn(component: string, segment: number, file: number, window: Window) {
    try {
      const bytes = new Bytes(file);
      const size = bytes.size();
      const end = endOf(bytes, size);
      if (end !== undefined && !touches(end, window)) return;
      let held: BlockRef[] = [];
      for (const found of scan(bytes, size)) {
        if (found.kind === 'gap') {
          // At the end of the newest it is an append that is being written.
          if (found.to < size || end !== undefined) this.#miss({ damaged: 1 });
          continue;
        }
        const { at, head } = found;
        if (head.ends) break;
        if (touches(head, window)) held.push(this.#refOf(component, segment, at, head, bytes));
        // Of an append in several blocks none counts before the last of them is there.
        if (head.goesOn) continue;
        yield* held;
        held = [];
      }
    } finally {
      closeSync(file);
    }
  }

  #refOf(component: string, segment: number, at: number, head: Head, bytes: Bytes): BlockRef {
    const { packedBytes, rawBytes, records, firstMs, lastMs } = head;
    const meta = decodeMeta(head, bytes.read(at + HEAD_BYTES, head.metaBytes));
    return {
      ...{ component, segment, at, packedBytes, rawBytes, records, firstMs, lastMs },
      levels: levelSet(head.levels),
      redactor: meta?.redactor ?? '',
    };
  }

  readonly read = (block: BlockRef): Result<readonly JournalRecord[]> => {
    try {
      return this.#read(block);
    } catch (error) {
      this.#miss({ damaged: 1 });
      return fail(`the journal cannot be read: ${String(error)}`);
    }
  };

  #read({ component, segment, at, records, redactor }: BlockRef): Result<readonly JournalRecord[]> {
    const bytes = this.#bytesOf(component, segment);
    if (bytes === undefined) {
      this.#miss({ gone: 1 });
      return fail(GONE);
    }
    const head = bytes.head(at);
    // Purged, as a whole or in part.
    if (head?.emptied === true || (head !== undefined && head.records !== records)) {
      this.#miss({ gone: 1 });
      return fail(GONE);
    }
    const read = head === undefined ? fail(DAMAGED) : this.#recordsOf(bytes, at, head, redactor);
    if (read.ok && read.value.length === records) return read;
    this.#miss({ damaged: 1 });
    return read.ok ? fail(DAMAGED) : read;
  }

  #recordsOf(bytes: Bytes, at: number, head: Head, redactor: string) {
    const body = bytes.read(at + HEAD_BYTES, head.metaBytes + head.packedBytes);
    const meta = decodeMeta(head, body.subarray(0, head.metaBytes));
    // Without its stamp nobody may see it.
    if (meta === undefined || meta.redactor !== redactor) return fail(DAMAGED);
    const raw = unpackBody(head, body.subarray(head.metaBytes));
    return raw.ok ? decodeRecords(raw.value) : raw;
  }

  #bytesOf(component: string, segment: number): Bytes | undefined {
    const key = `${component}/${segment}`;
    if (this.#held?.key === key) return this.#held.bytes;
    this.close();
    const file = openSegment(this.#path(component, segment));
    if (file === undefined) return undefined;
    this.#held = { key, file, bytes: new Bytes(file) };
    return this.#held.bytes;
  }

  readonly close = (): void => {
    if (this.#held !== undefined) closeSync(this.#held.file);
    this.#held = undefined;
  };
}

export const openReader = (folder: string): JournalReader => new Reader(folder);
