// The blocks of a closed segment, one after another, without waiting in the agent's loop: a few KB are read at a time, so
// that the work between two reads is a millisecond or two. For what rewrites segments (merge.ts, purge.ts).

import { blockBytes, decodeHead, decodeMeta, HEAD_BYTES, type Head, type Meta } from './block.ts';
import type { SegmentFile } from './disk.ts';
import { SEGMENT_HEAD_BYTES } from './segment.ts';

/** Some thirty of the smallest blocks. */
const READ_BYTES = 8 * 1024;

export type Walked = {
  readonly at: number;
  readonly head: Head;
  /** Undefined: it is damaged. */
  readonly meta: Meta | undefined;
  /** Packed. */
  readonly body: Uint8Array;
};

/** Up to the first place where no block begins, or the end. */
export async function* walkSegment(file: SegmentFile): AsyncGenerator<Walked, void, undefined> {
  let at = SEGMENT_HEAD_BYTES;
  let bytes: Buffer = Buffer.alloc(0);
  let from = at;
  const need = async (length: number): Promise<Buffer> => {
    if (at - from + length > bytes.length) {
      bytes = await file.read(at, Math.max(length, READ_BYTES));
      from = at;
    }
    return bytes.subarray(at - from, at - from + length);
  };
  for (;;) {
    const head = decodeHead(await need(HEAD_BYTES));
    if (head === undefined || head.ends) return;
    const length = blockBytes(head);
    const block = await need(length);
    if (block.length < length) return;
    const bodyAt = HEAD_BYTES + head.metaBytes;
    const meta = decodeMeta(head, block.subarray(HEAD_BYTES, bodyAt));
    yield { at, head, meta, body: block.subarray(bodyAt) };
    at += length;
  }
}
