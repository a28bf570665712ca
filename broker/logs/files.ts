// The files of received logs, one per request, in a folder of their own. How long a file counts as is what
// the registry says: bytes beyond that were written by a broker that died before it could say so, and are
// cut off. Written bytes are on disk when `sync` returns, and only then acknowledged.

import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { SECRET_MODE } from '../files.ts';

/** Files held open at once; requests that are being answered are few. */
const OPEN_FILES_MAX = 32;
const READ_BYTES = 64 * 1024;

/** Digests under way, also of files that are closed for a while: reading one again takes a second for 256 MB. */
const HASHES_MAX = 1_024;

type OpenFile = { readonly file: number; bytes: number };
/** Of so many bytes; undefined once something in them was changed. */
type Hashed = { bytes: number; hash: Hash | undefined };

export type LogFiles = {
  /** Appends behind `bytes`, which is what counts of the file. @throws what a disk throws. */
  readonly append: (id: string, bytes: number, more: Uint8Array) => void;
  /** What counts, from one byte to another; the file is read at once. */
  readonly part: (id: string, from: number, bytes: number) => Uint8Array;
  /** Puts other bytes in the place of some that were written. */
  readonly replace: (id: string, at: number, bytes: number, by: Uint8Array) => void;
  /** Digest of everything written. */
  readonly digest: (id: string, bytes: number) => Buffer;
  readonly sync: (ids: Iterable<string>) => void;
  /** Forgets what was not synced; the next append cuts it off. */
  readonly forget: (id: string) => void;
  readonly read: (id: string, from: number, to: number) => Readable;
  readonly remove: (id: string) => void;
  /** Removes files that nobody knows. */
  readonly sweep: (known: ReadonlySet<string>) => void;
  readonly close: () => void;
};

/** Reads what counts of a file into a fresh digest, after a restart. */
function hashOf(file: number, bytes: number): Hash {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (let at = 0; at < bytes; ) {
    const count = readSync(file, buffer, 0, Math.min(READ_BYTES, bytes - at), at);
    if (count === 0)
      throw new Error(`it is shorter than the ${bytes} bytes that were acknowledged`);
    hash.update(buffer.subarray(0, count));
    at += count;
  }
  return hash;
}

/** Read from the disk only where it is not known, as after a restart. */
function hashedOf(hashes: Map<string, Hashed>, id: string, { file, bytes }: OpenFile): Hashed {
  const known = hashes.get(id);
  if (known?.bytes === bytes) return known;
  const fresh = { bytes, hash: hashOf(file, bytes) };
  hashes.delete(id);
  const oldest = hashes.size >= HASHES_MAX ? hashes.keys().next() : undefined;
  if (oldest?.done === false) hashes.delete(oldest.value);
  hashes.set(id, fresh);
  return fresh;
}

export function openLogFiles(folder: string): LogFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const open = new Map<string, OpenFile>();
  const hashes = new Map<string, Hashed>();
  const hashed = (id: string, file: OpenFile): Hashed => hashedOf(hashes, id, file);
  const pathOf = (id: string): string => join(folder, `${id}.log`);

  function shut(id: string): void {
    const known = open.get(id);
    open.delete(id);
    if (known !== undefined) closeSync(known.file);
  }

  function forget(id: string): void {
    hashes.delete(id);
    shut(id);
  }

  function opened(id: string, bytes: number): OpenFile {
    const known = open.get(id);
    if (known?.bytes === bytes) return known;
    shut(id);
    const oldest = open.size >= OPEN_FILES_MAX ? open.keys().next() : undefined;
    if (oldest?.done === false) shut(oldest.value);
    // Created where it is not there yet, never cut to nothing, written at a place of our choice.
    const file = openSync(pathOf(id), bytes === 0 ? 'w+' : 'r+', SECRET_MODE);
    try {
      ftruncateSync(file, bytes);
      const fresh = { file, bytes };
      hashed(id, fresh);
      open.set(id, fresh);
      return fresh;
    } catch (cause) {
      closeSync(file);
      throw cause;
    }
  }

  return {
    append: (id, bytes, more) => {
      const at = opened(id, bytes);
      const digested = hashed(id, at);
      for (let done = 0; done < more.length; ) {
        done += writeSync(at.file, more, done, more.length - done, bytes + done);
      }
      digested.hash?.update(more);
      digested.bytes += more.length;
      at.bytes += more.length;
    },
    part: (id, from, bytes) => {
      if (from >= bytes) return Buffer.alloc(0);
      const buffer = Buffer.alloc(bytes - from);
      const { file } = opened(id, bytes);
      return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, from));
    },
    replace: (id, at, bytes, by) => {
      const known = opened(id, bytes);
      hashed(id, known).hash = undefined;
      for (let done = 0; done < by.length; ) {
        done += writeSync(known.file, by, done, by.length - done, at + done);
      }
    },
    digest: (id, bytes) => {
      const known = opened(id, bytes);
      const digested = hashed(id, known);
      digested.hash ??= hashOf(known.file, bytes);
      return digested.hash.copy().digest();
    },
    sync: (ids) => {
      for (const id of ids) {
        const known = open.get(id);
        if (known !== undefined) fdatasyncSync(known.file);
      }
    },
    forget,
    read: (id, from, to) => createReadStream(pathOf(id), { start: from, end: to - 1 }),
    remove: (id) => {
      forget(id);
      rmSync(pathOf(id), { force: true });
    },
    sweep: (known) => {
      for (const name of readdirSync(folder)) {
        if (name.endsWith('.log') && !known.has(name.slice(0, -4))) rmSync(join(folder, name));
      }
    },
    close: () => {
      for (const id of [...open.keys()]) forget(id);
    },
  };
}
