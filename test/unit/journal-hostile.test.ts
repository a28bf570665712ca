// A journal that means harm: notes of holes that are no notes, and output that is no lines. Whatever lies there,
// reading it costs what the disk holds of it, and asking costs next to nothing.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeHoles, encodeHoles, readHoles, sidecarOf } from '../../agent/logs/holes.ts';
import { bytesOf, componentSource, findSegments, openMerge } from '../../agent/logs/journal.ts';
import { realJournalDisk } from '../../agent/system/journal-files.ts';

const NOON = Date.UTC(2026, 10, 23, 12);
const MEBIBYTE = 1024 * 1024;
const window = { sinceMs: 0, untilMs: NOON * 2 };

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-hostile-'));
  mkdirSync(join(folder, 'sale'));
  path = join(folder, 'sale', 'a.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (n: number): string => `${new Date(NOON + n).toISOString()} line ${n}\n`;
const find = () => findSegments([componentSource(folder, 'sale')], window);

describe('a note of holes', () => {
  it('that is too long to be one is as good as none: what the disk holds is read, and no more', () => {
    writeFileSync(path, '');
    truncateSync(path, 64 * MEBIBYTE);
    writeFileSync(path, line(1), { flag: 'a' });
    writeFileSync(sidecarOf(path), 'x'.repeat(70_000));
    expect(bytesOf(find())).toBeLessThan(MEBIBYTE);
  });

  it('of a gigabyte is never read as a whole', async () => {
    writeFileSync(path, line(1));
    writeFileSync(sidecarOf(path), '');
    truncateSync(sidecarOf(path), 3 * 1024 * MEBIBYTE);
    expect(bytesOf(find())).toBe(line(1).length);
    const text = await realJournalDisk.read(sidecarOf(path));
    expect(text?.length ?? 0).toBeLessThan(MEBIBYTE);
  });

  it('that is a pipe, beside output that is a pipe, holds nobody', { timeout: 5_000 }, () => {
    writeFileSync(path, line(1));
    spawnSync('mkfifo', [sidecarOf(path), join(folder, 'sale', 'b.log')]);
    // In a process of its own: what waits for a pipe's other end cannot be timed out.
    const asked = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', ASK, folder, join(process.cwd(), 'agent/logs/journal.ts')],
      { timeout: 3_000, encoding: 'utf8' },
    );
    expect(asked.stdout.trim()).toBe(String(line(1).length));
  });

  it('with a time that is none is no note', () => {
    writeFileSync(path, 'x'.repeat(50_000));
    const { ino, size } = statSync(path);
    const hole = { from: 0, to: 100, bytes: 100, firstMs: 1e300, lastMs: 1e300 };
    const text = encodeHoles(ino, [{ ...hole, reason: 'rate' }]);
    expect(decodeHoles(text, ino, size)).toBeUndefined();
    writeFileSync(sidecarOf(path), text);
    const merge = openMerge(find());
    expect(merge.ok && merge.value.next()?.text.length).toBeGreaterThan(10_000);
    if (merge.ok) merge.value.close();
  });
});

describe('a file that takes fewer blocks than it has bytes', () => {
  it('is whole where the file system compresses it', () => {
    writeFileSync(path, Array.from({ length: 100_000 }, (_, n) => line(n)).join(''));
    const { ino, size, mtimeMs } = statSync(path);
    expect(readHoles(path, { ino, size, mtimeMs, blocks: size / 512 / 5 })).toEqual([]);
  });
});

const ASK = `
const { bytesOf, componentSource, findSegments } = await import(process.argv[2]);
const found = findSegments([componentSource(process.argv[1], 'sale')], { sinceMs: 0, untilMs: 9e12 });
console.log(bytesOf(found));
`;
