// Small blocks into large ones. A quiet component has a block each ten seconds with a line or two, which packs to more
// than the lines have: 5 lines a minute are 2 MB a day. When its segment is closed it is written anew, 128 KB to a
// block, which is a tenth. The new one has the number behind, which was left free for it, and names the one that it
// replaces: killed in between, both lie there and the old one does not count. The order on the disk is: new one
// durable under another name, renamed, old one removed.

import { addSums, encodeBlock, encodeEnd, NOTHING, packBody, unpackBody } from './block.ts';
import type { ComponentJournal } from './component.ts';
import type { SegmentFile } from './disk.ts';
import type { Segment } from './load.ts';
import { decodeRecords, encodeRecords, rawBytesOf } from './records.ts';
import { encodeSegmentHead, SEGMENT_HEAD_BYTES } from './segment.ts';
import type { JournalRecord, Place } from './types.ts';
import { walkSegment } from './walk.ts';

/** Blocks of less than so much on average are worth it. */
const SMALL_RAW_BYTES = 32 * 1024;
const FULL_RAW_BYTES = 128 * 1024;
export const NEW_SUFFIX = '.new';

/** @param pinnedTo up to that number somebody reads them by their places. */
export const shouldMerge = (segment: Segment, pinnedTo: number): boolean =>
  segment.isMerged !== true &&
  segment.number > pinnedTo &&
  segment.blocks > 1 &&
  segment.sum.rawBytes / segment.blocks < SMALL_RAW_BYTES;

class Writing {
  readonly #file: SegmentFile;
  #at = SEGMENT_HEAD_BYTES;
  #records: JournalRecord[] = [];
  #bytes = 0;
  #redactor = '';
  sum = NOTHING;
  blocks = 0;

  constructor(file: SegmentFile) {
    this.#file = file;
  }

  async add(records: readonly JournalRecord[], redactor: string): Promise<void> {
    if (redactor !== this.#redactor && this.#records.length > 0) await this.#write(undefined, '');
    if (records.length > 0) this.#redactor = redactor;
    for (const record of records) {
      const bytes = rawBytesOf(record);
      if (this.#bytes + bytes > FULL_RAW_BYTES) await this.#write(undefined, '');
      this.#records.push(record);
      this.#bytes += bytes;
    }
  }

  async #write(places: readonly Place[] | undefined, note: string): Promise<void> {
    const { raw, sum } = encodeRecords(this.#records);
    const meta = { redactor: this.#redactor, places, note: note === '' ? undefined : note };
    const block = encodeBlock(sum, packBody(raw), meta);
    this.#records = [];
    this.#bytes = 0;
    await this.#file.write(block, this.#at);
    this.#at += block.length;
    this.sum = addSums(this.sum, sum);
    this.blocks += 1;
  }

  /** The last block has the places of the last one of before. @returns how long the file is. */
  async finish(places: readonly Place[], note: string): Promise<number> {
    await this.#write(places, note);
    const end = encodeEnd(this.sum, this.blocks);
    await this.#file.write(end, this.#at);
    await this.#file.sync();
    return this.#at + end.length;
  }
}

async function copy(from: SegmentFile, to: SegmentFile, number: number) {
  await to.write(encodeSegmentHead(number), 0);
  const writing = new Writing(to);
  let places: readonly Place[] = [];
  let note = '';
  let damaged = 0;
  for await (const { head, meta, body } of walkSegment(from)) {
    places = meta?.places ?? places;
    note = meta?.note ?? note;
    if (head.emptied) continue;
    const raw = unpackBody(head, body);
    const records = raw.ok ? decodeRecords(raw.value) : raw;
    if (meta === undefined || !records.ok) damaged += head.records;
    else await writing.add(records.value, meta.redactor);
  }
  const bytes = await writing.finish(places, note);
  return { bytes, damaged, blocks: writing.blocks, sum: writing.sum };
}

/** @throws what the disk says; then the old one stays. @returns the bytes that it saved. */
export async function mergeSegment(journal: ComponentJournal, segment: Segment): Promise<number> {
  const { disk, folder, pathOf } = journal;
  const number = segment.number + 1;
  const path = pathOf(number);
  await disk.remove(`${path}${NEW_SUFFIX}`);
  const from = await disk.open(pathOf(segment.number));
  try {
    const to = await disk.create(`${path}${NEW_SUFFIX}`);
    let copied: Awaited<ReturnType<typeof copy>>;
    try {
      copied = await copy(from, to, segment.number);
    } finally {
      await to.close();
    }
    // Where a part of it cannot be walked through, nothing is thrown away.
    const isAll = copied.sum.records + copied.damaged >= segment.sum.records;
    if (!isAll || copied.bytes >= segment.bytes) {
      await disk.remove(`${path}${NEW_SUFFIX}`);
      // Not tried again.
      journal.replace(segment.number, { ...segment, isMerged: true });
      return 0;
    }
    await disk.rename(`${path}${NEW_SUFFIX}`, path);
    await disk.syncFolder(folder);
    const { bytes, blocks, sum, damaged } = copied;
    journal.replace(segment.number, { number, bytes, blocks, sum, isMerged: true });
    journal.count('damaged', damaged);
    await disk.remove(pathOf(segment.number));
    return segment.bytes - bytes;
  } finally {
    await from.close();
  }
}
