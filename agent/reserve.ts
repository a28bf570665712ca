// A file that holds disk for the worst hour: it is made while there is room, really allocated, and removed at the
// moment when the disk refuses an event or a result, which then finds the room that it left. Not removed before:
// whoever fills the disk would take it.

import type { Files, Log } from './ports.ts';
import type { Puncher } from './punch.ts';
import type { JournalDisk } from './system/journal-files.ts';

/** Blocks of the file system make it a little more or less. */
const ENOUGH_RATIO = 0.9;
/** Where it could not be made it is tried again after so long. */
const RETRY_MS = 5 * 60_000;

export type Reserve = {
  /** Makes it unless it is there. */
  readonly make: (bytes: number) => Promise<void>;
  /** @returns whether there was one. Synchronous: what waits for its room must be first. */
  readonly release: () => boolean;
};

export type ReserveOptions = {
  readonly path: string;
  readonly disk: Pick<JournalDisk, 'stat' | 'allocate'>;
  readonly puncher: Pick<Puncher, 'allocate'>;
  readonly files: Pick<Files, 'remove'>;
  readonly monotonicMs: () => number;
  readonly log: Log;
};

export function openReserve(options: ReserveOptions): Reserve {
  const { path, disk, puncher, files, monotonicMs, log } = options;
  let isThere = false;
  let retryAtMs = -Infinity;

  async function make(bytes: number): Promise<void> {
    if (monotonicMs() < retryAtMs) return;
    const found = await disk.stat(path);
    isThere = found !== undefined && found.allocated >= bytes * ENOUGH_RATIO;
    if (isThere) return;
    const allocated = await puncher.allocate(path, bytes);
    // Without fallocate(2) it is written: nulls that a file system keeps as they are.
    const made = allocated.kind === 'done' || (await disk.allocate(path, bytes)).ok;
    isThere = made;
    if (made) return;
    files.remove(path);
    retryAtMs = monotonicMs() + RETRY_MS;
    log.warn('no disk can be reserved', { path, reason: allocated.reason });
  }

  return {
    make,
    release: () => {
      const was = isThere;
      if (was) files.remove(path);
      isThere = false;
      return was;
    },
  };
}
