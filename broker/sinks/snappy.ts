// The snappy block format of remote write, from snappyjs: plain JavaScript, so that the package stays
// without native parts. The library brings no types; they are here.

// @ts-expect-error: no types
import * as library from 'snappyjs';

type Snappy = {
  readonly compress: (input: Uint8Array) => Uint8Array;
  readonly uncompress: (input: Uint8Array, bytesMax?: number) => Uint8Array;
};

/** Raw blocks, without framing. */
export const { compress, uncompress }: Snappy = library as Snappy;
