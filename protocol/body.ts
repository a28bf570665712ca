// The body of a batch: compressed on the terminal, decompressed at the broker under a hard ceiling, so
// that a small batch can never become a large allocation (a bomb is refused, not inflated). Deflate with a
// dictionary of our own words, because most bodies are small and all of them use the same ones.
//
// Measured on bodies of a reference till with 116 series (bytes for one instant, four, forty; time of four):
//   identity      6 594   7 018  12 129
//   gzip          1 620   1 795   3 052    50 us
//   brotli 11     1 358   1 514   2 531     6 ms, Node gives it no dictionary
//   deflate 6       369     518   1 719    55 us, this one; 9: 360, 505, 1 688, but ten minutes take 260 us
//   zstd 9          334     492   1 584    95 us with the same dictionary; 3: 429, 593, 1 717
// With ages and ratios rounded to what was truly measured; with all digits of their doubles four instants
// take 730 bytes. Zstandard saves 26 bytes a minute (5 %). Not worth it: deflate is in the library of every
// language that an agent may be written in, and Node has dictionaries for zstd only since 24.6.

import { deflateRawSync, gunzipSync, inflateRawSync } from 'node:zlib';
import { dictionary } from './dictionary.ts';
import { BODY_BYTES_MAX } from './limits.ts';
import { fail, ok, type Result } from './result.ts';
import type { Batch, Encoding } from './wire.ts';

/** Less cannot become less. */
const DEFLATE_WORTH_BYTES = 16;
/** zlib's default, written out: 9 saved 2 % and took four times as long on ten minutes of a till. */
const LEVEL = 6;
/** The whole window: the dictionary takes 25 of its 32 KiB. */
const WINDOW_BITS = 15;

export function packBody(body: Uint8Array): { encoding: Encoding; body: Uint8Array } {
  if (body.length < DEFLATE_WORTH_BYTES) return { encoding: 'identity', body };
  const packed = deflateRawSync(body, {
    level: LEVEL,
    windowBits: WINDOW_BITS,
    dictionary: dictionary(),
  });
  return packed.length < body.length
    ? { encoding: 'deflate', body: packed }
    : { encoding: 'identity', body };
}

/** @returns the plain body, at most BODY_BYTES_MAX bytes. */
export function unpackBody(batch: Pick<Batch, 'encoding' | 'body'>): Result<Uint8Array> {
  const { encoding, body } = batch;
  if (encoding === 'identity') {
    return body.length <= BODY_BYTES_MAX ? ok(body) : fail('body is too large');
  }
  const maxOutputLength = BODY_BYTES_MAX;
  try {
    // The first agents sent gzip, and what they sent lies in ledgers.
    if (encoding === 'gzip') return ok(gunzipSync(body, { maxOutputLength }));
    return ok(inflateRawSync(body, { maxOutputLength, dictionary: dictionary() }));
  } catch {
    return fail(`body is not ${encoding}, or larger than allowed when unpacked`);
  }
}
