// How much room a file system has: bytes, and files that can still be made.

import { describe, expect, it } from 'vitest';
import { roomOf } from '../../agent/system/space.ts';

const GIBIBYTE = 1024 ** 3;
const disk = { bavail: 2 * GIBIBYTE, bsize: 1, blocks: 8 * GIBIBYTE };

describe('room on a disk', () => {
  it('is what an ordinary process may still write', () => {
    const found = roomOf({ ...disk, files: 1_000, ffree: 900 });
    expect(found).toEqual({ freeBytes: 2 * GIBIBYTE, totalBytes: 8 * GIBIBYTE });
  });

  it('is none where no file can be made, however many bytes are free', () => {
    expect(roomOf({ ...disk, files: 1_000, ffree: 0 }).freeBytes).toBe(0);
    expect(roomOf({ ...disk, files: 1_000, ffree: 10 }).freeBytes).toBeLessThan(GIBIBYTE / 10);
  });

  it('is counted in bytes alone where files are not counted', () => {
    expect(roomOf({ ...disk, files: 0, ffree: 0 }).freeBytes).toBe(2 * GIBIBYTE);
  });
});
