// Requests for log records, and the chunks that answer them. Chunks are made again from the journal by
// (request, offset), so they need no place in outbox or ledger. They travel in the same envelope as
// everything else and are acknowledged by the same message, with one rule of their own: the epoch is
// the request, and seq counts its bytes, from 1, as TCP does; the end of the answer counts as one
// byte more. So an acknowledgement `1 to n` says exactly what lies on the broker's disk, stays true
// whatever process asks and however its chunks are cut, and tells an agent that was killed where to go
// on. A count of chunks would name different bytes after a restart. A chunk without bytes only tells how far
// the search is. What the bytes are stands in protocol/log-lines.ts.

import { crc32 } from 'node:zlib';
import type { Command } from './commands.ts';
import { isId, UUID_PATTERN } from './ids.ts';
import * as limits from './limits.ts';
import { fail, ok, type Result } from './result.ts';
import { bytes, decodeRaw, encodeRaw, num, text } from './wire.ts';

export type LogRequest = Extract<Command, { kind: 'logs' }>['arguments'];
export type TailRequest = Extract<Command, { kind: 'tail' }>['arguments'];

/**
 * Why an answer leaves out what was asked for: its bytes or records, its time, somebody's wish, or because what was
 * printed last is not in the journal yet.
 */
export const CUTS = ['', 'bytes', 'lines', 'time', 'cancelled', 'behind'] as const;
export type Cut = (typeof CUTS)[number];

export type LogChunk = {
  readonly request: string;
  /** Empty when lines of several are in it. */
  readonly component: string;
  readonly offset: number;
  readonly body: Uint8Array;
  /** Of the body. */
  readonly crc32: number;
  readonly last: boolean;
  readonly sha256: Uint8Array;
  /** The stamp of the redactor that the lines have passed (redact/index.ts). */
  readonly redactor: string;
  /** With the last chunk, of the whole answer. */
  readonly lines: number;
  readonly redactions: number;
  readonly truncated: boolean;
  readonly cutBy: Cut;
  readonly fromMs: number;
  /** Card data found on the way out that was missed on the way in: an incident. */
  readonly missed: number;
  /** Bytes of the journal looked through so far, of so many. */
  readonly searchedBytes: number;
  readonly searchBytes: number;
  /** Records of a live tail that were left out so far, because the line is slower than the component. */
  readonly dropped: number;
};

/** A request's id as the epoch of its chunks: a uuid is 16 bytes. */
export const epochOfRequest = (request: string): Uint8Array =>
  Buffer.from(request.replaceAll('-', ''), 'hex');

export const requestOfEpoch = (epoch: Uint8Array): string =>
  Buffer.from(epoch)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** The number of a chunk's first byte. */
export const seqOfChunk = ({ offset }: Pick<LogChunk, 'offset'>): number => offset + 1;

/** The number of the last byte that a chunk brings; the end counts as one. */
export const lastSeqOf = (chunk: {
  readonly offset: number;
  readonly body: { readonly length: number };
  readonly last: boolean;
}): number => chunk.offset + chunk.body.length + (chunk.last ? 1 : 0);

type Rare = 'cutBy' | 'missed' | 'searchedBytes' | 'searchBytes' | 'dropped';
export type NewLogChunk = Omit<LogChunk, 'crc32' | Rare> & Partial<Pick<LogChunk, Rare>>;

export const encodeLogChunk = (chunk: NewLogChunk): Uint8Array =>
  encodeRaw('LogChunk', { ...chunk, crc32: crc32(chunk.body) });

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** @param data the batch's body, unpacked. */
export function decodeLogChunk(data: Uint8Array): Result<LogChunk> {
  const decoded = decodeRaw('LogChunk', data, limits.BODY_BYTES_MAX);
  if (!decoded.ok) return decoded;
  const raw = decoded.value;
  const cutBy = CUTS.find((cut) => cut === text(raw['cutBy']));
  if (cutBy === undefined) return fail('log chunk is cut by something unknown');
  const chunk = {
    request: text(raw['request']),
    component: text(raw['component']),
    offset: num(raw['offset']),
    body: bytes(raw['body']),
    crc32: num(raw['crc32']),
    last: raw['last'] === true,
    sha256: bytes(raw['sha256']),
    redactor: text(raw['redactor']),
    lines: num(raw['lines']),
    redactions: num(raw['redactions']),
    truncated: raw['truncated'] === true,
    cutBy,
    fromMs: num(raw['fromMs']),
    missed: num(raw['missed']),
    searchedBytes: num(raw['searchedBytes']),
    searchBytes: num(raw['searchBytes']),
    dropped: num(raw['dropped']),
  };
  if (!UUID_PATTERN.test(chunk.request)) return fail('log chunk names no request');
  if (chunk.component !== '' && !isId(chunk.component)) {
    return fail('log chunk names no valid component');
  }
  const { offset, lines, redactions, fromMs, missed, searchedBytes, searchBytes, dropped } = chunk;
  const counts = [offset, lines, redactions, fromMs, missed, searchedBytes, searchBytes, dropped];
  if (!counts.every(isCount)) return fail('log chunk holds a count that is none');
  if (chunk.body.length > limits.LOG_CHUNK_RAW_BYTES_MAX) return fail('log chunk is too large');
  if (chunk.redactor.length > limits.NAME_CHARS_MAX) return fail('log chunk names no redactor');
  // Zero: an agent of before told none.
  if (chunk.crc32 !== 0 && chunk.crc32 !== crc32(chunk.body)) {
    return fail('log chunk was damaged on its way');
  }
  return ok(chunk);
}
