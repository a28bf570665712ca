// Where nothing can be freed in the middle of a file, it is cut as a whole, under its writer.

import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { trimFile } from '../../agent/system/journal-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-cut-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a file that is over its bound', () => {
  it('is emptied under its writer, and its newest whole lines are kept', async () => {
    const lines = Array.from({ length: 1_000 }, (_, n) => `line ${n} of what was printed`);
    const path = join(folder, 'a.log');
    const kept = join(folder, 'a-1.log');
    writeFileSync(path, `${lines.join('\n')}\n`);
    const writer = openSync(path, 'a');
    const { size } = statSync(path);
    const cut = await trimFile(path, kept, 10_000);
    expect(cut).toEqual({ ok: true, value: size - statSync(kept).size });
    writeSync(writer, 'line 1000\n');
    closeSync(writer);
    expect(readFileSync(path, 'utf8')).toBe('line 1000\n');
    const left = readFileSync(kept, 'utf8').split('\n').slice(0, -1);
    expect(left.length).toBeGreaterThan(100);
    expect(left).toEqual(lines.slice(-left.length));
  });

  it('is emptied also when there is no room for what should be kept', async () => {
    const path = join(folder, 'a.log');
    writeFileSync(path, 'one\ntwo\n');
    expect((await trimFile(path, '/nowhere/at/all', 100)).ok).toBe(true);
    expect(statSync(path).size).toBe(0);
    expect((await trimFile('/nowhere/at/all', path, 100)).ok).toBe(false);
  });
});
