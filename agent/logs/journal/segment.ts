// A segment of the journal as a file: a head of its own, then blocks one behind the other, then, when it is closed, one
// head that sums all of them up. Reads only, at once and a few KB at a time: for the start of the agent, and for
// whoever searches in a process of its own. Where no block begins any more (bits that flipped, a write that was
// torn) it looks for the next one that proves itself by its checksum, so that one bad place costs one block.

import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { READ_PLAIN } from '../holes.ts';
import { blockBytes, decodeHead, HEAD_BYTES, type Head, MAGIC_BYTES } from './block.ts';

export const SEGMENT_HEAD_BYTES = 16;
const MAGIC = 0x47535754; // "TWSG"
const VERSION = 1;
/** One read: several heads of small blocks, one of a large one. */
const READ_BYTES = 4096;
const SEEK_BYTES = 64 * 1024;

export const segmentName = (number: number): string => `${String(number).padStart(8, '0')}.seg`;

export function numberOf(name: string): number | undefined {
  const [, digits] = /^(\d{8,12})\.seg$/.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** @param replaces the segment whose blocks it holds, packed better; 0: none. */
export function encodeSegmentHead(replaces: number): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt8(VERSION, 4);
  bytes.writeUInt32LE(replaces, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  return bytes;
}

export function decodeReplaces(bytes: Buffer): number {
  const isOurs =
    bytes.length >= SEGMENT_HEAD_BYTES &&
    bytes.readUInt32LE(0) === MAGIC &&
    bytes.readUInt32LE(12) === crc32(bytes.subarray(0, 12));
  return isOurs ? bytes.readUInt32LE(8) : 0;
}

export type Found =
  | { readonly kind: 'block'; readonly at: number; readonly head: Head }
  /** No block begins here; `to` is where the next one does, or the end. */
  | { readonly kind: 'gap'; readonly at: number; readonly to: number };

/** Some bytes of a file, kept while they are asked for again. */
export class Bytes {
  readonly #file: number;
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES);
  #scratch = Buffer.alloc(0);
  #from = 0;
  #length = 0;

  constructor(file: number) {
    this.#file = file;
  }

  size(): number {
    return fstatSync(this.#file).size;
  }

  head(at: number): Head | undefined {
    if (at < this.#from || at + HEAD_BYTES > this.#from + this.#length) {
      this.#length = readSync(this.#file, this.#buffer, 0, READ_BYTES, at);
      this.#from = at;
    }
    return decodeHead(this.#buffer.subarray(0, this.#length), at - this.#from);
  }

  /** Less where the file ends. Good until the next read: a search of hours leaves no rubbish behind. */
  read(at: number, length: number): Buffer {
    if (at >= this.#from && at + length <= this.#from + this.#length) {
      return this.#buffer.subarray(at - this.#from, at - this.#from + length);
    }
    if (this.#scratch.length < length) this.#scratch = Buffer.allocUnsafeSlow(length);
    const bytes = this.#scratch.subarray(0, length);
    let filled = 0;
    while (filled < length) {
      const count = readSync(this.#file, bytes, filled, length - filled, at + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  }

  /** Where the next head begins that its checksum proves. */
  seek(from: number, size: number): number {
    let at = from;
    while (at + HEAD_BYTES <= size) {
      const bytes = this.read(at, SEEK_BYTES);
      for (let next = 0; ; next += 1) {
        next = bytes.indexOf(MAGIC_BYTES, next);
        if (next < 0) break;
        if (this.head(at + next) !== undefined) return at + next;
      }
      // A magic may lie across the end of what was read.
      at += Math.max(1, bytes.length - MAGIC_BYTES.length + 1);
    }
    return size;
  }
}

/** All that lies in a segment by heads alone, in its order. A block that is not whole yet is none. */
export function* scan(bytes: Bytes, size: number): Generator<Found, undefined, undefined> {
  let at = SEGMENT_HEAD_BYTES;
  while (at < size) {
    const head = bytes.head(at);
    const end = head === undefined ? undefined : at + blockBytes(head);
    if (head !== undefined && end !== undefined && end <= size) {
      yield { kind: 'block', at, head };
      at = end;
      continue;
    }
    const to = bytes.seek(at + 1, size);
    yield { kind: 'gap', at, to };
    at = to;
  }
  return undefined;
}

/** The head that sums a closed segment up. */
export function endOf(bytes: Bytes, size: number): Head | undefined {
  const head = size < SEGMENT_HEAD_BYTES + HEAD_BYTES ? undefined : bytes.head(size - HEAD_BYTES);
  return head?.ends === true ? head : undefined;
}

/** @returns undefined when it is not there, or not a plain file. */
export function openSegment(path: string): number | undefined {
  try {
    return openSync(path, READ_PLAIN);
  } catch {
    return undefined;
  }
}

export function replacesOf(path: string): number {
  const file = openSegment(path);
  if (file === undefined) return 0;
  try {
    return decodeReplaces(new Bytes(file).read(0, SEGMENT_HEAD_BYTES));
  } catch {
    return 0;
  } finally {
    closeSync(file);
  }
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Numbers of a folder's segments, the oldest first. */
export const segmentsIn = (folder: string): number[] =>
  namesIn(folder)
    .map(numberOf)
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
