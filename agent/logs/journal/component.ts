// The journal of one component as it is written: appends to its newest segment, closes it when it is full, removes what
// is too much. Every call is made in a row by the store, never two at a time. An append that fails in its middle
// leaves bytes behind the tail; they are cut off before the next one is written, so that no record is in it twice.
// Before the last segment goes another one stands with the places in it: nothing is ever read twice for want of them.

import { join } from 'node:path';
import { fail, ok, type Result } from '../../../protocol/result.ts';
import { addSums, encodeBlock, encodeEnd, type Meta, NOTHING, packBody } from './block.ts';
import type { SegmentDisk, SegmentFile } from './disk.ts';
import { loadComponent, type Segment } from './load.ts';
import { encodeRecords, piecesOf, readBlock } from './records.ts';
import type { Surplus } from './retention.ts';
import { encodeSegmentHead, SEGMENT_HEAD_BYTES, segmentName } from './segment.ts';
import { BLOCK_RAW_BYTES_MAX, type Dropped, type JournalRecord, type Place } from './types.ts';

/** A segment has no more: finding a window in it stays a matter of milliseconds. */
const BLOCKS_MAX = 2_000;
/** Between two there is room for one that replaces the first (merge.ts). */
export const NUMBER_STEP = 2;

const CREATE_TRIES_MAX = 1_000;

type Open = { readonly file: SegmentFile; readonly segment: Segment };

const reasonOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

export class ComponentJournal {
  readonly folder: string;
  readonly #disk: SegmentDisk;
  readonly #segments: Segment[];
  readonly dropped: Partial<Record<Dropped, number>> = {};
  readonly #loaded: ReturnType<typeof loadComponent>;
  #open: Open | undefined;
  /** Behind the last append that counts, in the newest segment; undefined: that one is closed. */
  #tail: number | undefined;
  #isTorn: boolean;
  #places: readonly Place[];
  #note: string;

  constructor(folder: string, disk: SegmentDisk) {
    this.folder = folder;
    this.#disk = disk;
    this.#loaded = loadComponent(folder);
    const { segments, tail, isTorn, places, note, damaged } = this.#loaded;
    this.#segments = segments;
    this.#tail = tail;
    this.#isTorn = isTorn;
    this.#places = places;
    this.#note = note;
    if (damaged > 0) this.dropped.damaged = damaged;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get places(): readonly Place[] {
    return this.#places;
  }

  get note(): string {
    return this.#note;
  }

  /** Something behind its end was torn when it was opened. */
  get wasTorn(): boolean {
    return this.#loaded.isTorn && this.#loaded.tail !== undefined;
  }

  readonly pathOf = (number: number): string => join(this.folder, segmentName(number));

  /** Records of the block that was the newest when it was opened; none where it went since. */
  async newest(): Promise<readonly JournalRecord[]> {
    const { newest } = this.#loaded;
    if (newest === undefined) return [];
    try {
      const file = await this.#disk.open(this.pathOf(newest.number));
      try {
        const read = readBlock(await file.read(newest.at, newest.bytes));
        return read.ok ? read.value : [];
      } finally {
        await file.close();
      }
    } catch {
      return []; // it is gone, or the disk fails: whoever asks does without
    }
  }

  async append(
    records: readonly JournalRecord[],
    meta: Meta,
    segmentBytes: number,
  ): Promise<Result<void>> {
    try {
      const { file, segment } = await this.#writable();
      const at = this.#tail ?? SEGMENT_HEAD_BYTES;
      const blocks = this.#blocksOf(records, meta);
      this.#isTorn = true;
      await file.write(blocks.bytes, at);
      await file.sync();
      this.#isTorn = false;
      this.#tail = at + blocks.bytes.length;
      segment.bytes = this.#tail;
      segment.blocks += blocks.count;
      segment.sum = addSums(segment.sum, blocks.sum);
      this.#places = meta.places ?? this.#places;
      this.#note = meta.note ?? this.#note;
      if (segment.bytes >= segmentBytes || segment.blocks >= BLOCKS_MAX) await this.end();
      return ok(undefined);
    } catch (error) {
      await this.#letGo();
      return fail(`the journal cannot be written: ${reasonOf(error)}`);
    }
  }

  /** Several are written at once; all but the last say that they are not all. */
  #blocksOf(records: readonly JournalRecord[], meta: Meta) {
    const pieces = piecesOf(records, BLOCK_RAW_BYTES_MAX);
    const blocks: Buffer[] = [];
    let sum = NOTHING;
    for (const [index, piece] of pieces.entries()) {
      const goesOn = index < pieces.length - 1;
      const { raw, sum: own } = encodeRecords(piece);
      const about = goesOn ? { ...meta, places: undefined, note: undefined } : meta;
      blocks.push(encodeBlock(own, packBody(raw), about, { goesOn }));
      sum = addSums(sum, own);
    }
    const [only] = blocks;
    const bytes = only !== undefined && blocks.length === 1 ? only : Buffer.concat(blocks);
    return { bytes, sum, count: blocks.length };
  }

  /** The newest segment, open, with nothing behind its tail; a new one where it is closed. */
  async #writable(): Promise<Open> {
    if (this.#tail === undefined) return await this.#begin();
    const segment = this.#segments.at(-1);
    if (segment === undefined) return await this.#begin();
    // Somebody has removed it by hand: what is written there would be nowhere.
    if (this.#open !== undefined && !(await this.#open.file.isThere())) {
      this.#tail = undefined;
      await this.#letGo();
      return await this.#begin();
    }
    this.#open ??= { file: await this.#disk.open(this.pathOf(segment.number)), segment };
    if (this.#isTorn) {
      await this.#open.file.truncate(this.#tail);
      this.#isTorn = false;
    }
    return this.#open;
  }

  async #begin(): Promise<Open> {
    await this.#disk.makeFolder(this.folder);
    const { number, file } = await this.#create();
    const segment = { number, bytes: SEGMENT_HEAD_BYTES, blocks: 0, sum: NOTHING };
    try {
      await file.write(encodeSegmentHead(0), 0);
      await this.#disk.syncFolder(this.folder);
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.#disk.remove(this.pathOf(number)).catch(() => undefined);
      throw error;
    }
    this.#segments.push(segment);
    this.#tail = SEGMENT_HEAD_BYTES;
    this.#isTorn = false;
    this.#open = { file, segment };
    return this.#open;
  }

  /** A file that nobody knew of, because it could not be listed at the start, is never written over. */
  async #create(): Promise<{ number: number; file: SegmentFile }> {
    let number = (this.#segments.at(-1)?.number ?? 1 - NUMBER_STEP) + NUMBER_STEP;
    for (let tries = 1; ; tries += 1) {
      try {
        return { number, file: await this.#disk.create(this.pathOf(number)) };
      } catch (error) {
        if (reasonOf(error) !== 'EEXIST' || tries >= CREATE_TRIES_MAX) throw error;
        number += NUMBER_STEP;
      }
    }
  }

  /** No more goes into the newest segment. */
  async end(): Promise<void> {
    const segment = this.#segments.at(-1);
    if (this.#tail === undefined || segment === undefined) return;
    try {
      // Without it a search reads all heads: nothing depends on it.
      const { file } = await this.#writable();
      await file.write(encodeEnd(segment.sum, segment.blocks), this.#tail);
    } catch {
      this.#isTorn = true;
    }
    this.#tail = undefined;
    await this.#letGo();
  }

  /** Cuts off what a failed append left, while it can be done: on a full disk that is room. */
  async #letGo(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    try {
      if (this.#isTorn && this.#tail !== undefined) {
        await open.file.truncate(this.#tail);
        this.#isTorn = false;
      }
    } catch {
      // Done before the next append, or that one fails, too.
    }
    await open.file.close().catch(() => undefined);
  }

  /** @returns whether all of them went. */
  async remove(surplus: readonly Surplus[]): Promise<boolean> {
    for (const { number, why } of surplus) {
      if (number === this.#segments.at(-1)?.number && !(await this.renew())) return false;
      if (!(await this.drop(number, why))) return false;
    }
    return true;
  }

  /** Goes on in a segment that holds nothing but the places. */
  async renew(): Promise<boolean> {
    await this.end();
    const meta = { redactor: '', places: this.#places, note: this.#note };
    return (await this.append([], meta, Number.POSITIVE_INFINITY)).ok;
  }

  async drop(number: number, why: Dropped): Promise<boolean> {
    const index = this.#segments.findIndex((segment) => segment.number === number);
    const segment = this.#segments[index];
    if (segment === undefined) return true;
    try {
      await this.#disk.remove(this.pathOf(number));
    } catch {
      return false;
    }
    this.#segments.splice(index, 1);
    this.count(why, segment.sum.records);
    return true;
  }

  /** One segment stands in for another. */
  replace(number: number, by: Segment): void {
    const index = this.#segments.findIndex((segment) => segment.number === number);
    if (index >= 0) this.#segments[index] = by;
  }

  count(why: Dropped, records: number): void {
    if (records > 0) this.dropped[why] = (this.dropped[why] ?? 0) + records;
  }

  /** Segments that are replaced by others lie there still. */
  get isUntidy(): boolean {
    return this.#loaded.replaced.length > 0;
  }

  /** The last append was the last of its segment. */
  get justEnded(): boolean {
    return this.#tail === undefined;
  }

  get closed(): readonly Segment[] {
    return this.#tail === undefined ? this.#segments : this.#segments.slice(0, -1);
  }

  get disk(): SegmentDisk {
    return this.#disk;
  }

  /** What an agent that was killed left: segments that others replace, and halves of those that were to. */
  async tidy(leftovers: readonly string[]): Promise<void> {
    const paths = [...this.#loaded.replaced.map(this.pathOf), ...leftovers];
    for (const path of paths) await this.#disk.remove(path).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#letGo();
  }
}
