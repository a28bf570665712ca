// The journal as its reader sees it: windows, clocks that were set back, damage in every byte, and a writer that goes
// on, closes and removes meanwhile.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openReader } from '../../agent/logs/journal/reader.ts';
import { decodeRecords, encodeRecords } from '../../agent/logs/journal/records.ts';
import { encodeSegmentHead, segmentName } from '../../agent/logs/journal/segment.ts';
import { ALWAYS, journalRig, noise, place, record, STAMP, START_MS } from './journal-rig.ts';

let rig: ReturnType<typeof journalRig>;
beforeEach(() => {
  rig = journalRig();
});
afterEach(() => rig.end());

const at = (n: number): number => START_MS + n * 1_000;
const segment = (): string => join(rig.folder, 'sale', '00000001.seg');

describe('records as bytes', () => {
  it('come back as they were, whatever they are', () => {
    const records = fc.array(
      fc.record({
        timeMs: fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 50), max: 2 ** 50 })),
        guessed: fc.boolean(),
        level: fc.constantFrom('error', 'warn', 'info', 'debug', undefined),
        text: fc.string({ unit: 'grapheme' }),
        version: fc.constantFrom('', '1.0.0', '2.0.0-é', 'x'.repeat(300)),
      }),
    );
    fc.assert(
      fc.property(records, (all) => {
        const { raw, sum } = encodeRecords(all);
        expect(decodeRecords(raw)).toEqual({ ok: true, value: all });
        expect(sum.records).toBe(all.length);
        for (const { timeMs } of all) {
          expect(timeMs >= sum.firstMs && timeMs <= sum.lastMs).toBe(true);
        }
      }),
    );
  });

  it('never become a mixture: halves of characters, times that are none, bytes that are cut', () => {
    const odd = [record(0, { text: 'a\ud83e' }), record(1, { text: '\uddfe b' })];
    const { raw } = encodeRecords([...odd, record(2, { timeMs: Number.NaN })]);
    const read = decodeRecords(raw);
    expect(read.ok && read.value.map(({ text }) => text)).toEqual(['a�', '� b', 'record 2']);
    expect(read.ok && read.value[2]?.timeMs).toBe(at(1));
    for (let length = 0; length < raw.length; length += 1) {
      expect(decodeRecords(raw.subarray(0, length)).ok).toBe(false);
    }
  });
});

describe('a window', () => {
  it('is found by the times of the records, in whatever order they came', async () => {
    const journal = rig.open();
    // Set back by a day in the middle.
    for (const n of [0, 10, 20, -86_400, -86_390, 30, 40]) {
      await journal.append('sale', [record(n), record(n + 5)], place(0), STAMP);
    }
    const found = (from: number, to: number): string[] =>
      rig.texts('sale', { sinceMs: at(from), untilMs: at(to) });
    expect(found(10, 10)).toEqual(['record 10', 'record 15']);
    expect(found(17, 19)).toEqual([]);
    expect(found(-86_395, 0)).toEqual([
      'record 0',
      'record 5',
      'record -86400',
      'record -86395',
      'record -86390',
      'record -86385',
    ]);
    expect(found(45, 1_000)).toEqual(['record 40', 'record 45']);
    expect(found(46, 1_000)).toEqual([]);
  });

  it('passes whole segments by', async () => {
    const journal = rig.open({ bytesMax: 100_000_000 });
    for (let n = 0; n < 400; n += 1) {
      await journal.append('sale', [record(n, { text: `${n} ${noise(40_000)}` })], place(n), STAMP);
    }
    expect(rig.segments('sale').length).toBeGreaterThan(2);
    const found = rig.texts('sale', { sinceMs: at(300), untilMs: at(302) });
    expect(found.map((text) => Number.parseInt(text, 10))).toEqual([300, 301, 302]);
  });

  it('of a component that is not there, or has no valid name, is empty', () => {
    expect(rig.texts('sale')).toEqual([]);
    expect(rig.texts('../etc')).toEqual([]);
  });
});

describe('damage', () => {
  it('of any byte costs at most the block in which it lies, and is told', async () => {
    const journal = rig.open();
    for (const n of [1, 2, 3]) {
      await journal.append(
        'sale',
        [record(n, { text: `record ${n} ${'x'.repeat(80)}` })],
        place(n),
        STAMP,
      );
    }
    journal.close();
    await journal.settled();
    const good = readFileSync(segment());
    const [one, two, three] = [...openReader(rig.folder).blocks('sale', ALWAYS)].map(
      (ref) => ref.at,
    );
    for (let byte = 0; byte < good.length; byte += 1) {
      const bad = Buffer.from(good);
      bad[byte] = (bad[byte] ?? 0) ^ (1 << (byte % 8));
      writeFileSync(segment(), bad);
      const hit = [one, two, three].findLastIndex((from) => byte >= (from ?? 0)) + 1;
      const reader = openReader(rig.folder);
      const texts: string[] = [];
      for (const ref of reader.blocks('sale', ALWAYS)) {
        const read = reader.read(ref);
        if (read.ok) texts.push(...read.value.map(({ text }) => text.slice(0, 8)));
      }
      reader.close();
      const all = ['record 1', 'record 2', 'record 3'];
      expect(texts).toEqual(all.filter((text) => text !== `record ${hit}`));
      const isTold = reader.missed().damaged === 1;
      // A head that is bad at the very end looks like one that is being written.
      const isHeadOfLast = hit === 3 && byte < (three ?? 0) + 52;
      expect(isTold).toBe(hit > 0 && !isHeadOfLast);
    }
  });

  it('of the newest block puts the places back to those before it, of another one does not', async () => {
    const first = rig.open();
    for (const n of [1, 2, 3]) await first.append('sale', [record(n)], place(n), STAMP);
    const good = readFileSync(segment());
    const refs = [...openReader(rig.folder).blocks('sale', ALWAYS)];
    for (const [index, ref] of refs.entries()) {
      for (const byte of [ref.at + 3, ref.at + 30, ref.at + 60, ref.at + 52 + 70]) {
        const bad = Buffer.from(good);
        bad[byte] = (bad[byte] ?? 0) ^ 255;
        writeFileSync(segment(), bad);
        const journal = rig.open();
        expect(journal.places('sale')).toEqual(place(index === 2 ? 2 : 3));
        const lost = byte > ref.at + 52 ? 1 : 0;
        const told = journal.readings()[0]?.records['damaged'] ?? 0;
        expect(told).toBe(index === 2 ? 0 : lost);
        await journal.append('sale', [record(4)], place(4), STAMP);
        expect(rig.texts('sale')).toContain('record 4');
        expect(rig.texts('sale')).toHaveLength(3);
        expect(rig.open().places('sale')).toEqual(place(4));
      }
    }
  });
});

describe('a writer that goes on', () => {
  it('is read up to what is whole', async () => {
    const journal = rig.open();
    await journal.append('sale', [record(1)], place(1), STAMP);
    const reader = openReader(rig.folder);
    const blocks = reader.blocks('sale', ALWAYS)[Symbol.iterator]();
    const first = blocks.next();
    expect(first.done).toBe(false);
    await journal.append('sale', [record(2)], place(2), STAMP);
    expect(!first.done && reader.read(first.value).ok).toBe(true);
    expect(rig.texts('sale')).toEqual(['record 1', 'record 2']);
  });

  it('may remove what was found: that is told apart from damage', async () => {
    const journal = rig.open({ bytesMax: 100_000 });
    for (let n = 0; n < 13; n += 1) {
      await journal.append('sale', [record(n, { text: noise(8_000) })], place(n), STAMP);
    }
    await journal.settled();
    const reader = openReader(rig.folder);
    const blocks = reader.blocks('sale', ALWAYS)[Symbol.iterator]();
    const first = blocks.next();
    for (const name of rig.segments('sale').slice(0, 3)) rmSync(join(rig.folder, 'sale', name));
    expect(!first.done && reader.read(first.value).ok).toBe(false);
    let rest = 0;
    for (let next = blocks.next(); !next.done; next = blocks.next())
      rest += reader.read(next.value).ok ? 1 : 0;
    expect(rest).toBeGreaterThan(0);
    expect(reader.missed().damaged).toBe(0);
    expect(reader.missed().gone).toBeGreaterThanOrEqual(3);
  });

  it('may put another one in the place of a segment that was listed and not opened yet', async () => {
    const journal = rig.open({ bytesMax: 400_000 });
    for (let n = 0; n < 6; n += 1) {
      await journal.append('sale', [record(n, { text: noise(50_000) })], place(n), STAMP);
    }
    const names = rig.segments('sale');
    const blocks = openReader(rig.folder).blocks('sale', ALWAYS)[Symbol.iterator]();
    const first = blocks.next();
    const other = readFileSync(join(rig.folder, 'sale', names[1] ?? ''));
    const replaced = Number.parseInt(names[1] ?? '', 10);
    encodeSegmentHead(replaced).copy(other);
    writeFileSync(join(rig.folder, 'sale', segmentName(replaced + 1)), other);
    rmSync(join(rig.folder, 'sale', names[1] ?? ''));
    let records = first.done ? 0 : first.value.records;
    for (let next = blocks.next(); !next.done; next = blocks.next()) records += next.value.records;
    expect(records).toBe(6);
    expect(rig.texts('sale')).toHaveLength(6);
  });

  it('may put another segment in the place of one that was listed', async () => {
    const journal = rig.open();
    await journal.append('sale', [record(0)], place(0), STAMP);
    for (let n = 1; n < 1_999; n += 1) {
      await journal.append('sale', [record(n)], place(n), STAMP);
    }
    const reader = openReader(rig.folder);
    const numbers = [...reader.blocks('sale', ALWAYS)].length;
    expect(numbers).toBe(1_999);
    const blocks = reader.blocks('sale', ALWAYS)[Symbol.iterator]();
    const first = blocks.next();
    await journal.append('sale', [record(1_999)], place(1), STAMP);
    await journal.settled();
    expect(rig.segments('sale')[0]).toBe('00000002.seg');
    // What was open is read to its end, and what was found is told to be gone.
    let rest = 0;
    for (let next = blocks.next(); !next.done; next = blocks.next()) rest += next.value.records;
    expect(rest).toBe(1_998);
    expect(!first.done && reader.read(first.value).ok).toBe(false);
    expect(reader.missed()).toEqual({ gone: 1, damaged: 0 });
    expect(rig.texts('sale')).toHaveLength(2_000);
  });
});
