// What is older than a moment goes, because an operator asks for it. A segment that is older as a whole is removed. One
// that is older in part is written anew, every block at the place where it was, because whoever searches knows blocks
// by their places: of one that goes only its head stays, and no room is taken on the disk for the rest; of one that is
// cut by the moment the younger records stay. The newest segment is closed for it; places are never lost.

import {
  addSums,
  blockBytes,
  encodeBlock,
  encodeEmptied,
  encodeEnd,
  encodeMeta,
  HEAD_BYTES,
  NOTHING,
  packBody,
  type Sum,
  unpackBody,
} from './block.ts';
import type { ComponentJournal } from './component.ts';
import type { SegmentFile } from './disk.ts';
import type { Segment } from './load.ts';
import { NEW_SUFFIX } from './merge.ts';
import { decodeRecords, encodeRecords } from './records.ts';
import { SEGMENT_HEAD_BYTES } from './segment.ts';
import { type Walked, walkSegment } from './walk.ts';

export type Purged = { readonly bytes: number; readonly records: number; readonly kept: number };

type Kept = { readonly bytes: Uint8Array; readonly sum: Sum };

/** The block without what is older; undefined: it stays as it is. */
function without({ head, meta, body }: Walked, beforeMs: number): Kept | undefined {
  if (meta === undefined || head.emptied || head.firstMs >= beforeMs) return undefined;
  const emptied = (): Kept => ({
    bytes: Buffer.concat([encodeEmptied(head), encodeMetaAgain(head.metaBytes, meta)]),
    sum: NOTHING,
  });
  if (head.lastMs < beforeMs) return emptied();
  const raw = unpackBody(head, body);
  const records = raw.ok ? decodeRecords(raw.value) : raw;
  if (!records.ok) return undefined;
  const younger = encodeRecords(records.value.filter(({ timeMs }) => timeMs >= beforeMs));
  const { goesOn } = head;
  const shape = { goesOn, bytes: blockBytes(head) };
  const bytes = encodeBlock(younger.sum, packBody(younger.raw), meta, shape);
  // Nearly impossible: fewer records that pack worse.
  return bytes.length === shape.bytes ? { bytes, sum: younger.sum } : undefined;
}

/** As long as it was. */
function encodeMetaAgain(length: number, meta: NonNullable<Walked['meta']>): Buffer {
  const bytes = Buffer.alloc(length, ' ');
  encodeMeta(meta).copy(bytes);
  return bytes;
}

async function rewrite(from: SegmentFile, to: SegmentFile, size: number, beforeMs: number) {
  await to.write(await from.read(0, SEGMENT_HEAD_BYTES), 0);
  let [sum, blocks, bytes] = [NOTHING, 0, 0];
  for await (const walked of walkSegment(from)) {
    const { at, head, body } = walked;
    const kept = without(walked, beforeMs);
    if (kept !== undefined) {
      await to.write(kept.bytes, at);
      sum = addSums(sum, kept.sum);
      if (kept.sum.records === 0) bytes += head.packedBytes;
    } else {
      await to.write(await from.read(at, HEAD_BYTES + head.metaBytes), at);
      await to.write(body, at + HEAD_BYTES + head.metaBytes);
      sum = addSums(sum, head);
    }
    blocks += 1;
  }
  await to.write(encodeEnd(sum, blocks), size - HEAD_BYTES);
  await to.sync();
  return { sum, blocks, bytes, allocated: await to.allocated() };
}

/** @throws what the disk says; then it stays as it was. */
async function purgeSegment(journal: ComponentJournal, segment: Segment, beforeMs: number) {
  const { disk, folder, pathOf } = journal;
  const path = pathOf(segment.number);
  await disk.remove(`${path}${NEW_SUFFIX}`);
  const from = await disk.open(path);
  try {
    const size = await from.size();
    const to = await disk.create(`${path}${NEW_SUFFIX}`);
    let done: Awaited<ReturnType<typeof rewrite>>;
    try {
      done = await rewrite(from, to, size, beforeMs);
    } finally {
      await to.close();
    }
    await disk.rename(`${path}${NEW_SUFFIX}`, path);
    await disk.syncFolder(folder);
    const { sum, blocks, bytes, allocated } = done;
    const records = segment.sum.records - sum.records;
    const { number, isMerged = false } = segment;
    // The journal counts what its files are long; a sparse one takes less.
    journal.replace(number, { number, bytes: Math.min(size, allocated), blocks, sum, isMerged });
    journal.count('purged', records);
    return { bytes, records };
  } finally {
    await from.close();
  }
}

export async function purgeComponent(
  journal: ComponentJournal,
  beforeMs: number,
  pinnedTo: number,
): Promise<Purged> {
  let [bytes, records, kept] = [0, 0, 0];
  for (const segment of [...journal.segments]) {
    const { number, sum } = segment;
    if (sum.records === 0 || sum.firstMs >= beforeMs) continue;
    const isOpen = number === journal.segments.at(-1)?.number;
    if (number <= pinnedTo || (isOpen && !(await journal.renew()))) {
      kept += 1;
      continue;
    }
    if (sum.lastMs < beforeMs) {
      if (!(await journal.drop(number, 'purged'))) kept += 1;
      else [bytes, records] = [bytes + segment.bytes, records + sum.records];
      continue;
    }
    try {
      const gone = await purgeSegment(journal, segment, beforeMs);
      [bytes, records] = [bytes + gone.bytes, records + gone.records];
    } catch {
      kept += 1;
    }
  }
  return { bytes, records, kept };
}
