// Where received records go: a file as they came, or lines to the screen or the pipe. Records are cut out of bytes as
// they come in; a piece that the broker hands out ends with a whole record, because terminals send whole ones.

import { closeSync, fchmodSync, fstatSync, openSync, writeSync } from 'node:fs';
import { createSplitter, type LogRecord, parseRecord } from '../../protocol/log-lines.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Context } from '../context.ts';
import { plainLine, shownLines, tameLines } from '../log-lines.ts';
import { localDay } from '../when.ts';
import { offsetText, type Zone } from '../zone.ts';

export type Sink = {
  /** @returns why they cannot be kept. */
  readonly take: (bytes: Uint8Array) => string | undefined;
  /** @returns the records, where they are wanted as JSON. */
  readonly end: () => readonly LogRecord[];
};
/** What the sinks of several terminals share. */
export type Page = { day: string };

export type SinkOptions = {
  readonly isShown: boolean;
  readonly zone: Zone;
  /** Stands before each record. */
  readonly terminal?: string | undefined;
  readonly page: Page;
};

/** Logs are nobody else's business on this machine either. */
const FILE_MODE = 0o600;

export function openFileSink(path: string): Result<Sink> {
  try {
    const file = openSync(path, 'w', FILE_MODE);
    // The mode above is for a file that was not there before.
    if (fstatSync(file).isFile()) fchmodSync(file, FILE_MODE);
    const end = (): readonly LogRecord[] => {
      closeSync(file);
      return [];
    };
    const take = (bytes: Uint8Array): string | undefined => {
      try {
        // A disk that is nearly full takes a part of it and says nothing.
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
        return undefined;
      } catch (error) {
        return `--output: cannot write ${path}: ${(error as Error).message}`;
      }
    };
    return ok({ take, end });
  } catch (error) {
    return fail(`--output: cannot write ${path}: ${(error as Error).message}`);
  }
}

export function openScreenSink(context: Context, options: SinkOptions): Sink {
  const { isShown, zone, terminal, page } = options;
  const { style, print, json } = context;
  const splitter = createSplitter();
  const kept: LogRecord[] = [];
  function show(record: LogRecord): void {
    if (!isShown) {
      print(plainLine(record, { style, zone, terminal }));
      return;
    }
    const day = `${localDay(record.timeMs, zone)} ${zone ?? 'local time'}`;
    const heading = `${day} (UTC${offsetText(record.timeMs, zone)})`;
    if (heading !== page.day) print(style.bold(heading));
    page.day = heading;
    for (const line of shownLines(record, { style, zone, terminal })) print(line);
  }
  return {
    take: (bytes) => {
      for (const { lines } of [...splitter.push(bytes), ...splitter.end()]) {
        const record = parseRecord(lines);
        // Of a terminal of before, or cut: better as it is than not at all.
        if (record === undefined) {
          if (!json) print(tameLines(lines));
        } else if (json) kept.push(record);
        else show(record);
      }
      return undefined;
    },
    end: () => kept,
  };
}
