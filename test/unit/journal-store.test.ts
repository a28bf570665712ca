// The journal as its writer sees it: appends, places, what a restart finds, full disks and bounds.

import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openReader } from '../../agent/logs/journal/reader.ts';
import {
  ALWAYS,
  failingDisk,
  journalRig,
  noise,
  noSpace,
  place,
  record,
  STAMP,
} from './journal-rig.ts';

let rig: ReturnType<typeof journalRig>;
beforeEach(() => {
  rig = journalRig();
});
afterEach(() => rig.end());

const newest = (): string =>
  join(
    rig.folder,
    'sale',
    rig
      .segments('sale')
      .filter((name) => name.endsWith('.seg'))
      .at(-1) ?? '',
  );

describe('the journal', () => {
  it('gives back what was appended, with all that a record has', async () => {
    const journal = rig.open();
    const records = [
      record(1, { level: 'error', guessed: true, version: '2.0.0' }),
      record(0, { level: undefined, text: 'Error: Zoë\n    at tills.js:1' }),
      record(2, { text: '' }),
    ];
    expect(await journal.append('sale', records, place(10), STAMP)).toEqual({ ok: true });
    const reader = openReader(rig.folder);
    const [block, ...others] = reader.blocks('sale', ALWAYS);
    expect(others).toEqual([]);
    expect(block).toMatchObject({ records: 3, redactor: STAMP, component: 'sale', segment: 1 });
    expect(block?.levels).toEqual(new Set(['error', 'info', 'none']));
    expect(block && reader.read(block)).toEqual({ ok: true, value: records });
    expect(reader.components()).toEqual(['sale']);
  });

  it('keeps places and the note with the newest block, also over a restart', async () => {
    const journal = rig.open();
    await journal.append('sale', [record(1)], place(10), STAMP, 'counted 1');
    await journal.append('sale', [], place(20), STAMP);
    for (const opened of [journal, rig.open()]) {
      expect(opened.places('sale')).toEqual(place(20));
      expect(opened.note('sale')).toBe('counted 1');
      expect(opened.components()).toEqual(['sale']);
    }
  });

  it('refuses records that no redactor has stamped', async () => {
    const done = await rig.open().append('sale', [record(1)], place(1), '');
    expect(done).toEqual({ ok: false, reason: 'records were not redacted' });
  });

  it('goes on behind a torn block, and the places are those before it', async () => {
    const journal = rig.open();
    await journal.append('sale', [record(1)], place(10), STAMP);
    const before = readFileSync(newest());
    await journal.append('sale', [record(2)], place(20), STAMP);
    const after = readFileSync(newest());
    for (const cut of [1, 20, 51, 60, after.length - before.length - 1]) {
      writeFileSync(newest(), after.subarray(0, before.length + cut));
      const again = rig.open();
      expect(again.places('sale')).toEqual(place(10));
      expect(rig.texts('sale')).toEqual(['record 1']);
      await again.append('sale', [record(2), record(3)], place(30), STAMP);
      expect(rig.texts('sale')).toEqual(['record 1', 'record 2', 'record 3']);
      expect(rig.open().places('sale')).toEqual(place(30));
    }
  });

  it('does not count an append of several blocks of which the last is torn', async () => {
    const journal = rig.open();
    await journal.append('sale', [record(0)], place(1), STAMP);
    const many = [1, 2, 3, 4, 5, 6].map((n) => record(n, { text: noise(90_000) }));
    await journal.append('sale', many, place(10), STAMP);
    expect(rig.texts('sale')).toHaveLength(7);
    expect([...openReader(rig.folder).blocks('sale', ALWAYS)]).toHaveLength(4);
    truncateSync(newest(), readFileSync(newest()).length - 1);
    expect(rig.texts('sale')).toEqual(['record 0']);
    const again = rig.open();
    expect(again.places('sale')).toEqual(place(1));
    await again.append('sale', many, place(10), STAMP);
    expect(rig.texts('sale')).toHaveLength(7);
  });

  it('leaves nothing of an append that failed behind a shorter one that follows', async () => {
    const { disk, state } = failingDisk();
    const journal = rig.open({ disk });
    await journal.append('sale', [record(0)], place(1), STAMP);
    const many = [1, 2, 3, 4, 5, 6].map((n) => record(n, { text: noise(90_000) }));
    state.fails = (what) => (what === 'sync' || what === 'truncate' ? noSpace() : undefined);
    expect((await journal.append('sale', many, place(10), STAMP)).ok).toBe(false);
    state.fails = undefined;
    await journal.append('sale', [record(1)], place(2), STAMP);
    expect(rig.texts('sale')).toEqual(['record 0', 'record 1']);
    expect(rig.open().places('sale')).toEqual(place(2));
  });

  it('says that the disk is full, loses nothing, and goes on when there is room', async () => {
    const { disk, state } = failingDisk();
    const journal = rig.open({ disk });
    await journal.append('sale', [record(1)], place(10), STAMP);
    for (const what of ['write', 'sync', 'open', 'truncate']) {
      state.fails = (asked) =>
        asked === what || (what === 'truncate' && asked === 'write') ? noSpace() : undefined;
      const failed = await journal.append('sale', [record(2)], place(20), STAMP);
      expect(failed.ok).toBe(what === 'open' && state.done.at(-1) !== 'open');
      if (!failed.ok) expect(failed.reason).toContain('ENOSPC');
      if (!failed.ok) expect(journal.places('sale')).toEqual(place(10));
      state.fails = undefined;
    }
    expect((await journal.append('sale', [record(2)], place(20), STAMP)).ok).toBe(true);
    expect(rig.texts('sale')).toEqual(['record 1', 'record 2']);
    expect(rig.open().places('sale')).toEqual(place(20));
    expect(rig.said.at(-1)).toBe('the journal is written again');
  });

  it('removes the oldest segments when a component takes more than its bound', async () => {
    const journal = rig.open({ bytesMax: 200_000 });
    for (let n = 0; n < 60; n += 1) {
      await journal.append('sale', [record(n, { text: `${n} ${noise(8_000)}` })], place(n), STAMP);
    }
    const [reading] = journal.readings();
    expect(reading?.bytes).toBeLessThanOrEqual(200_000);
    const kept = rig.texts('sale').map((text) => Number.parseInt(text, 10));
    expect(kept.at(-1)).toBe(59);
    expect(kept).toEqual(kept.map((_, index) => 60 - kept.length + index));
    expect(reading?.records).toEqual({ size: 60 - kept.length });
    expect(journal.places('sale')).toEqual(place(59));
  });

  it('keeps what is pinned, and lets it go afterwards', async () => {
    const journal = rig.open({ bytesMax: 100_000 });
    await journal.append('sale', [record(0)], place(0), STAMP);
    journal.pin('request', ['sale']);
    for (let n = 1; n < 40; n += 1) {
      await journal.append('sale', [record(n, { text: noise(8_000) })], place(n), STAMP);
    }
    expect(rig.texts('sale')[0]).toBe('record 0');
    journal.unpin('request');
    await journal.settled();
    expect(rig.texts('sale')[0]).not.toBe('record 0');
  });

  it('gives up nearly all for a full disk, never the places', async () => {
    const journal = rig.open();
    for (let n = 0; n < 40; n += 1) {
      await journal.append('sale', [record(n, { text: noise(8_000) })], place(n), STAMP);
    }
    journal.setRoom('least');
    await journal.settled();
    expect(journal.readings()[0]?.bytes).toBeLessThan(64 * 1024);
    expect(journal.readings()[0]?.records).toEqual({ disk: 40 });
    expect(rig.open().places('sale')).toEqual(place(39));
  });

  it('removes what is older than it keeps, but not for a clock that jumps', async () => {
    const journal = rig.open({ bytesMax: 100_000 });
    for (let n = 0; n < 5; n += 1) {
      await journal.append('sale', [record(n, { text: noise(8_000) })], place(n), STAMP);
    }
    const hour = 3_600_000;
    rig.clock.wall += 31 * 24 * hour;
    const later = { timeMs: rig.clock.wall };
    for (const n of [5, 6]) {
      rig.clock.monotonic += hour + 1;
      await journal.append('sale', [record(n, later)], place(n), STAMP);
      expect(journal.readings()[0]?.records).toEqual({});
      if (n === 5) rig.clock.wall += 2 * hour;
    }
    rig.clock.monotonic += hour + 1;
    rig.clock.wall += hour + 1;
    await journal.append('sale', [record(7, later)], place(7), STAMP);
    expect(journal.readings()[0]?.records['age']).toBeGreaterThan(0);
    expect(rig.texts('sale').at(-1)).toBe('record 7');
  });

  it('goes on when somebody removes its files, and never writes over one', async () => {
    const journal = rig.open();
    await journal.append('sale', [record(1)], place(1), STAMP);
    rmSync(join(rig.folder, 'sale'), { recursive: true });
    expect((await journal.append('sale', [record(2)], place(2), STAMP)).ok).toBe(true);
    expect(rig.texts('sale')).toEqual(['record 2']);
    await journal.append('sync', [record(3)], place(3), STAMP);
    const unseen = readFileSync(newest());
    const other = join(rig.folder, 'hardware', '00000001.seg');
    mkdirSync(join(rig.folder, 'hardware'));
    const again = rig.open();
    writeFileSync(other, unseen);
    expect((await again.append('hardware', [record(4)], place(4), STAMP)).ok).toBe(true);
    expect(rig.texts('hardware')).toEqual(['record 2', 'record 4']);
  });

  it('is not stopped by rubbish in its folder', async () => {
    const journal = rig.open();
    await journal.append('sale', [record(1)], place(1), STAMP);
    appendFileSync(join(rig.folder, 'sale', '00000099.seg'), 'this is no segment');
    appendFileSync(join(rig.folder, 'sale', 'notes.txt'), 'hello');
    appendFileSync(join(rig.folder, 'NOT a component'), 'hello');
    const again = rig.open();
    expect(again.places('sale')).toEqual(place(1));
    await again.append('sale', [record(2)], place(2), STAMP);
    expect(rig.texts('sale')).toEqual(['record 1', 'record 2']);
    expect(rig.open().places('sale')).toEqual(place(2));
  });
});
