// Looks at one file that somebody else writes: what it is now, and the bytes from a place that the caller chooses
// once it knows the size. Asynchronous, because such a file lies on a disk, which may be slow or hang, and the
// agent's loop must not; bounded, because it may be of any size; and never of a FIFO or a device, where opening
// alone can wait for ever.

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { codeOf } from './files.ts';

export type FileFacts = {
  /** Changes when another file takes the name. */
  readonly id: string;
  readonly bytes: number;
  readonly modifiedMs: number;
};
export type Stretch = { readonly from: number; readonly bytesMax: number };
export type Tail = { readonly facts: FileFacts; readonly read: Buffer };

const NOTHING = Buffer.alloc(0);

/** A hole reads as zeros; fewer bytes than asked for mean that it was cut meanwhile. */
async function readStretch(file: FileHandle, { from, bytesMax }: Stretch): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytesMax);
  let length = 0;
  while (length < bytesMax) {
    const { bytesRead } = await file.read(buffer, length, bytesMax - length, from + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

/**
 * @param choose what to read of a file of this size; nothing when it answers undefined.
 * @returns undefined where there is no file of that name. @throws what else is in the way, with its code.
 */
export async function readTail(
  path: string,
  choose: (facts: FileFacts) => Stretch | undefined = () => undefined,
): Promise<Tail | undefined> {
  let file: FileHandle;
  try {
    // O_NONBLOCK: a FIFO of that name must not keep a thread of the pool [fifo(7)].
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error('is not a file');
    const facts = { id: `${stat.dev}:${stat.ino}`, bytes: stat.size, modifiedMs: stat.mtimeMs };
    const stretch = choose(facts);
    return { facts, read: stretch === undefined ? NOTHING : await readStretch(file, stretch) };
  } finally {
    await file.close();
  }
}
