// Bytes of an answer as the batch that is sent: as many as fit into a chunk when they are packed. How much that is is
// guessed by how well the chunk before was packed, because packing twice costs more than a chunk that is a little too
// small. While the line is quicker than we are, packing is quick rather than thorough.

import { deflateRawSync } from 'node:zlib';
import { dictionary } from '../../../protocol/dictionary.ts';
import { LOG_CHUNK_BYTES_MAX, LOG_CHUNK_RAW_BYTES_MAX } from '../../../protocol/limits.ts';
import { encodeLogChunk, lastSeqOf, type NewLogChunk, seqOfChunk } from '../../../protocol/logs.ts';
import { type Batch, encodeBatch } from '../../../protocol/wire.ts';

/** Beside the packed chunk: the envelope, and what the chunk says of itself. */
const ENVELOPE_BYTES = 256;
const ROOM_BYTES = LOG_CHUNK_BYTES_MAX - ENVELOPE_BYTES;
/** As protocol/body.ts; 1 packs logs at five times the speed into a quarter more. */
export const QUICK = 1;
export const THOROUGH = 6;
const WINDOW_BITS = 15;
/** Aim a little below, and never at less than what fits unpacked. */
const AIM_RATIO = 0.9;

export type Stamp = { readonly createdMs: number; readonly clockOffsetMs: number };

/** A chunk as it is sent, and what is known of it without unpacking it. */
export type PackedChunk = {
  readonly bytes: Uint8Array;
  readonly seq: number;
  readonly lastSeq: number;
  readonly isLast: boolean;
};

function deflate(body: Uint8Array, level: number): Pick<Batch, 'encoding' | 'body'> {
  const packed = deflateRawSync(body, {
    ...{ level, windowBits: WINDOW_BITS, dictionary: dictionary() },
  });
  return packed.length < body.length
    ? { encoding: 'deflate', body: packed }
    : { encoding: 'identity', body };
}

/** @returns undefined when it is too long. */
export function packChunk(
  chunk: NewLogChunk,
  epoch: Uint8Array,
  stamp: Stamp,
  level: number,
): PackedChunk | undefined {
  const packed = deflate(encodeLogChunk(chunk), level);
  if (packed.body.length > LOG_CHUNK_BYTES_MAX) return undefined;
  const seq = seqOfChunk(chunk);
  const bytes = encodeBatch({ epoch, stream: 'logs', seq, ...stamp, ...packed });
  return { bytes, seq, lastSeq: lastSeqOf(chunk), isLast: chunk.last };
}

/** How many bytes the next chunk may have. */
export class Fill {
  #ratio = 4;

  bytesMax(): number {
    const guess = Math.floor(ROOM_BYTES * Math.max(1, this.#ratio * AIM_RATIO));
    return Math.min(LOG_CHUNK_RAW_BYTES_MAX, guess);
  }

  packed(rawBytes: number, packedBytes: number): void {
    if (rawBytes > 0) this.#ratio = rawBytes / Math.max(1, packedBytes);
  }

  /** It did not fit. */
  tooLong(): void {
    this.#ratio = Math.max(1, this.#ratio / 2);
  }
}
