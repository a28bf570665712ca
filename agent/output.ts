// Keeps what components print within its bound. Output goes to one file per life, never through a pipe,
// so the agent only ever removes old files; the one that a component still writes is cut when it alone is
// over the bound (it is open for appending, so that its writer goes on at the new end), and its newest
// part is kept beside it. logs/journal.ts reads what lies here by time.

import { join } from 'node:path';
import type { Result } from '../protocol/result.ts';
import type { Log } from './ports.ts';

/** Per component, the open one included. */
export const OUTPUT_FILES_MAX = 5;
export const OUTPUT_BYTES_MAX = 10 * 1024 * 1024;
/** Of the bound, what is kept of an open file that is over it. */
const KEPT_RATIO = 0.5;

export type OutputFile = {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
};
export type Surplus = { readonly remove: readonly string[]; readonly cut: boolean };

/** What has to go so that the newest fit; `open` is never removed. */
export function surplusOf(
  files: readonly OutputFile[],
  open: string | undefined,
  bytesMax = OUTPUT_BYTES_MAX,
): Surplus {
  const current = files.find((file) => file.path === open);
  const closed = files
    .filter((file) => file.path !== open)
    .sort((a, b) => b.modifiedMs - a.modifiedMs || (a.path < b.path ? 1 : -1));
  const cut = (current?.bytes ?? 0) > bytesMax;
  let count = current === undefined ? 0 : 1;
  let bytes = cut ? bytesMax * KEPT_RATIO : (current?.bytes ?? 0);
  const remove: string[] = [];
  for (const file of closed) {
    count += 1;
    bytes += file.bytes;
    if (count > OUTPUT_FILES_MAX || bytes > bytesMax) remove.push(file.path);
  }
  return { remove, cut };
}

export type OutputOptions = {
  readonly logDir: string;
  readonly list: (folder: string) => readonly OutputFile[];
  readonly remove: (path: string) => void;
  /** Empties a file and keeps its last `bytesMax` bytes in another. */
  readonly cut: (path: string, kept: string, bytesMax: number) => Result<void>;
  readonly bytesMax: number;
  /** Makes the names of kept parts different. */
  readonly nowMs: () => number;
  /** Still read by a request for logs: it stays, unless that would fill the disk. */
  readonly isPinned: (path: string) => boolean;
  readonly log: Log;
};

export type Output = {
  /** Where a life prints to. */
  readonly fileOf: (component: string, instance: string) => string;
  /** @param open the file of the life that runs, if one does. */
  readonly tidy: (component: string, open: string | undefined) => void;
};

/** Not more than this is kept for the sake of a request, per component. */
export const PINNED_BYTES_MAX = 256 * 1024 * 1024;

export function createOutput(options: OutputOptions): Output {
  const { logDir, list, remove, cut, bytesMax, nowMs, isPinned, log } = options;
  return {
    fileOf: (component, instance) => join(logDir, component, `${instance}.log`),
    tidy: (component, open) => {
      const files = list(join(logDir, component));
      const surplus = surplusOf(files, open, bytesMax);
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      const isKept = (path: string): boolean => bytes <= PINNED_BYTES_MAX && isPinned(path);
      for (const path of surplus.remove) if (!isKept(path)) remove(path);
      if (!surplus.cut || open === undefined || isKept(open)) return;
      const kept = `${open.slice(0, -'.log'.length)}-${nowMs()}.log`;
      const done = cut(open, kept, bytesMax * KEPT_RATIO);
      const what = done.ok ? 'was cut: it printed more than is kept' : done.reason;
      log.warn(`output of ${component} ${what}`, { component, path: open });
    },
  };
}
