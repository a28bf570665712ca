// How much room a file system has, and whether it can be written at all. Asked without waiting: a disk that hangs
// answers late or never, and only whoever asked waits for it.

import { access, constants, stat, statfs } from 'node:fs/promises';
import type { SpaceReading } from '../disk-keeper.ts';
import { codeOf } from './files.ts';

/** access(2) says EROFS for a folder of a file system that is read-only, also to root, and writes nothing. */
async function isReadOnly(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK);
    return false;
  } catch (error) {
    return codeOf(error) === 'EROFS';
  }
}

export type FileSystemCounts = {
  readonly bavail: number;
  readonly bsize: number;
  readonly blocks: number;
  /** 0 where they are not counted (btrfs, FAT). */
  readonly files: number;
  readonly ffree: number;
};

/** A disk without inodes is as full as one without bytes: the scarcer of the two counts, as a share of the disk. */
export function roomOf({ bavail, bsize, blocks, files, ffree }: FileSystemCounts) {
  const totalBytes = blocks * bsize;
  const byFiles = files > 0 ? totalBytes * (ffree / files) : Infinity;
  // f_bavail: what an ordinary process may still write [statvfs(3)].
  return { freeBytes: Math.floor(Math.min(bavail * bsize, byFiles)), totalBytes };
}

/** @returns undefined where it cannot be asked. */
export async function readSpace(folder: string): Promise<SpaceReading | undefined> {
  try {
    const room = roomOf(await statfs(folder));
    const { dev: device } = await stat(folder);
    return { ...room, readOnly: await isReadOnly(folder), device };
  } catch {
    return undefined;
  }
}
