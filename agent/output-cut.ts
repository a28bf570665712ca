// What is left to do where output cannot be freed behind its writer, or no longer: a file is removed, cut as a whole, or
// shortened in front. All of it is asked for in the row of output.ts.

import { type JournalFile, PUNCH_BYTES_MIN } from './capture.ts';
import type { OutputOptions } from './output-types.ts';
import type { Watch } from './output-watch.ts';

/** A file whose size (not its blocks) passes this is shortened in front, far from what any file system takes. */
export const APPARENT_BYTES_MAX = 2 ** 40;
/** Of the bound, what is kept of a file that has to be cut. */
const CUT_KEPT_RATIO = 1 / 2;

/** This file system frees nothing: a file is removed or cut as a whole. */
export async function cutInstead(watch: Watch, file: JournalFile, bytesMax: number): Promise<void> {
  if (file.path !== watch.open) await watch.journal.remove(file, 'truncated');
  else if (file.allocated > bytesMax) {
    await watch.journal.cut(file, bytesMax * CUT_KEPT_RATIO);
    watch.seen = undefined;
  }
}

export async function shorten(
  watch: Watch,
  files: readonly JournalFile[],
  bytesMax: number,
  { disk, apparentBytesMax: most = APPARENT_BYTES_MAX }: OutputOptions,
): Promise<void> {
  const file = files.find(({ path }) => path === watch.open);
  if (file === undefined || file.size <= most) return;
  const stat = await disk.stat(file.path);
  const gone = stat === undefined ? 0 : await watch.journal.shorten(file, stat.blockBytes);
  // Bytes that cannot be taken out of the front: one cut in a terabyte.
  if (gone < PUNCH_BYTES_MIN) await watch.journal.cut(file, bytesMax * CUT_KEPT_RATIO);
  watch.seen = undefined;
}
