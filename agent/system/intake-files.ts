// What intake asks of the disk: bytes of a file that is still the one it was, and nulls over bytes that were taken.
// Asynchronous but for the last words of a component that has just crashed: those were written a moment ago, are in
// memory, and nothing may be waited for then (evidence/inquiry.ts). A file is known by its inode, because the
// agent's own log is renamed while it is read.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Range, READ_PLAIN } from '../logs/holes.ts';

export type IntakeDisk = {
  /** Fewer bytes than asked for: it ends there. @returns undefined when it is gone, another, or cannot be read. */
  readonly read: (
    path: string,
    inode: number,
    at: number,
    into: Buffer,
  ) => Promise<Buffer | undefined>;
  /**
   * Puts nulls over what is there, never behind its end.
   * @param isSparse much of it may be freed, and stays so. @returns whether all of it is nulls now.
   */
  readonly wipe: (
    path: string,
    inode: number,
    ranges: readonly Range[],
    isSparse?: boolean,
  ) => Promise<boolean>;
  /** At once, of the last `bytesMax` behind `at`; empty when there is nothing. */
  readonly unread: (path: string, at: number, bytesMax: number) => Buffer;
  readonly unreadLater: (path: string, at: number, bytesMax: number) => Promise<Buffer>;
};

const NULLS = Buffer.alloc(64 * 1024);
const CHANGE_PLAIN = constants.O_RDWR | constants.O_NONBLOCK;
const WRITE_PLAIN = constants.O_WRONLY | constants.O_NONBLOCK;

async function withInode<T>(
  path: string,
  flags: number,
  inode: number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, flags);
    const stat = await file.stat();
    return stat.isFile() && stat.ino === inode ? await use(file) : undefined;
  } catch {
    return undefined; // a disk that fails now is asked again at the next look
  } finally {
    await file?.close().catch(() => undefined);
  }
}

async function wipeOne(file: FileHandle, { from, to }: Range, isSparse: boolean): Promise<void> {
  const there = Buffer.allocUnsafe(isSparse ? NULLS.length : 0);
  for (let at = from; at < to; ) {
    // Asked each time: behind an end that moved to the front nulls would make a file of nothing.
    const { size } = await file.stat();
    const length = Math.min(NULLS.length, to - at, size - at);
    if (length <= 0) return;
    if (isSparse) {
      const { bytesRead } = await file.read(there, 0, length, at);
      if (there.compare(NULLS, 0, bytesRead, 0, bytesRead) === 0) {
        at += Math.max(1, bytesRead);
        continue;
      }
    }
    const { bytesWritten } = await file.write(NULLS, 0, length, at);
    at += bytesWritten;
  }
}

function unread(path: string, at: number, bytesMax: number): Buffer {
  try {
    const file = openSync(path, READ_PLAIN);
    try {
      const { size } = fstatSync(file);
      const from = Math.max(at, size - bytesMax);
      const bytes = Buffer.alloc(Math.max(0, size - from));
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from));
    } finally {
      closeSync(file);
    }
  } catch {
    return Buffer.alloc(0); // it is gone, or nobody may read it: there are no words
  }
}

async function unreadLater(path: string, at: number, bytesMax: number): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, READ_PLAIN);
    const { size } = await file.stat();
    const from = Math.max(at, size - bytesMax);
    const bytes = Buffer.alloc(Math.max(0, size - from));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
    return bytes.subarray(0, bytesRead);
  } catch {
    return Buffer.alloc(0); // as above
  } finally {
    await file?.close().catch(() => undefined);
  }
}

export const realIntakeDisk: IntakeDisk = {
  read: (path, inode, at, into) =>
    withInode(path, READ_PLAIN, inode, async (file) => {
      const { bytesRead } = await file.read(into, 0, into.length, at);
      return into.subarray(0, bytesRead);
    }),
  wipe: async (path, inode, ranges, isSparse = false) => {
    const flags = isSparse ? CHANGE_PLAIN : WRITE_PLAIN;
    const done = await withInode(path, flags, inode, async (file) => {
      for (const range of ranges) await wipeOne(file, range, isSparse);
      return true;
    });
    return done === true;
  },
  unread,
  unreadLater,
};
