// Writes a file so that a reader, and a power cut at any moment, sees the old content or the new one and
// never a part: written aside, synced, renamed, and the folder synced too, because the rename itself is
// only in the folder (rename(2), fsync(2)).

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/**
 * mkdirSync's own `recursive` spins for ever where an existing folder answers ENOENT (below /proc; Node
 * 24.21), and a wrong path must end a component with a sentence: so step by step, upwards once.
 */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || existsSync(parent)) throw error;
    makeFolder(parent);
    mkdirSync(path);
  }
}

export function writeAtomically(path: string, content: string): void {
  makeFolder(dirname(path));
  const aside = `${path}.new`;
  const file = openSync(aside, 'w', 0o644);
  try {
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(aside, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
