// What is written anew: many small blocks into few, and segments of which a part is purged; killed at any moment.

import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openReader } from '../../agent/logs/journal/reader.ts';
import type { JournalStore } from '../../agent/logs/journal/types.ts';
import {
  ALWAYS,
  failingDisk,
  journalRig,
  noise,
  place,
  record,
  STAMP,
  START_MS,
} from './journal-rig.ts';

let rig: ReturnType<typeof journalRig>;
beforeEach(() => {
  rig = journalRig();
});
afterEach(() => rig.end());

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, n) => `record ${from + n}`);

async function fill(journal: JournalStore, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1) {
    await journal.append('sale', [record(n)], place(n), STAMP, `note ${n}`);
  }
  await journal.settled();
}

/** A segment is closed when it has so many blocks. */
const FULL = 2_000;

describe('small blocks', () => {
  it('become large ones when their segment is closed, and nothing else changes', async () => {
    const journal = rig.open();
    await fill(journal, 0, FULL - 1);
    const before = journal.readings()[0]?.bytes ?? 0;
    await fill(journal, FULL - 1, FULL);
    await journal.settled();
    expect(rig.segments('sale')).toEqual(['00000002.seg']);
    expect(journal.readings()[0]?.bytes).toBeLessThan(before / 10);
    for (const opened of [journal, rig.open()]) {
      expect(opened.places('sale')).toEqual(place(FULL - 1));
      expect(opened.note('sale')).toBe(`note ${FULL - 1}`);
    }
    expect(rig.texts('sale')).toEqual(numbers(0, FULL));
    expect([...openReader(rig.folder).blocks('sale', ALWAYS)]).toHaveLength(1);
    await fill(journal, FULL, FULL + 3);
    expect(rig.segments('sale')).toEqual(['00000002.seg', '00000004.seg']);
    expect(rig.texts('sale')).toEqual(numbers(0, FULL + 3));
  });

  it('stay where somebody reads them', async () => {
    const journal = rig.open();
    await fill(journal, 0, 1);
    journal.pin('request', ['sale']);
    await fill(journal, 1, FULL);
    expect(rig.segments('sale')).toEqual(['00000001.seg']);
  });

  it('are there once, wherever it is killed', async () => {
    const journal = rig.open();
    await fill(journal, 0, FULL - 1);
    const old = join(rig.folder, 'sale', '00000001.seg');
    const kept = join(rig.folder, 'kept');
    await fill(journal, FULL - 1, FULL);
    await journal.settled();
    const merged = join(rig.folder, 'sale', '00000002.seg');
    copyFileSync(merged, kept);
    // Both there: the old one was not removed yet.
    const other = journalRig();
    const again = other.open();
    await fill(again, 0, FULL - 1);
    copyFileSync(join(other.folder, 'sale', '00000001.seg'), old);
    await other.end();
    expect(rig.texts('sale')).toEqual(numbers(0, FULL));
    const opened = rig.open();
    expect(opened.places('sale')).toEqual(place(FULL - 1));
    await opened.settled();
    expect(rig.segments('sale')).toEqual(['00000002.seg']);
    // Only a half of the new one there, under its other name.
    const half = readFileSync(kept);
    writeFileSync(`${merged}.new`, half.subarray(0, half.length / 2));
    const last = rig.open();
    await last.settled();
    expect(rig.segments('sale')).toEqual(['00000002.seg']);
    expect(rig.texts('sale')).toEqual(numbers(0, FULL));
  });

  it('stay as they are while the disk refuses', async () => {
    const { disk, state } = failingDisk();
    const journal = rig.open({ disk });
    await fill(journal, 0, FULL - 1);
    state.fails = (what) => (what === 'rename' ? new Error('no') : undefined);
    await fill(journal, FULL - 1, FULL);
    await journal.settled();
    expect(rig.texts('sale')).toEqual(numbers(0, FULL));
    expect(rig.said.at(-1)).toBe('a segment of the journal cannot be packed better');
  });
});

describe('purging', () => {
  const at = (n: number): number => START_MS + n * 1_000;

  it('removes what is older, in full segments and within one', async () => {
    const journal = rig.open({ bytesMax: 400_000 });
    for (let n = 0; n < 40; n += 1) {
      const records = [0, 1, 2, 3].map((m) =>
        record(4 * n + m, { text: `${4 * n + m} ${noise(2_000)}` }),
      );
      await journal.append('sale', records, place(n), STAMP);
    }
    await journal.settled();
    const before = rig.texts('sale');
    const [first] = openReader(rig.folder).blocks('sale', ALWAYS);
    const oldest = before.map((text) => Number.parseInt(text, 10))[0] ?? 0;
    const cut = oldest + 50;
    const done = await journal.purge('sale', at(cut));
    expect(done.records).toBe(50);
    expect(done.kept).toBe(0);
    expect(done.bytes).toBeGreaterThan(50 * 1_000);
    expect(rig.texts('sale')).toEqual(before.slice(50));
    expect(journal.readings()[0]?.records['purged']).toBe(50);
    const onDisk = readdirSync(join(rig.folder, 'sale')).reduce(
      (sum, name) =>
        sum +
        readFileSync(join(rig.folder, 'sale', name))
          .toString('latin1')
          .split(`${cut - 1} `).length -
        1,
      0,
    );
    expect(onDisk).toBe(0);
    const reader = openReader(rig.folder);
    expect(first && reader.read(first).ok).toBe(false);
    expect(reader.missed()).toEqual({ gone: 1, damaged: 0 });
    expect(rig.open().places('sale')).toEqual(place(39));
    await journal.append('sale', [record(999)], place(99), STAMP);
    expect(rig.texts('sale').at(-1)).toBe('record 999');
  });

  it('takes the room of what went off the disk', async () => {
    const journal = rig.open();
    for (let n = 0; n < 20; n += 1) {
      await journal.append('sale', [record(n, { text: noise(60_000) })], place(n), STAMP);
    }
    const path = join(rig.folder, 'sale', '00000001.seg');
    const before = statSync(path).blocks;
    await journal.purge('sale', at(18));
    expect(statSync(path).blocks).toBeLessThan(before / 3);
    expect(rig.texts('sale')).toHaveLength(2);
  });

  it('keeps the places when nothing else is left, and what is pinned', async () => {
    const journal = rig.open();
    await fill(journal, 0, 5);
    journal.pin('request', ['sale']);
    expect(await journal.purge('sale', Number.MAX_SAFE_INTEGER)).toEqual({
      bytes: 0,
      records: 0,
      kept: 1,
    });
    journal.unpin('request');
    expect((await journal.purge('sale', Number.MAX_SAFE_INTEGER)).records).toBe(5);
    expect(rig.texts('sale')).toEqual([]);
    const again = rig.open();
    expect(again.places('sale')).toEqual(place(4));
    expect(again.note('sale')).toBe('note 4');
  });

  it('of a component that is not there is nothing', async () => {
    expect(await rig.open().purge('sync', 1)).toEqual({ bytes: 0, records: 0, kept: 0 });
  });
});
