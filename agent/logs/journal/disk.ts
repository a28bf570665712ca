// The journal's writes, asked without waiting: a disk that hangs holds one of Node's four threads and never the loop that
// judges hangs. Whoever calls asks for one thing at a time (component.ts). Behind a type, so that tests bring a
// disk that is full, that fails in the middle of a write, or that never answers.

import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';

export type SegmentFile = {
  /** All of it, or it throws. */
  readonly write: (bytes: Uint8Array, at: number) => Promise<void>;
  /** At most so many from there. */
  readonly read: (at: number, length: number) => Promise<Buffer>;
  /** Durable when it resolves [fdatasync(2)]. */
  readonly sync: () => Promise<void>;
  readonly truncate: (size: number) => Promise<void>;
  /** Bytes of the disk that it takes. */
  readonly allocated: () => Promise<number>;
  readonly size: () => Promise<number>;
  /** It still has a name. */
  readonly isThere: () => Promise<boolean>;
  readonly close: () => Promise<void>;
};

/** Every one of them throws what the system says. */
export type SegmentDisk = {
  readonly makeFolder: (path: string) => Promise<void>;
  /** For writing; it must not be there. */
  readonly create: (path: string) => Promise<SegmentFile>;
  /** To go on with. */
  readonly open: (path: string) => Promise<SegmentFile>;
  readonly remove: (path: string) => Promise<void>;
  readonly rename: (from: string, to: string) => Promise<void>;
  /** What was created, renamed or removed in it stays so after a power cut. */
  readonly syncFolder: (path: string) => Promise<void>;
};

/** Only the agent and whoever it starts may read what components print. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** [stat(2)] */
const STAT_BLOCK_BYTES = 512;

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, at + written);
    written += bytesWritten;
  }
}

async function readSome(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  return bytes.subarray(0, bytesRead);
}

const segmentFile = (file: FileHandle): SegmentFile => ({
  write: (bytes, at) => writeAll(file, bytes, at),
  read: (at, length) => readSome(file, at, length),
  sync: () => file.datasync(),
  truncate: (size) => file.truncate(size),
  allocated: async () => (await file.stat()).blocks * STAT_BLOCK_BYTES,
  size: async () => (await file.stat()).size,
  isThere: async () => (await file.stat()).nlink > 0,
  close: () => file.close(),
});

export const realSegmentDisk: SegmentDisk = {
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: FOLDER_MODE });
  },
  create: async (path) => segmentFile(await open(path, 'wx+', FILE_MODE)),
  open: async (path) => segmentFile(await open(path, 'r+')),
  remove: (path) => rm(path, { force: true }),
  rename,
  syncFolder: async (path) => {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
};
