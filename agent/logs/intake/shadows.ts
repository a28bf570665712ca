// Bytes of output that intake has taken, for a probe that reads its component's output by itself and at its own pace:
// where the file holds nulls by now, the probe sees what stood there. In memory only, because it may be card data,
// and no more of it than a probe reads at one look.

import { readTail } from '../../system/tail.ts';
import type { ReadTail } from '../../watchdog/probes-log.ts';

/** As much as the `log` probe reads at one look (watchdog/probes-log.ts). */
export const SHADOW_BYTES_MAX = 512 * 1024;

type Piece = { readonly from: number; readonly bytes: Buffer };

export class Shadows {
  readonly #byPath = new Map<string, { pieces: Piece[]; bytes: number }>();

  /** Of a component's folder only the newest file has a probe. */
  close(folder: string, open: string): void {
    for (const path of this.#byPath.keys()) {
      if (path !== open && path.startsWith(`${folder}/`)) this.#byPath.delete(path);
    }
  }

  saw(path: string, from: number, bytes: Buffer): void {
    const kept = this.#byPath.get(path);
    if (kept === undefined) return;
    // Emptied, and begun anew.
    if ((kept.pieces.at(-1)?.from ?? 0) > from) Object.assign(kept, { pieces: [], bytes: 0 });
    kept.pieces.push({ from, bytes: Buffer.from(bytes) });
    kept.bytes += bytes.length;
    while (kept.bytes > SHADOW_BYTES_MAX && kept.pieces.length > 1) {
      kept.bytes -= kept.pieces.shift()?.bytes.length ?? 0;
    }
  }

  /** @returns how a probe reads that file: what stands in it, and what stood there since it is asked for. */
  over(of: string): ReadTail {
    if (!this.#byPath.has(of)) this.#byPath.set(of, { pieces: [], bytes: 0 });
    return async (path, choose) => {
      let from = 0;
      const tail = await readTail(path, (facts) => {
        const stretch = choose(facts);
        from = stretch?.from ?? facts.bytes;
        return stretch;
      });
      const kept = this.#byPath.get(path);
      if (tail === undefined || kept === undefined) return tail;
      for (const piece of kept.pieces) lay(piece, tail.read, from);
      const to = from + tail.read.length;
      // What was looked at once is not looked at again.
      kept.pieces = kept.pieces.filter((piece) => piece.from + piece.bytes.length > to);
      kept.bytes = kept.pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
      return tail;
    };
  }
}

function lay({ from, bytes }: Piece, over: Buffer, at: number): void {
  const first = Math.max(from, at);
  const last = Math.min(from + bytes.length, at + over.length);
  if (first < last) bytes.copy(over, first - at, first - from, last - from);
}
