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

/** @returns undefined where it cannot be asked. */
export async function readSpace(folder: string): Promise<SpaceReading | undefined> {
  try {
    const { bavail, bsize, blocks } = await statfs(folder);
    const { dev: device } = await stat(folder);
    // f_bavail: what an ordinary process may still write [statvfs(3)].
    const sizes = { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    return { ...sizes, readOnly: await isReadOnly(folder), device };
  } catch {
    return undefined;
  }
}
