// Records as the bytes of a block, before they are packed: a table of the versions that printed them, then one short
// row for each record (difference of time, level, version, length), then all texts. The rows stand together and the
// texts stand together, because each packs better among its like; no text holds a line end or a quote for the sake
// of the format, so nothing is escaped and a text is read by its place. Pure.

import { isAscii } from 'node:buffer';
import type { LogLevel } from '../../../protocol/catalogue.ts';
import { fail, ok, type Result } from '../../../protocol/result.ts';
import {
  DAMAGED,
  decodeHead,
  HEAD_BYTES,
  LEVELS,
  levelBit,
  type Sum,
  unpackBody,
} from './block.ts';
import type { JournalRecord } from './types.ts';

/** One row: time, flags, version, length. */
const ROW_BYTES_MAX = 8 + 1 + 5 + 5;
const GUESSED = 8;
const LEVEL_MASK = 7;
/** Bytes of a row that every record has. */
export const ROW_BYTES_USUAL = 8;

class Writer {
  readonly bytes: Buffer;
  at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** Seven bits a byte, the lowest first; exact for every safe integer. */
  count(value: number): void {
    let left = value;
    while (left > 127) {
      this.bytes[this.at++] = (left % 128) | 128;
      left = Math.floor(left / 128);
    }
    this.bytes[this.at++] = left;
  }

  /** Small ones of either sign stay short. */
  difference(value: number): void {
    this.count(value < 0 ? -value * 2 - 1 : value * 2);
  }
}

class Reader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  count(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      if (byte === undefined || scale > Number.MAX_SAFE_INTEGER) throw new Error(DAMAGED);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }

  difference(): number {
    const value = this.count();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  text(length: number): string {
    const end = this.at + length;
    if (end > this.bytes.length) throw new Error(DAMAGED);
    const text = this.bytes.toString('utf8', this.at, end);
    this.at = end;
    return text;
  }
}

/** Nothing else fits into a row: a time that is none becomes the time before it. */
const MS_MAX = 8.64e15 / 4;
const usable = (ms: number, before: number): number =>
  Number.isFinite(ms) && Math.abs(ms) <= MS_MAX ? Math.round(ms) : before;

const levelIndex = (level: LogLevel | undefined): number => LEVELS.indexOf(level ?? 'none');

export type Encoded = { readonly raw: Uint8Array; readonly sum: Sum };

export function encodeRecords(records: readonly JournalRecord[]): Encoded {
  const versions = [...new Set(records.map(({ version }) => version))];
  const numbers = new Map(versions.map((version, number) => [version, number]));
  const table = versions.map((version) => Buffer.from(version));
  const tableBytes = table.reduce((sum, version) => sum + version.length + 5, 5);
  const lengths = records.map(({ text }) => Buffer.byteLength(text));
  const textBytes = lengths.reduce((sum, length) => sum + length, 0);
  // One buffer for all of it: in the agent every copy is memory.
  const rows = new Writer(tableBytes + records.length * ROW_BYTES_MAX + 5 + textBytes);
  rows.count(versions.length);
  for (const version of table) {
    rows.count(version.length);
    rows.at += version.copy(rows.bytes, rows.at);
  }
  rows.count(records.length);
  let before = 0;
  let [levels, firstMs, lastMs] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const [index, { timeMs, guessed, level, version }] of records.entries()) {
    const ms = usable(timeMs, before);
    rows.difference(ms - before);
    before = ms;
    rows.bytes[rows.at++] = levelIndex(level) | (guessed ? GUESSED : 0);
    rows.count(numbers.get(version) ?? 0);
    rows.count(lengths[index] ?? 0);
    levels |= levelBit(level ?? 'none');
    firstMs = Math.min(firstMs, ms);
    lastMs = Math.max(lastMs, ms);
  }
  for (const { text } of records) rows.at += rows.bytes.write(text, rows.at);
  const raw = rows.bytes.subarray(0, rows.at);
  const sum = { levels, rawBytes: raw.length, records: records.length, firstMs, lastMs };
  return { raw, sum };
}

type Texts = (length: number) => string;

/** Of letters of one byte each, which most output is, all texts are made at once and then only cut. */
function textsOf(reader: Reader): Texts {
  const rest = reader.bytes.subarray(reader.at);
  if (!isAscii(rest)) return (length) => reader.text(length);
  const all = rest.toString('latin1');
  let at = 0;
  return (length) => {
    const text = all.slice(at, at + length);
    if (text.length !== length) throw new Error(DAMAGED);
    at += length;
    return text;
  };
}

/** @throws when the bytes are none of ours, which a checksum should have told. */
function decodeRows(raw: Uint8Array): JournalRecord[] {
  const reader = new Reader(raw);
  const versions: string[] = [];
  for (let left = reader.count(); left > 0; left -= 1) versions.push(reader.text(reader.count()));
  const count = reader.count();
  // Rows first, texts behind them: read with two places at once.
  const rowsAt = reader.at;
  let textBytes = 0;
  for (let left = count; left > 0; left -= 1) {
    reader.count();
    reader.at += 1;
    reader.count();
    textBytes += reader.count();
  }
  if (reader.at + textBytes !== raw.length) throw new Error(DAMAGED);
  const text = textsOf(reader);
  const rows = new Reader(raw);
  rows.at = rowsAt;
  const records: JournalRecord[] = [];
  let timeMs = 0;
  for (let left = count; left > 0; left -= 1) {
    timeMs += rows.difference();
    const flags = rows.bytes[rows.at++] ?? 0;
    const named = LEVELS[flags & LEVEL_MASK];
    const level = named === 'none' ? undefined : named;
    const version = versions[rows.count()] ?? '';
    const guessed = (flags & GUESSED) !== 0;
    records.push({ timeMs, guessed, level, text: text(rows.count()), version });
  }
  return records;
}

export function decodeRecords(raw: Uint8Array): Result<readonly JournalRecord[]> {
  try {
    return ok(decodeRows(raw));
  } catch {
    return fail(DAMAGED);
  }
}

/** What a record takes before it is packed, at least nearly and never less than nearly all. */
export const rawBytesOf = ({ text }: JournalRecord): number =>
  Buffer.byteLength(text) + ROW_BYTES_USUAL;

/** As many pieces as are needed for none to be larger than `most`; one record is never cut. */
export function piecesOf(records: readonly JournalRecord[], most: number): JournalRecord[][] {
  const pieces: JournalRecord[][] = [[]];
  let bytes = 0;
  for (const record of records) {
    const size = rawBytesOf(record);
    if (bytes > 0 && bytes + size > most) {
      pieces.push([]);
      bytes = 0;
    }
    pieces.at(-1)?.push(record);
    bytes += size;
  }
  return pieces;
}

/** @param bytes of a whole block. */
export function readBlock(bytes: Buffer): Result<readonly JournalRecord[]> {
  const head = decodeHead(bytes);
  if (head === undefined || head.emptied) return fail(DAMAGED);
  const raw = unpackBody(head, bytes.subarray(HEAD_BYTES + head.metaBytes));
  return raw.ok ? decodeRecords(raw.value) : raw;
}
