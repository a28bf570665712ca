// What the tests of the journal share: a folder that goes, a clock that is moved by hand, a log that is kept, a disk
// that fails when it is told to, and records that can be told apart.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realSegmentDisk, type SegmentDisk } from '../../agent/logs/journal/disk.ts';
import { type JournalOptions, openJournal } from '../../agent/logs/journal/journal.ts';
import { openReader } from '../../agent/logs/journal/reader.ts';
import type { JournalRecord, Place, Window } from '../../agent/logs/journal/types.ts';

export const STAMP = 'tillwatch-redact/2';
export const ALWAYS: Window = {
  sinceMs: Number.NEGATIVE_INFINITY,
  untilMs: Number.POSITIVE_INFINITY,
};
export const START_MS = Date.UTC(2026, 10, 23, 10);

export const record = (number: number, more: Partial<JournalRecord> = {}): JournalRecord => ({
  timeMs: START_MS + number * 1_000,
  guessed: false,
  level: 'info',
  text: `record ${number}`,
  version: '1.0.0',
  ...more,
});

/** Text that no packer makes small. */
export const noise = (bytes: number): string => {
  let text = '';
  while (text.length < bytes) text += Math.random().toString(36).slice(2);
  return text.slice(0, bytes);
};

export const place = (to: number): Place[] => [{ path: '/logs/sale/1.log', inode: 7, to }];

type File = Awaited<ReturnType<SegmentDisk['create']>>;
const unsynced = (file: File): File => ({ ...file, sync: () => Promise.resolve() });

/** The real one, but nothing waits for the platters. */
const quickDisk: SegmentDisk = {
  ...realSegmentDisk,
  create: async (path) => unsynced(await realSegmentDisk.create(path)),
  open: async (path) => unsynced(await realSegmentDisk.open(path)),
  syncFolder: () => Promise.resolve(),
};

/** The real disk, until `fails` says what it answers. */
export function failingDisk() {
  const state: { fails: ((what: string) => Error | undefined) | undefined; done: string[] } = {
    fails: undefined,
    done: [],
  };
  const ask = (what: string): void => {
    state.done.push(what);
    const error = state.fails?.(what);
    if (error !== undefined) throw error;
  };
  const file = (real: File): File => ({
    ...real,
    write: async (bytes, at) => {
      try {
        ask('write');
      } catch (error) {
        // A disk that is full takes a part.
        await real.write(bytes.subarray(0, bytes.length / 2), at);
        throw error;
      }
      await real.write(bytes, at);
    },
    sync: async () => {
      ask('sync');
      await real.sync();
    },
    truncate: async (size) => {
      ask('truncate');
      await real.truncate(size);
    },
  });
  const disk: SegmentDisk = {
    ...realSegmentDisk,
    create: async (path) => {
      ask('create');
      return file(await realSegmentDisk.create(path));
    },
    open: async (path) => {
      ask('open');
      return file(await realSegmentDisk.open(path));
    },
    remove: async (path) => {
      ask('remove');
      await realSegmentDisk.remove(path);
    },
    rename: async (from, to) => {
      ask('rename');
      await realSegmentDisk.rename(from, to);
    },
  };
  return { disk, state };
}

export const noSpace = (): Error => Object.assign(new Error('no space'), { code: 'ENOSPC' });

export function journalRig() {
  const folder = mkdtempSync(join(tmpdir(), 'tillwatch-journal-'));
  const clock = { wall: START_MS, monotonic: 0 };
  const said: string[] = [];
  const say = (message: string): void => {
    said.push(message);
  };
  const options: JournalOptions = {
    folder,
    clock: { wallMs: () => clock.wall, monotonicMs: () => clock.monotonic },
    log: { info: say, warn: say, error: say },
    disk: quickDisk,
  };
  const openings: ReturnType<typeof openJournal>[] = [];
  return {
    ...{ folder, clock, said, options },
    open: (more: Partial<JournalOptions> = {}) => {
      const journal = openJournal({ ...options, ...more });
      openings.push(journal);
      return journal;
    },
    /** Texts of all records of a component, as a search finds them. */
    texts: (component: string, window = ALWAYS): string[] => {
      const reader = openReader(folder);
      const texts: string[] = [];
      for (const block of reader.blocks(component, window)) {
        const read = reader.read(block);
        if (read.ok) texts.push(...read.value.map(({ text }) => text));
      }
      reader.close();
      return texts;
    },
    segments: (component: string): string[] => readdirSync(join(folder, component)).sort(),
    end: async () => {
      for (const journal of openings) {
        journal.close();
        await journal.settled();
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
