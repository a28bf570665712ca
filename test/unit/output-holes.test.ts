// The notes of places in a file of output that were freed: what they are, and that none that means harm is believed
// or holds up whoever looks.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  addHole,
  decodeNote,
  encodeHoles,
  guessHoles,
  type Hole,
  holeText,
  keptBytes,
  sidecarOf,
} from '../../agent/logs/holes.ts';
import { Journal } from '../../agent/output-journal.ts';
import { realIntakeDisk } from '../../agent/system/intake-files.ts';
import { type FileStat, realJournalDisk } from '../../agent/system/journal-files.ts';
import { quiet } from './fleet-rig.ts';

const NOON = Date.UTC(2026, 10, 23, 12);
const MEBIBYTE = 1024 * 1024;

const hole = (from: number, to: number, more: Partial<Hole> = {}): Hole => ({
  ...{ from, to, bytes: to - from, firstMs: NOON, lastMs: NOON + 3_000 },
  ...{ reason: 'rate', limit: MEBIBYTE, ...more },
});
const holesIn = (text: string, inode: number, size: number): Hole[] | undefined =>
  decodeNote(text, inode, size)?.holes;

function file(text = 'one\n'): string {
  const folder = mkdtempSync(join(tmpdir(), 'tw-holes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'a.log');
  writeFileSync(path, text);
  return path;
}

/** As the agent knows a file when it sees it for the first time. */
async function known(path: string, more: Partial<FileStat> = {}): Promise<readonly Hole[]> {
  const never = (): never => {
    throw new Error('nothing is to be freed');
  };
  const journal = new Journal({
    ...{ component: 'sale', folder: join(path, '..'), disk: realJournalDisk, log: quiet },
    ...{ puncher: { punch: never, collapse: never, allocate: never } },
    ...{ means: { refused: undefined, said: '' }, monotonicMs: () => 0, wallMs: () => NOON },
    dropped: () => undefined,
  });
  const stat = await realJournalDisk.stat(path);
  if (stat === undefined) throw new Error('there is no file');
  return (await journal.known({ ...stat, ...more })).holes;
}

describe('the note of holes', () => {
  it('joins what covers or carries on, and counts each byte once', () => {
    let holes: Hole[] = [];
    holes = addHole(holes, hole(100, 200));
    holes = addHole(holes, hole(200, 300, { lastMs: NOON + 9_000 }));
    expect(holes).toEqual([hole(100, 300, { lastMs: NOON + 9_000 })]);
    holes = addHole(holes, hole(400, 500));
    holes = addHole(holes, hole(0, 450, { reason: 'size', limit: 7 }));
    expect(holes).toMatchObject([{ from: 0, to: 500, bytes: 500, reason: 'size', limit: 7 }]);
    expect(keptBytes(holes, { from: 400, to: 700 })).toBe(200);
  });

  it('of another file, of a longer one, or one that is broken is no note', () => {
    const text = encodeHoles(7, [hole(0, 100)]);
    expect(holesIn(text, 7, 100)).toEqual([hole(0, 100)]);
    expect(holesIn(text, 8, 100)).toBeUndefined();
    expect(holesIn(text, 7, 99)).toBeUndefined();
    expect(holesIn(text.slice(1), 7, 100)).toBeUndefined();
    expect(holesIn(encodeHoles(7, [hole(50, 90), hole(0, 60)]), 7, 100)).toBeUndefined();
    const never = encodeHoles(7, [hole(0, 100, { firstMs: 1e300, lastMs: 1e300 })]);
    expect(holesIn(never, 7, 100)).toBeUndefined();
  });

  it('says times as lines do: corrected', () => {
    expect(holeText(hole(0, 50_541_363), 60_000)).toBe(
      '[tillwatch: 48.2 MB not kept here, 12:01:00 to 12:01:03: more than 1.0 MB a second]',
    );
    expect(holeText(hole(0, 9, { reason: 'disk' }), 0)).toContain('the disk was full at 12:00:03');
    expect(holeText(hole(0, 9, { reason: 'size' }), 0)).toContain('only the newest 1.0 MB');
  });
});

describe('a note that means harm', () => {
  it('by its length is none: what the disk holds bounds the reading', async () => {
    const path = file('');
    truncateSync(path, 64 * MEBIBYTE);
    writeFileSync(path, 'one\n', { flag: 'a' });
    writeFileSync(sidecarOf(path), 'x'.repeat(70_000));
    const { size } = (await realJournalDisk.stat(path)) ?? { size: 0 };
    expect(keptBytes(await known(path), { from: 0, to: size })).toBeLessThan(MEBIBYTE);
    truncateSync(sidecarOf(path), 3 * 1024 * MEBIBYTE);
    expect(await realJournalDisk.read(sidecarOf(path))).toBeUndefined();
  });

  it('as a pipe, beside output that is a pipe, holds nobody', { timeout: 5_000 }, async () => {
    const path = file();
    const output = join(path, '..', 'b.log');
    await once(spawn('mkfifo', [sidecarOf(path), output]), 'exit');
    expect(await known(path)).toEqual([]);
    expect(await realJournalDisk.stat(output)).toBeUndefined();
    expect(realIntakeDisk.unread(output, 0, 100)).toHaveLength(0);
  });
});

describe('a file that takes fewer blocks than it has bytes', () => {
  it('is whole where the file system compresses it', async () => {
    const path = file('a line of output\n'.repeat(200_000));
    const allocated = 512 * 1024;
    expect(guessHoles({ ino: 1, size: 3_400_000, blocks: allocated / 512 }, NOON)).toHaveLength(1);
    expect(await known(path, { allocated })).toEqual([]);
  });
});
