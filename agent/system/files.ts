// Small files, read and written at once. Synchronous on purpose: what is read here lives on tmpfs or in
// /proc, a read costs microseconds, and a sweep that waited for the thread pool in between would compare
// values of different moments. Every read is bounded, because a log or an environment can be of any size.

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Files } from '../ports.ts';

const READ_BYTES_MAX = 64 * 1024;
/**
 * Shared by all reads (they are synchronous), so that a sweep over /proc allocates nothing. As large as an
 * environment may be: one buffer for each of 100 processes was 25 MB at every start of a component.
 */
const shared = Buffer.allocUnsafeSlow(256 * 1024);

/** The code of a system error, such as ENOENT: constant, so that equal failures compare equal. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

/** Fills `into` from `position`; /proc files hand out at most a page at a time, so it reads until the end. */
function fill(descriptor: number, into: Buffer, position: number): number {
  let length = 0;
  while (length < into.length) {
    const count = readSync(descriptor, into, length, into.length - length, position + length);
    if (count === 0) break;
    length += count;
  }
  return length;
}

/** Whoever puts a FIFO where a file is looked for does not stop the agent [open(2)]. */
const READING = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

function readWith(path: string, use: (descriptor: number) => string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, READING);
  } catch {
    return undefined;
  }
  try {
    return use(descriptor);
  } catch {
    return undefined; // ESRCH: the process went away between open and read [proc(5)]
  } finally {
    closeSync(descriptor);
  }
}

/**
 * mkdirSync's own `recursive` spins for ever where an existing folder answers ENOENT (below /proc; Node
 * 24.21), and a wrong path in a configuration must not cost a processor: so step by step, upwards once.
 */
export function makeFolders(path: string, mode: number): void {
  // Asked first, because it nearly always is there, and an error costs more than the question.
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || existsSync(parent)) throw error;
    makeFolders(parent, mode);
    mkdirSync(path, { mode });
  }
}

/** Four of each component; the oldest is closed for one more. */
const HELD_MAX = 256;
const held = new Map<string, number>();

function holdOpen(path: string): number {
  const [oldest] = held;
  if (oldest !== undefined && held.size >= HELD_MAX) letGo(...oldest);
  const descriptor = openSync(path, 'r');
  held.set(path, descriptor);
  return descriptor;
}

function letGo(path: string, descriptor: number): void {
  held.delete(path);
  closeSync(descriptor);
}

/** One read hands out a whole file of this kind, as large as the buffer allows (seq_file of the kernel). */
function reread(path: string): string | undefined {
  let descriptor = held.get(path);
  try {
    descriptor ??= holdOpen(path);
    return shared.toString('utf8', 0, readSync(descriptor, shared, 0, READ_BYTES_MAX, 0));
  } catch {
    if (descriptor !== undefined) letGo(path, descriptor);
    return undefined;
  }
}

const bufferFor = (bytes: number): Buffer =>
  bytes <= shared.length ? shared.subarray(0, bytes) : Buffer.allocUnsafe(bytes);

function attempt(what: string, run: () => void): Result<void> {
  try {
    run();
    return ok(undefined);
  } catch (error) {
    return fail(`${what}: ${codeOf(error)}`);
  }
}

/** Whoever has leaked so many is found out long before; a list of a million would stop the agent. */
const ENTRIES_COUNTED_MAX = 20_000;

function someEntries(path: string, max: number): string[] {
  const names: string[] = [];
  const folder = opendirSync(path, { bufferSize: 256 });
  try {
    while (names.length < max) {
      const entry = folder.readSync();
      if (entry === null) break;
      names.push(entry.name);
    }
    return names;
  } finally {
    folder.closeSync();
  }
}

/** A device is the same under each of its names: its number tells, not where its node lies. */
function nodeOf(path: string): string {
  const { dev, ino, rdev, mode } = statSync(path);
  const kind = mode & constants.S_IFMT;
  const isDevice = kind === constants.S_IFCHR || kind === constants.S_IFBLK;
  return isDevice ? `device ${kind} ${rdev}` : `${dev}:${ino}`;
}

function orNothing<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

function countEntries(path: string): number {
  const folder = opendirSync(path, { bufferSize: 1_024 });
  try {
    let count = 0;
    while (count < ENTRIES_COUNTED_MAX && folder.readSync() !== null) count += 1;
    return count;
  } finally {
    folder.closeSync();
  }
}

export const realFiles: Files = {
  read: (path, bytesMax = READ_BYTES_MAX) =>
    readWith(path, (descriptor) => {
      const buffer = bufferFor(bytesMax);
      return buffer.toString('utf8', 0, fill(descriptor, buffer, 0));
    }),
  reread,
  readEnd: (path, bytesMax) =>
    readWith(path, (descriptor) => {
      const buffer = bufferFor(bytesMax);
      const from = Math.max(0, fstatSync(descriptor).size - bytesMax);
      return buffer.toString('utf8', 0, fill(descriptor, buffer, from));
    }),
  list: (path) => {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  },
  count: (path) => {
    try {
      // Since Linux 6.2 the size of /proc/PID/fd is the number of descriptors [proc_pid_fd(5)].
      const { size } = statSync(path);
      return size > 0 && path.startsWith('/proc/') ? size : countEntries(path);
    } catch {
      return undefined;
    }
  },
  some: (path, max) => orNothing(() => someEntries(path, max)) ?? [],
  readLink: (path) => orNothing(() => readlinkSync(path)),
  nodeOf: (path) => orNothing(() => nodeOf(path)),
  isDirectory: (path) => {
    try {
      return statSync(path).isDirectory();
    } catch {
      return false;
    }
  },
  makeDirectory: (path, mode) =>
    attempt(`cannot make folder ${path}`, () => {
      makeFolders(path, mode);
    }),
  replace: (path, text, mode) =>
    attempt(`cannot write ${path}`, () => {
      makeFolders(dirname(path), 0o700);
      // One writer per folder (the run directory's lock), so a fixed name cannot collide.
      const temporary = `${path}.new`;
      rmSync(temporary, { force: true }); // an old one could have a wider mode
      writeFileSync(temporary, text, { mode, flag: 'wx' });
      renameSync(temporary, path);
    }),
  remove: (path) => {
    try {
      rmSync(path, { force: true });
    } catch {
      // A folder or a foreign file of that name: whoever reads it decides; removal is housekeeping.
    }
  },
};
