// Places of a journal that were freed: skipped without being read, told by a line of their own, and never the
// reason for another answer to the same request.

import {
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  addHole,
  decodeHoles,
  encodeHoles,
  type Hole,
  holeText,
  keptBytes,
  sidecarOf,
} from '../../agent/logs/holes.ts';
import {
  bytesOf,
  componentSource,
  findSegments,
  openMerge,
  type Segment,
} from '../../agent/logs/journal.ts';

const NOON = Date.UTC(2026, 10, 23, 12);
const GIBIBYTE = 1024 ** 3;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tw-holes-'));
  mkdirSync(join(folder, 'sale'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (ms: number, text: string): string => `${new Date(ms).toISOString()} ${text}\n`;
const hole = (from: number, to: number, more: Partial<Hole> = {}): Hole => ({
  ...{ from, to, bytes: to - from, firstMs: NOON, lastMs: NOON + 3_000 },
  ...{ reason: 'rate', limit: 1024 * 1024, ...more },
});

/** Pieces of text at their places; nothing between them. */
function sparse(pieces: readonly (readonly [number, string])[], holes?: readonly Hole[]): string {
  const path = join(folder, 'sale', 'a.log');
  const file = openSync(path, 'w');
  for (const [place, text] of pieces) writeSync(file, text, place);
  if (holes !== undefined) {
    writeFileSync(sidecarOf(path), encodeHoles(fstatSync(file).ino, holes));
  }
  closeSync(file);
  return path;
}
const plan = (sinceMs = 0, untilMs = NOON * 2): Segment[] =>
  findSegments([componentSource(folder, 'sale')], { sinceMs, untilMs });

function read(segments: readonly Segment[]): string[] {
  const merge = openMerge(segments);
  if (!merge.ok) throw new Error(merge.reason);
  try {
    const texts = [];
    for (let line = merge.value.next(); line !== undefined; line = merge.value.next()) {
      texts.push(line.text);
    }
    return texts;
  } finally {
    merge.value.close();
  }
}

describe('a hole', () => {
  it('of eight gigabytes is skipped and told', () => {
    const line = at(NOON + 5_000, 'after');
    sparse(
      [
        [0, at(NOON, 'before')],
        [8 * GIBIBYTE, line],
      ],
      [hole(32, 8 * GIBIBYTE)],
    );
    expect(read(plan())).toEqual([
      at(NOON, 'before').trimEnd(),
      '[tillwatch: 8.0 GB not kept here, 12:00:00 to 12:00:03: more than 1.0 MB a second]',
      line.trimEnd(),
    ]);
    expect(bytesOf(plan())).toBe(32 + line.length);
  });

  it('does not hide a moment that lies behind it or before it', () => {
    const early = Array.from({ length: 5_000 }, (_, n) => at(NOON + n, `early ${n}`)).join('');
    const late = Array.from({ length: 5_000 }, (_, n) => at(NOON + 60_000 + n, `late ${n}`));
    const from = early.length;
    sparse(
      [
        [0, early],
        [from + GIBIBYTE, late.join('')],
      ],
      [hole(from, from + GIBIBYTE)],
    );
    expect(read(plan(NOON + 60_777, NOON + 60_778))).toEqual([
      late[777]?.trimEnd(),
      late[778]?.trimEnd(),
    ]);
    expect(read(plan(NOON + 4, NOON + 4))).toEqual([at(NOON + 4, 'early 4').trimEnd()]);
    const across = read(plan(NOON + 4_999, NOON + 60_000));
    expect(across).toHaveLength(3);
    expect(across[1]).toMatch(/^\[tillwatch: 1\.0 GB not kept here/);
  });

  it('without its note is skipped all the same', () => {
    sparse([[4 * GIBIBYTE, `${'\0'.repeat(20_000)}${at(NOON, 'after')}`]]);
    expect(read(plan())).toEqual([
      expect.stringMatching(/^\[tillwatch: 4\.0 GB not kept here\]$/),
      // What the file system still holds of it is read.
      expect.stringMatching(/^\[tillwatch: .* KB not kept here\]$/),
      at(NOON, 'after').trimEnd(),
    ]);
  });

  it('without its note is found between lines as well', () => {
    sparse([
      [0, at(NOON, 'before')],
      [300_000, at(NOON + 1, 'after')],
    ]);
    const told = expect.stringMatching(/^\[tillwatch: 0\.\d MB not kept here\]$/);
    expect(read(plan())).toEqual([
      at(NOON, 'before').trimEnd(),
      told,
      at(NOON + 1, 'after').trimEnd(),
    ]);
  });

  it('never leaves half a card number on either side', () => {
    sparse(
      [
        [0, 'paid by 4111 1111 11'],
        [100_000, '11 1111 1111 thanks\nnext 1\n'],
      ],
      [hole(20, 100_000)],
    );
    const texts = read(plan());
    expect(texts).toEqual([
      'paid by [cut]',
      expect.stringContaining('not kept'),
      '[cut] thanks',
      'next 1',
    ]);
  });

  it('that is made while an answer is on its way ends it, and does not change it', () => {
    const lines = Array.from({ length: 20_000 }, (_, n) => at(NOON + n, `line ${n}`)).join('');
    const path = sparse([[0, lines]]);
    const planned = plan();
    const { ino, size } = statSync(path);
    writeFileSync(sidecarOf(path), encodeHoles(ino, [hole(100_000, 300_000)]));
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(200_000), 0, 200_000, 100_000);
    closeSync(file);
    expect(() => read(planned)).toThrow('was cut while it was read');
    expect(read(plan()).filter((text) => text.startsWith('[tillwatch'))).toHaveLength(1);
    expect(size).toBe(lines.length);
  });
});

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
    expect(decodeHoles(text, 7, 100)).toEqual([hole(0, 100)]);
    expect(decodeHoles(text, 8, 100)).toBeUndefined();
    expect(decodeHoles(text, 7, 99)).toBeUndefined();
    expect(decodeHoles(text.slice(1), 7, 100)).toBeUndefined();
    expect(decodeHoles(encodeHoles(7, [hole(50, 90), hole(0, 60)]), 7, 100)).toBeUndefined();
  });

  it('says times as lines do: corrected', () => {
    expect(holeText(hole(0, 50_541_363), 60_000)).toBe(
      '[tillwatch: 48.2 MB not kept here, 12:01:00 to 12:01:03: more than 1.0 MB a second]',
    );
    expect(holeText(hole(0, 9, { reason: 'disk' }), 0)).toContain('the disk was full at 12:00:03');
    expect(holeText(hole(0, 9, { reason: 'size' }), 0)).toContain('only the newest 1.0 MB');
  });
});
