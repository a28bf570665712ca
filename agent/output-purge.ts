// Deletes what of a component's output is older than a moment, because an operator asks for it: closed files as a whole,
// and of every other file what comes before that moment, freed in front as all output is. What an open request still
// reads stays, and so does the file that is written wherever the file system cannot free its front.

import type { PinnedOf } from './capture.ts';
import { keptBytes, type Range } from './logs/holes.ts';
import type { Journal } from './output-journal.ts';

export type Purge = {
  /** By the terminal's own clock, as the lines are. */
  readonly beforeMs: number;
  /** The first byte of a file that is not older. */
  readonly olderThan: (path: string, holes: readonly Range[]) => Promise<number>;
};
export type Purged = { readonly bytes: number; readonly files: number; readonly kept: number };

export async function purgeJournal(
  journal: Journal,
  open: string | undefined,
  pinned: PinnedOf,
  { beforeMs, olderThan }: Purge,
): Promise<Purged> {
  let [bytes, removed, kept] = [0, 0, 0];
  for (const file of await journal.files()) {
    const { path, modifiedMs, size, holes } = file;
    if (pinned(path) !== undefined) {
      kept += 1;
      continue;
    }
    if (path !== open && modifiedMs < beforeMs) {
      bytes += keptBytes(holes, { from: 0, to: size });
      await journal.remove(file, 'purged');
      removed += 1;
      continue;
    }
    const to = Math.min(size, await olderThan(path, holes));
    if (to <= 0) continue;
    const hole = { firstMs: 0, lastMs: Math.max(0, beforeMs), reason: 'purged' as const };
    bytes += await journal.free(file, { from: 0, to }, hole, undefined);
  }
  return { bytes, files: removed, kept };
}
