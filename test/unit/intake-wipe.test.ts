// What was taken is nulls on the disk in the end, whatever the file system says of how much it holds: one that compresses
// says less than is there. Places that were freed stay so.

import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { JournalFile } from '../../agent/capture.ts';
import { NO_MARK } from '../../agent/logs/intake/note.ts';
import { Reading } from '../../agent/logs/intake/reading.ts';
import { realIntakeDisk } from '../../agent/system/intake-files.ts';

const MEBIBYTE = 1024 * 1024;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-wipe-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function recalled(size: number, allocated: number): Reading {
  const file: JournalFile = {
    ...{ path: 'a.log', inode: 7, size, allocated, modifiedMs: 0, holes: [] },
  };
  const reading = new Reading(file, '1', 0);
  const place = { path: 'a.log', inode: 7, to: size };
  reading.recall({ ...place, version: '1', mark: NO_MARK, standing: 'start' }, file);
  return reading;
}

it('is wiped again from its begin where the file system may have compressed it', () => {
  expect(recalled(10 * MEBIBYTE, MEBIBYTE)).toMatchObject({ wipedTo: 0, to: 10 * MEBIBYTE });
  expect(recalled(10 * MEBIBYTE, 0).wipedTo).toBe(0);
  // Of gigabytes that were freed long ago only so much is read.
  const { wipedTo, freedTo } = recalled(5_000 * MEBIBYTE, MEBIBYTE);
  expect(wipedTo).toBe(4_936 * MEBIBYTE);
  expect(freedTo).toBe(4_999 * MEBIBYTE);
});

it('is wiped only where there is something, so that what was freed stays freed', async () => {
  const path = join(folder, 'a.log');
  const file = openSync(path, 'w');
  for (const at of [0, 20 * MEBIBYTE + 5]) writeSync(file, 'card 4111111111111111\n', at);
  closeSync(file);
  const { size, ino, blocks } = statSync(path);
  const ranges = [{ from: 0, to: size }];
  expect(await realIntakeDisk.wipe(path, ino, ranges, true)).toBe(true);
  expect(readFileSync(path).every((byte) => byte === 0)).toBe(true);
  const after = statSync(path);
  expect(after.size).toBe(size);
  expect(after.blocks - blocks).toBeLessThan((256 * 1024) / 512);
});
