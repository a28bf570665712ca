// The agent's own files beside those of files.ts: the component socket, small records that must survive a
// power cut. Every answer is a value: a full or read-only disk must never end a watchdog.

import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
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
    const stat = lstatSync(path, { throwIfNoEntry: false });
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

/**
 * Of the component socket. Where components are users of their own, they reach it by our group, which each of them
 * gets beside its own (privileges.ts) and nobody else has; root's group is not handed out, so that there the
 * tokens alone keep others off. Names in the run directory cannot be listed, and what else is in it is 0600 or 0700.
 */
export const channelFiles = (components: readonly { readonly user?: string | undefined }[]) => ({
  ...socketFiles,
  ownerOnly: (path: string): void => {
    const isShared = components.some(({ user }) => user !== undefined);
    const isRoot = process.getgid?.() === 0;
    if (isShared) chmodSync(dirname(path), isRoot ? 0o711 : 0o710);
    chmodSync(path, isShared ? (isRoot ? 0o666 : 0o660) : 0o600);
  },
});
