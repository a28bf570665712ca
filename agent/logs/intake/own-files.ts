// The files of the agent's own log as intake reads them: agent.log is written, agent1.log is older, the highest number
// is the oldest (own-file.ts). A file keeps its inode when it is renamed, so its place goes with it.

import { readdirSync, rmSync, statSync } from 'node:fs';
import { join, parse } from 'node:path';
import { isId } from '../../../protocol/ids.ts';
import type { JournalFile } from '../../capture.ts';
import type { JournalDisk } from '../../system/journal-files.ts';

export type OwnFiles = {
  /** Oldest first. */
  readonly list: () => Promise<readonly JournalFile[]>;
  readonly path: string;
  /** Grows with each line that this agent writes: while it does not, nothing is asked of the disk. */
  readonly lines: () => number;
  /** So much of it was written by the agent before this one. */
  readonly before: { readonly inode: number; readonly bytes: number };
};

/** agent1.log and so on, and more than there are (own.ts). */
export const OWN_FILES_MAX = 9;

export function openOwnFiles(
  path: string,
  filesMax: number,
  disk: Pick<JournalDisk, 'stat'>,
  lines: () => number,
): OwnFiles {
  const { dir, name, ext } = parse(path);
  const paths = Array.from({ length: filesMax }, (_, age) =>
    age === 0 ? path : join(dir, `${name}${age}${ext}`),
  ).reverse();
  const found = statSync(path, { throwIfNoEntry: false });
  return {
    path,
    lines,
    before: { inode: found?.ino ?? 0, bytes: found?.size ?? 0 },
    list: async () => {
      const files: JournalFile[] = [];
      for (const one of paths) {
        const stat = await disk.stat(one);
        if (stat !== undefined) files.push({ ...stat, holes: [] });
      }
      return files;
    },
  };
}

/** @param path of the log that is written; it stays. @returns the bytes that went. */
export function removeOwnOlder(path: string, timeMs: number): number {
  let bytes = 0;
  for (let age = 1; age <= OWN_FILES_MAX; age += 1) {
    const closed = path.replace(/(\.log)?$/, `${age}$1`);
    const stat = statSync(closed, { throwIfNoEntry: false });
    if (stat === undefined || stat.mtimeMs >= timeMs) continue;
    rmSync(closed, { force: true });
    bytes += stat.size;
  }
  return bytes;
}

/** Of components that are not configured any more; more than these wait for the next agent. */
const LEFTOVERS_MAX = 20;

/** @returns the names under which output lies and nothing is configured. */
export function leftoversIn(logDir: string, configured: readonly string[]): string[] {
  try {
    const names = readdirSync(logDir).filter((name) => isId(name) && !configured.includes(name));
    const full = names.filter((name) => readdirSync(join(logDir, name)).length > 0);
    return full.slice(0, LEFTOVERS_MAX);
  } catch {
    return []; // nothing has printed yet, or something else stands there
  }
}
