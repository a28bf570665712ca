// Cuts a file that another process is writing to, and keeps its newest part beside it. The writer has it open
// for appending and goes on at the new end, so nobody needs to be told. What it writes in the moment
// between copy and cut is lost: microseconds, against the whole file when it was simply emptied.

import { closeSync, fstatSync, openSync, readSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { codeOf } from './files.ts';

/** Copied in one go: a few milliseconds in which nothing else happens in the agent. */
export const KEPT_BYTES_MAX = 5 * 1024 * 1024;
const NEWLINE = 10;

/** Copies the last whole lines of a file. */
function copyEnd(path: string, to: string, bytesMax: number): void {
  const from = openSync(path, 'r');
  try {
    const { size } = fstatSync(from);
    const buffer = Buffer.allocUnsafe(Math.min(bytesMax, size));
    let length = 0;
    while (length < buffer.length) {
      const at = size - buffer.length + length;
      const count = readSync(from, buffer, length, buffer.length - length, at);
      if (count === 0) break;
      length += count;
    }
    const whole = size <= length ? 0 : buffer.subarray(0, length).indexOf(NEWLINE) + 1;
    const file = openSync(to, 'wx', 0o600);
    try {
      for (let at = whole; at < length; ) at += writeSync(file, buffer, at, length - at);
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(from);
  }
}

/**
 * @param kept the file for the newest `bytesMax` bytes; on a disk that has no room for it there is none.
 */
export function trimFile(path: string, kept: string, bytesMax: number): Result<void> {
  try {
    copyEnd(path, kept, Math.min(bytesMax, KEPT_BYTES_MAX));
  } catch {
    rmSync(kept, { force: true });
  }
  try {
    truncateSync(path);
    return ok(undefined);
  } catch (error) {
    return fail(`cannot cut ${path}: ${codeOf(error)}`);
  }
}
