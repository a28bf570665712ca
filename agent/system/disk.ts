// The agent's own files beside those of files.ts: the component socket, small records that must survive a
// power cut, and the component output that has to stay within its bound. Every answer is a value: a
// full or read-only disk must never end a watchdog.

import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { SocketFiles } from '../channel/server.ts';
import { codeOf } from './files.ts';

const attempt = <T>(what: string, run: () => T): Result<T> => {
  try {
    return ok(run());
  } catch (error) {
    return fail(`${what}: ${codeOf(error)}`);
  }
};

function sync(path: string, flags: 'r' | 'w', content?: string): void {
  const file = openSync(path, flags, 0o600);
  try {
    if (content !== undefined) writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The old content or the new, also after a power cut: write, fsync, rename, fsync the folder. */
export const writeDurably = (path: string, content: string): Result<void> =>
  attempt(`cannot write ${path}`, () => {
    sync(`${path}.new`, 'w', content);
    renameSync(`${path}.new`, path);
    sync(dirname(path), 'r');
  });

async function syncLater(path: string, flags: 'r' | 'w', content?: string): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    if (content !== undefined) await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The same for a disk that may take its time: nothing waits but the caller. */
export async function writeDurablyLater(path: string, content: string): Promise<Result<void>> {
  try {
    await syncLater(`${path}.sync`, 'w', content);
    await rename(`${path}.sync`, path);
    await syncLater(dirname(path), 'r');
    return ok(undefined);
  } catch (error) {
    return fail(`cannot write ${path}: ${codeOf(error)}`);
  }
}

/** Empties a file that its writer has open for appending, once it is larger. */
export function emptyOver(path: string, bytesMax: number): void {
  attempt('', () => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && stat.size > bytesMax) truncateSync(path);
  });
}

export const socketFiles: SocketFiles = {
  removeSocket: (path) => {
    const found = attempt('', () => lstatSync(path, { throwIfNoEntry: false }));
    if (found.ok && found.value === undefined) return ok(undefined);
    if (!found.ok || !found.value?.isSocket()) return fail(`${path} exists and is not a socket`);
    return attempt(`cannot remove the old socket ${path}`, () => rmSync(path));
  },
  isSocket: (path) => {
    const found = attempt('', () => lstatSync(path, { throwIfNoEntry: false }));
    return found.ok && found.value?.isSocket() === true;
  },
  ownerOnly: (path) => chmodSync(path, 0o600),
};

export type FoundFile = {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
};

/** Plain files of one folder; none when it cannot be read. */
export function listFiles(folder: string): FoundFile[] {
  const found: FoundFile[] = [];
  const names = attempt('', () => readdirSync(folder));
  for (const name of names.ok ? names.value : []) {
    const path = join(folder, name);
    const stat = attempt('', () => statSync(path));
    if (!stat.ok || !stat.value.isFile()) continue;
    found.push({ path, bytes: stat.value.size, modifiedMs: stat.value.mtimeMs });
  }
  return found;
}
