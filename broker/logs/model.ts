// One request for logs as the broker keeps it, and what a chunk does to it. Pure. The answer is one row of
// bytes: a chunk is held, partly new or new by its offset alone, so copies, other cuts after a restart of
// either side, and resends change nothing. What cannot be right ends the request with a sentence.

import { unpackBody } from '../../protocol/body.ts';
import type { LogLevel } from '../../protocol/catalogue.ts';
import {
  type Cut,
  decodeLogChunk,
  type LogChunk,
  requestOfEpoch,
  seqOfChunk,
} from '../../protocol/logs.ts';
import type { Batch } from '../../protocol/wire.ts';
import { isStamp } from '../../redact/index.ts';

/** Requests and their answers kept; the oldest that has ended goes first. */
export const REQUESTS_KEPT_MAX = 200;

/** `incident`: lines that the broker asked for by itself, of a component that failed (automatic.ts). */
export const LOG_KINDS = ['lines', 'diagnosis', 'tail', 'incident'] as const;
export type LogKind = (typeof LOG_KINDS)[number];

/** Which records are asked for; what is absent does not matter. */
export type LogFilters = {
  readonly level?: LogLevel | undefined;
  readonly text?: string | undefined;
  readonly pattern?: string | undefined;
  readonly last?: number | undefined;
  readonly context?: number | undefined;
  readonly searchMs?: number | undefined;
  /** Of a live tail: how long, and what its components log meanwhile. */
  readonly forMs?: number | undefined;
  readonly raise?: LogLevel | undefined;
};

/** Somebody wants it no more; its terminal may still have to hear of it. */
export type Cancelled = {
  readonly by: string;
  readonly reason: string;
  readonly atMs: number;
  /** Of the command that tells the terminal; empty where it need not be told. */
  readonly command: string;
};

export type LogRecord = LogFilters & {
  readonly id: string;
  /** A diagnosis is one document, packed; absent in records of an earlier broker, which asked for lines only. */
  readonly what?: LogKind;
  readonly terminal: string;
  readonly command: string;
  readonly operator: string;
  readonly reason: string;
  /** Requests that were made as one, of several terminals. */
  readonly group?: string | undefined;
  /** Whose last lines they are. */
  readonly incident?: string | undefined;
  readonly components: readonly string[];
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly bytesMax: number;
  readonly createdMs: number;
  readonly expiresMs: number;
  /** `open` is also one whose command has ended without an answer; its view says that. */
  readonly state: 'open' | 'complete' | 'failed' | 'cancelled';
  readonly cancelled?: Cancelled | undefined;
  /** On disk: what is acknowledged. */
  readonly bytes: number;
  /** Records: one may go on over several lines (protocol/log-lines.ts). */
  readonly lines: number;
  /** It ends within a line, for now: what comes next begins no record. */
  readonly isHalfLine?: boolean;
  readonly error: string;
  readonly changedMs: number;
  readonly redactor: string;
  /** Of an answer whose end has come: of what lies here. */
  readonly sha256: string;
  readonly redactions: number;
  readonly truncated: boolean;
  readonly fromMs: number;
  /** How far the search is; absent before the first word of it. */
  readonly searchedBytes?: number;
  readonly searchBytes?: number;
  readonly dropped?: number;
  readonly cutBy?: Cut;
  /** Card data that the terminal found on its way out. */
  readonly missed?: number;
  /** The same, found here, where it should never be; and up to which byte was looked (check.ts). */
  readonly masked?: number;
  readonly checked?: number;
  /** When its lines were deleted because they were old or there was no room; what it was stays known. */
  readonly goneMs?: number | undefined;
};

export type Judged =
  /** `ends`: the request fails with it. */
  | { readonly kind: 'refused'; readonly reason: string; readonly ends: boolean }
  /** Something before it has not arrived: it is sent again. */
  | { readonly kind: 'ahead' }
  /** Nothing of it is new but how far the search is. */
  | { readonly kind: 'held'; readonly chunk?: LogChunk }
  | { readonly kind: 'append'; readonly bytes: Uint8Array; readonly chunk: LogChunk };

const refuse = (reason: string, ends = true): Judged => ({ kind: 'refused', reason, ends });

/** What an acknowledgement may name: every byte, and one more for the end. */
export const heldSeq = ({ bytes, sha256 }: LogRecord): number => bytes + (sha256 === '' ? 0 : 1);

const isOver = ({ state }: LogRecord): boolean => state !== 'open';

function readChunk(record: LogRecord, batch: Batch): LogChunk | string {
  const body = unpackBody(batch);
  if (!body.ok) return body.reason;
  const chunk = decodeLogChunk(body.value);
  if (!chunk.ok) return chunk.reason;
  const { request, redactor } = chunk.value;
  if (request !== record.id || request !== requestOfEpoch(batch.epoch)) {
    return 'a chunk names another request than its envelope';
  }
  if (seqOfChunk(chunk.value) !== batch.seq) return 'a chunk is numbered wrongly';
  if (!isStamp(redactor)) return 'the lines carry no mark of a redactor';
  if (record.redactor !== '' && record.redactor !== redactor) {
    return 'the lines come from two different redactors: ask again';
  }
  return chunk.value;
}

/** @param terminal whose session the batch came in. */
export function judgeChunk(record: LogRecord | undefined, terminal: string, batch: Batch): Judged {
  if (record === undefined || record.terminal !== terminal) {
    return refuse('nobody asks this terminal for these logs', false);
  }
  // Its end has come already: a copy changes nothing.
  if (record.sha256 !== '') return { kind: 'held' };
  if (isOver(record)) return refuse(record.error, false);
  const chunk = readChunk(record, batch);
  if (typeof chunk === 'string') return refuse(`${chunk}: nothing of it is kept`);
  const end = chunk.offset + chunk.body.length;
  if (chunk.offset > record.bytes) return { kind: 'ahead' };
  if (end > record.bytesMax) {
    return refuse(`the answer is larger than the ${record.bytesMax} bytes that were asked for`);
  }
  if (end <= record.bytes && !(chunk.last && end === record.bytes)) return { kind: 'held', chunk };
  return { kind: 'append', bytes: chunk.body.subarray(record.bytes - chunk.offset), chunk };
}

const NEWLINE = 10;
const TAB = 9;

/** How many records begin in it: a line that begins with a tab goes on with the one before. */
function countRecords(bytes: Uint8Array, isHalfLine: boolean): number {
  const begins = (at: number): number => (at < bytes.length && bytes[at] !== TAB ? 1 : 0);
  let records = isHalfLine ? 0 : begins(0);
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) {
    records += begins(at + 1);
  }
  return records;
}

function counted(record: LogRecord, bytes: Uint8Array): Pick<LogRecord, 'lines' | 'isHalfLine'> {
  const { what, lines, isHalfLine = false } = record;
  if (what === 'diagnosis' || bytes.length === 0) return { lines, isHalfLine };
  return {
    lines: lines + countRecords(bytes, isHalfLine),
    isHalfLine: bytes.at(-1) !== NEWLINE,
  };
}

/** A word about the search may come twice or late: it only ever goes on. */
export function progressed(record: LogRecord, chunk: LogChunk): LogRecord {
  const { searchedBytes = 0, searchBytes = 0, dropped = 0, missed = 0 } = record;
  const isNews =
    chunk.searchedBytes > searchedBytes ||
    chunk.searchBytes > searchBytes ||
    chunk.dropped > dropped ||
    chunk.missed > missed;
  if (!isNews) return record;
  return {
    ...record,
    searchedBytes: Math.max(searchedBytes, chunk.searchedBytes),
    searchBytes: Math.max(searchBytes, chunk.searchBytes),
    dropped: Math.max(dropped, chunk.dropped),
    missed: Math.max(missed, chunk.missed),
  };
}

/**
 * @param digest of everything up to and with `bytes`, as it lies here. What was masked here differs from what was
 * sent, and only the checksums of its chunks say that it arrived whole.
 */
export function extend(
  record: LogRecord,
  { bytes, chunk }: Extract<Judged, { kind: 'append' }>,
  digest: () => Buffer,
  now: number,
): LogRecord {
  const grown = {
    ...progressed(record, chunk),
    bytes: record.bytes + bytes.length,
    ...counted(record, bytes),
    redactor: chunk.redactor,
    changedMs: now,
  };
  if (!chunk.last) return grown;
  const sha256 = digest();
  if ((record.masked ?? 0) === 0 && Buffer.compare(sha256, chunk.sha256) !== 0) {
    return failed(grown, 'what arrived is not what was sent: the digests differ', now);
  }
  const { redactions, truncated, cutBy, fromMs } = chunk;
  const facts = { redactions, truncated, cutBy, fromMs, sha256: sha256.toString('hex') };
  const ended = { ...grown, ...facts };
  const { cancelled } = record;
  return cutBy === 'cancelled' && cancelled !== undefined
    ? { ...ended, state: 'cancelled', error: cancelledBy(cancelled) }
    : { ...ended, state: 'complete' };
}

export const failed = (record: LogRecord, error: string, now: number): LogRecord => ({
  ...record,
  state: 'failed',
  error,
  changedMs: now,
});

export const cancelledBy = ({ by, reason }: Cancelled): string => `cancelled by ${by}: ${reason}`;

/** What has arrived stays. */
export const cancelledNow = (record: LogRecord, cancelled: Cancelled, now: number): LogRecord => ({
  ...record,
  ...{ state: 'cancelled', cancelled, error: cancelledBy(cancelled), changedMs: now },
});
