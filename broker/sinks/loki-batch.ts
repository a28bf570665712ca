// Reads the next entries of one answer from its file: whole records only, at most BATCH_BYTES of text, from where the
// last batch ended. The newest record of an answer that still grows is whole when another begins. What is no record, or
// was not stamped by a redactor that is known, is buried and not sent.

import { closeSync, openSync, readSync } from 'node:fs';
import { createSplitter, parseRecord } from '../../protocol/log-lines.ts';
import { type Entry, entryOf, type Origin } from './loki-entries.ts';
import type { Buried } from './types.ts';

/** Loki takes 4 MB of a request, and 4 MB a second of a tenant. */
export const BATCH_BYTES = 1024 * 1024;
/** A record that is longer is taken in pieces: no terminal sends such a one. */
const RECORD_BYTES_MAX = 4 * BATCH_BYTES;

export type Part = {
  readonly entries: readonly Entry[];
  readonly buried: readonly Buried[];
  /** Where the next one begins. */
  readonly until: number;
};
export type ReadPart = Part | 'gone' | 'nothing';

function readBytes(path: string, from: number, bytes: number): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const buffer = Buffer.allocUnsafe(bytes);
    let held = 0;
    while (held < bytes) {
      const count = readSync(file, buffer, held, bytes - held, from + held);
      if (count === 0) break;
      held += count;
    }
    return buffer.subarray(0, held);
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function partOf(bytes: Buffer, from: number, origin: Origin, isEnd: boolean): Part {
  const splitter = createSplitter(from);
  const whole = splitter.push(bytes);
  const rest = splitter.end();
  const records = isEnd ? [...whole, ...rest] : whole;
  const entries: Entry[] = [];
  let unreadable = 0;
  let sample = '';
  for (const { offset, lines } of records) {
    const record = parseRecord(lines);
    if (record !== undefined) entries.push(entryOf(origin, record, offset));
    else if (lines !== '') {
      unreadable += 1;
      sample = lines.slice(0, 80);
    }
  }
  const sentence = 'what a terminal sent is no record of logs';
  const bad = { terminal: origin.terminal, reason: 'unreadable', sentence, count: unreadable };
  return {
    entries,
    buried: unreadable === 0 ? [] : [{ ...bad, sample }],
    until: isEnd ? from + bytes.length : (rest[0]?.offset ?? from + bytes.length),
  };
}

/** @param to everything before it counts. @param ended nothing more comes. */
export function readPart(
  path: string,
  origin: Origin,
  from: number,
  to: number,
  ended: boolean,
): ReadPart {
  for (let wanted = BATCH_BYTES; ; wanted *= 2) {
    const length = Math.min(wanted, to - from);
    const bytes = length <= 0 ? undefined : readBytes(path, from, length);
    if (length <= 0) return 'nothing';
    if (bytes === undefined || bytes.length < length) return 'gone';
    const reachesEnd = from + length === to;
    const isForced = length >= RECORD_BYTES_MAX;
    const part = partOf(bytes, from, origin, (ended && reachesEnd) || isForced);
    if (part.until > from) return part;
    if (reachesEnd) return 'nothing';
  }
}
