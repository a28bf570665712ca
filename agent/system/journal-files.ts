// The files under component output, asked without waiting: a disk that hangs must hold one of Node's threads and
// never the loop that watches. Only one such question is open at a time (output.ts asks them in a row), because
// there are four threads for the whole agent.

import { type Stats, stat as statLater } from 'node:fs';
import {
  type FileHandle,
  open,
  readdir,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { READ_PLAIN, SIDECAR_BYTES_MAX } from '../logs/holes.ts';
import { codeOf } from './files.ts';

export type FileStat = {
  readonly path: string;
  readonly inode: number;
  readonly size: number;
  /** Bytes of the disk that it takes [stat(2): st_blocks counts 512 bytes]. */
  readonly allocated: number;
  readonly modifiedMs: number;
  readonly blockBytes: number;
};

export type JournalDisk = {
  readonly stat: (path: string) => Promise<FileStat | undefined>;
  /** Plain files of a folder; none when it cannot be read. */
  readonly list: (folder: string) => Promise<readonly FileStat[]>;
  /** A note of holes; nothing when it is longer than any. */
  readonly read: (path: string) => Promise<string | undefined>;
  /** At most so many from there; none where there is nothing. */
  readonly bytesAt: (path: string, at: number, bytesMax: number) => Promise<Uint8Array>;
  /** Readers see the old text or the new. */
  readonly replace: (path: string, text: string) => Promise<Result<void>>;
  readonly remove: (path: string) => Promise<void>;
  /** Where the first line begins at or after `at`, if that is near. */
  readonly lineStart: (path: string, at: number) => Promise<number | undefined>;
  /** Empties a file and keeps its newest whole lines in another. @returns how many bytes went. */
  readonly cut: (path: string, kept: string, bytesMax: number) => Promise<Result<number>>;
  /** Writes so many nulls. */
  readonly allocate: (path: string, bytes: number) => Promise<Result<void>>;
};

/** A line that is longer is cut in its middle. */
const LINE_BYTES_MAX = 64 * 1024;
const COPY_BYTES = 256 * 1024;
const NEWLINE = 10;

async function attempt<T>(what: string, run: () => Promise<T>): Promise<Result<T>> {
  try {
    return ok(await run());
  } catch (error) {
    return fail(`${what}: ${codeOf(error)}`);
  }
}

const orUndefined = async <T>(run: () => Promise<T>): Promise<T | undefined> => {
  const done = await attempt('', run);
  return done.ok ? done.value : undefined;
};

function fileStatOf(path: string, found: Stats): FileStat | undefined {
  if (!found.isFile()) return undefined;
  const { ino: inode, size, blocks, mtimeMs: modifiedMs, blksize: blockBytes } = found;
  return { path, inode, size, allocated: blocks * 512, modifiedMs, blockBytes };
}

/** With a callback: asked for each component each second, and half the price of node:fs/promises. */
const statFile = (path: string): Promise<FileStat | undefined> =>
  new Promise((done) => {
    statLater(path, (error, found) => {
      done(error === null ? fileStatOf(path, found) : undefined);
    });
  });

async function withFile<T>(
  path: string,
  flags: string | number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags, 0o600);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

const lineStart = async (path: string, at: number): Promise<number | undefined> =>
  await withFile(path, 'r', async (file) => {
    if (at <= 0) return 0;
    const block = Buffer.allocUnsafe(LINE_BYTES_MAX);
    const { bytesRead } = await file.read(block, 0, LINE_BYTES_MAX, at - 1);
    const end = block.subarray(0, bytesRead).indexOf(NEWLINE);
    return end < 0 ? undefined : at + end;
  });

/** @returns from and to which byte of it was copied. */
async function copyEnd(path: string, kept: string, bytesMax: number) {
  return await withFile(path, 'r', async (from) => {
    const { size } = await from.stat();
    const first = (await lineStart(path, size - bytesMax)) ?? Math.max(0, size - bytesMax);
    return await withFile(kept, 'wx', async (to) => {
      const block = Buffer.allocUnsafe(COPY_BYTES);
      let at = first;
      while (at < size) {
        const length = Math.min(COPY_BYTES, size - at);
        const { bytesRead } = await from.read(block, 0, length, at);
        if (bytesRead === 0) break;
        await to.writeFile(block.subarray(0, bytesRead));
        at += bytesRead;
      }
      return { first, last: at };
    });
  });
}

/**
 * For where nothing can be punched. The writer has it open for appending and goes on at the new end; what it
 * writes between copy and cut is lost.
 * @param kept on a disk that has no room for it there is none.
 */
export async function trimFile(path: string, kept: string, bytesMax: number) {
  const copied = await attempt('', () => copyEnd(path, kept, bytesMax));
  if (!copied.ok) await orUndefined(() => rm(kept, { force: true }));
  return await attempt(`cannot cut ${path}`, async () => {
    const { size } = await stat(path);
    await truncate(path);
    return copied.ok ? size - (copied.value.last - copied.value.first) : size;
  });
}

export const realJournalDisk: JournalDisk = {
  stat: statFile,
  list: async (folder) => {
    const names = (await orUndefined(() => readdir(folder))) ?? [];
    const found: FileStat[] = [];
    for (const name of names) {
      const file = await statFile(join(folder, name));
      if (file !== undefined) found.push(file);
    }
    return found;
  },
  read: (path) =>
    orUndefined(() =>
      withFile(path, READ_PLAIN, async (file) => {
        const found = await file.stat();
        const isNote = found.isFile() && found.size <= SIDECAR_BYTES_MAX;
        return isNote ? await file.readFile('utf8') : undefined;
      }),
    ),
  bytesAt: async (path, at, bytesMax) => {
    const found = await orUndefined(() =>
      withFile(path, READ_PLAIN, async (file) => {
        const bytes = Buffer.alloc(bytesMax);
        const { bytesRead } = await file.read(bytes, 0, bytesMax, at);
        return bytes.subarray(0, bytesRead);
      }),
    );
    return found ?? new Uint8Array(0);
  },
  replace: (path, text) =>
    attempt(`cannot write ${path}`, async () => {
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
    }),
  remove: async (path) => {
    await orUndefined(() => rm(path, { force: true }));
  },
  lineStart: (path, at) => orUndefined(() => lineStart(path, at)),
  cut: trimFile,
  allocate: (path, bytes) =>
    attempt(`cannot write ${path}`, () =>
      withFile(path, 'w', async (file) => {
        const block = Buffer.alloc(COPY_BYTES);
        for (let left = bytes; left > 0; left -= COPY_BYTES) {
          await file.writeFile(block.subarray(0, Math.min(left, COPY_BYTES)));
        }
      }),
    ),
};
