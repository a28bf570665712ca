// A journal of 1 GB, and ten minutes out of it: how long a process that does nothing else takes from its first look at
// the folder to the last record, and how much memory it grows by; and the same for all of it, because memory that is
// constant does not grow with what is read. Also what a quiet component costs a day: a block each ten
// seconds, packed again when its segment is closed. Files are written without waiting for the platters.

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realSegmentDisk, type SegmentDisk } from '../../agent/logs/journal/disk.ts';
import { openJournal } from '../../agent/logs/journal/journal.ts';
import { openReader } from '../../agent/logs/journal/reader.ts';
import type { JournalRecord, JournalStore, Window } from '../../agent/logs/journal/types.ts';

const STAMP = 'tillwatch-redact/2';
const START_MS = Date.UTC(2026, 10, 23);
const DAY_MS = 24 * 60 * 60_000;
const WINDOW_MS = 10 * 60_000;
const BLOCK_BYTES = 128 * 1024;
const GB = 1024 ** 3;

type Open = Awaited<ReturnType<SegmentDisk['create']>>;
const unsynced = (file: Open): Open => ({ ...file, sync: () => Promise.resolve() });
const disk: SegmentDisk = {
  ...realSegmentDisk,
  create: async (path) => unsynced(await realSegmentDisk.create(path)),
  open: async (path) => unsynced(await realSegmentDisk.open(path)),
};

const nothing = (): void => undefined;
const open = (folder: string): JournalStore =>
  openJournal({
    folder,
    bytesMax: 4 * GB,
    clock: { wallMs: () => START_MS, monotonicMs: () => performance.now() },
    log: { info: nothing, warn: nothing, error: nothing },
    disk,
  });

/** Lines as a till prints them; every one is another. */
function lineOf(number: number): string {
  const article = 4_006_381_000_000 + ((number * 7_919) % 999_999);
  const price = ((number * 31) % 9_999) / 100;
  const at = new Date(START_MS + number * 10).toISOString();
  return number % 3 === 0
    ? `{"level":"info","message":"item scanned","timestamp":"${at}","article":"${article}","price":${price}}`
    : `${at} INFO [sale] basket ${number % 977}: ${article} added at ${price}, total ${price * 3}`;
}

/** A block's worth of records is made once and moved in time: making text is not what is measured. */
async function fill(journal: JournalStore, bytes: number): Promise<number> {
  const texts: string[] = [];
  let size = 0;
  while (size < BLOCK_BYTES) {
    texts.push(lineOf(texts.length));
    size += (texts.at(-1) ?? '').length + 1;
  }
  const blocks = Math.ceil(bytes / size);
  const stepMs = DAY_MS / (blocks * texts.length);
  let number = 0;
  for (let block = 0; block < blocks; block += 1) {
    const records = texts.map((text): JournalRecord => {
      number += 1;
      const timeMs = START_MS + number * stepMs;
      const own = `${number} ${text}`;
      return { timeMs, guessed: false, level: 'info', text: own, version: '1.0.0' };
    });
    const done = await journal.append('sale', records, [], STAMP);
    if (!done.ok) throw new Error(done.reason);
  }
  await journal.settled();
  return number;
}

const bytesIn = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

export type ReadFigures = {
  readonly ms: number;
  readonly records: number;
  /** Greatest resident memory, above that of the same process that has read one block. */
  readonly grownBytes: number;
};

/** In the process that is measured. */
export function readWindow(folder: string, window: Window): ReadFigures {
  const warm = openReader(folder);
  for (const block of warm.blocks('sale', { sinceMs: START_MS, untilMs: START_MS + 1 })) {
    warm.read(block);
  }
  warm.close();
  const before = process.memoryUsage.rss();
  let most = before;
  const from = performance.now();
  const reader = openReader(folder);
  let records = 0;
  for (const block of reader.blocks('sale', window)) {
    const read = reader.read(block);
    if (!read.ok) throw new Error(read.reason);
    for (const { timeMs } of read.value) {
      if (timeMs >= window.sinceMs && timeMs <= window.untilMs) records += 1;
    }
    most = Math.max(most, process.memoryUsage.rss());
  }
  reader.close();
  return { ms: performance.now() - from, records, grownBytes: most - before };
}

async function measured(folder: string, window: Window): Promise<ReadFigures> {
  const self = fileURLToPath(import.meta.url);
  const flags = ['--max-semi-space-size=1'];
  const asked = [self, folder, String(window.sinceMs), String(window.untilMs)];
  const child = spawn(process.execPath, [...flags, ...asked], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const piece of child.stdout) text += String(piece);
  return JSON.parse(text) as ReadFigures;
}

export type WindowFigures = {
  readonly rawBytes: number;
  readonly packedBytes: number;
  readonly writeMs: number;
  readonly window: ReadFigures;
  readonly all: ReadFigures;
};

/** @param rawBytes of text; 1 GB takes about half a minute and a fifth of it of disk. */
export async function measureWindow(rawBytes = GB): Promise<WindowFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'tillwatch-window-'));
  try {
    const journal = open(folder);
    const from = performance.now();
    await fill(journal, rawBytes);
    const writeMs = performance.now() - from;
    journal.close();
    await journal.settled();
    const packedBytes = bytesIn(join(folder, 'sale'));
    const sinceMs = START_MS + DAY_MS / 2;
    const window = await measured(folder, { sinceMs, untilMs: sinceMs + WINDOW_MS });
    const all = await measured(folder, { sinceMs: START_MS, untilMs: START_MS + 2 * DAY_MS });
    return { rawBytes, packedBytes, writeMs, window, all };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export type QuietFigures = {
  /** Of what was printed in a day. */
  readonly rawBytes: number;
  /** On the disk after a day. */
  readonly keptBytes: number;
  readonly appends: number;
};

/** Three components that print five lines a minute each, for a day. */
export async function measureQuiet(components = 3, linesPerMinute = 5): Promise<QuietFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'tillwatch-quiet-'));
  try {
    const journal = open(folder);
    let [rawBytes, appends] = [0, 0];
    const stepMs = 60_000 / linesPerMinute;
    for (let number = 0; number * stepMs < DAY_MS; number += 1) {
      for (let at = 0; at < components; at += 1) {
        const text = lineOf(number);
        const timeMs = START_MS + number * stepMs;
        const record = { timeMs, guessed: false, level: 'info', text, version: '1.0.0' } as const;
        const path = `/var/lib/tillwatch/log/c${at}/2026-11-23T00-00-00-000Z-4711.log`;
        const place = { path, inode: 4_711, to: number * 120 };
        await journal.append(`c${at}`, [record], [place], STAMP);
        rawBytes += text.length + 1;
        appends += 1;
      }
    }
    await journal.settled();
    const keptBytes = journal.readings().reduce((sum, { bytes }) => sum + bytes, 0);
    journal.close();
    await journal.settled();
    return { rawBytes, keptBytes, appends };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, sinceMs, untilMs] = process.argv.slice(2);
  const figures =
    folder === undefined
      ? { ...(await measureWindow()), quiet: await measureQuiet() }
      : readWindow(folder, { sinceMs: Number(sinceMs), untilMs: Number(untilMs) });
  console.log(JSON.stringify(figures));
}
