// A look at output on behalf of whoever takes it into the journal (logs/intake): which files there are, in order of age,
// and what may be done with those that were taken. Only the file that is written is asked for as a rule; the others
// are looked at when a life began or ended, and while there are any.

import type { JournalFile } from './capture.ts';
import type { OutputOptions } from './output-types.ts';
import type { Watch } from './output-watch.ts';
import type { FileStat } from './system/journal-files.ts';

/** Of lives that are over something may be left to read, and something to remove. */
const LIST_EVERY_MS = 10_000;

async function filesOf(watch: Watch, stat: FileStat | undefined, now: number) {
  const isDue = watch.hasOthers && now - watch.listedAtMs >= LIST_EVERY_MS;
  if (!isDue && watch.listedAtMs !== -Infinity) {
    const files = stat === undefined ? [] : [await watch.journal.known(stat)];
    return { files, isAll: false };
  }
  const files = await watch.journal.files();
  watch.listedAtMs = now;
  return { files, isAll: true };
}

const ageOf =
  (last: string | undefined) =>
  (a: JournalFile, b: JournalFile): number =>
    Number(a.path === last) - Number(b.path === last) ||
    a.modifiedMs - b.modifiedMs ||
    (a.path < b.path ? -1 : 1);

/** @returns whether there is more to read at once. */
export async function readOn(
  watch: Watch,
  component: string,
  stat: FileStat | undefined,
  { reader, clock }: Pick<OutputOptions, 'reader' | 'clock'>,
): Promise<boolean> {
  if (reader === undefined) return false;
  const { journal, open, begun } = watch;
  const { files, isAll } = await filesOf(watch, stat, clock.monotonicMs());
  // Whoever was begun last may be about to print, whether or not it is known to run.
  const written = open ?? begun;
  if (isAll) watch.hasOthers = files.some(({ path }) => path !== written);
  const isMore = await reader.lookAt(component, {
    files: [...files].sort(ageOf(written)),
    ...{ isAll, open: written },
    free: (file, to) => journal.take(file, to),
    remove: async (file) => {
      await journal.remove(file, 'taken');
      watch.listedAtMs = -Infinity;
    },
  });
  if (isMore && watch.hasOthers) watch.listedAtMs = -Infinity;
  return isMore;
}
