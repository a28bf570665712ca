// One request for logs as the broker keeps it, and what a chunk does to it. Pure. The answer is one row of
// bytes: a chunk is held, partly new or new by its offset alone, so copies, other cuts after a restart of
// either side, and resends change nothing. What cannot be right ends the request with a sentence.

import { unpackBody } from '../../protocol/body.ts';
import { decodeLogChunk, type LogChunk, requestOfEpoch, seqOfChunk } from '../../protocol/logs.ts';
import type { Batch } from '../../protocol/wire.ts';

/** Requests and their answers kept; the oldest that has ended goes first. */
export const REQUESTS_KEPT_MAX = 200;

export type LogRecord = {
  readonly id: string;
  /** A diagnosis is one document, packed; absent in records of an earlier broker, which asked for lines only. */
  readonly what?: 'lines' | 'diagnosis';
  readonly terminal: string;
  readonly command: string;
  readonly operator: string;
  readonly reason: string;
  readonly components: readonly string[];
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly bytesMax: number;
  readonly createdMs: number;
  readonly expiresMs: number;
  /** `open` is also one whose command has ended without an answer; its view says that. */
  readonly state: 'open' | 'complete' | 'failed';
  /** On disk: what is acknowledged. */
  readonly bytes: number;
  readonly lines: number;
  readonly error: string;
  readonly changedMs: number;
  readonly redactor: string;
  /** Of a complete answer. */
  readonly sha256: string;
  readonly redactions: number;
  readonly truncated: boolean;
  readonly fromMs: number;
  /** When its lines were deleted because they were old or there was no room; what it was stays known. */
  readonly goneMs?: number | undefined;
};

/** A redactor that we know; nothing else is let in (PCI DSS 3.5.1; research/pos.md 9, R1). */
const REDACTOR = /^tillwatch-redact\/\d{1,4}$/;

export type Judged =
  /** `ends`: the request fails with it. */
  | { readonly kind: 'refused'; readonly reason: string; readonly ends: boolean }
  /** Something before it has not arrived: it is sent again. */
  | { readonly kind: 'ahead' }
  | { readonly kind: 'held' }
  | { readonly kind: 'append'; readonly bytes: Uint8Array; readonly chunk: LogChunk };

const refuse = (reason: string, ends = true): Judged => ({ kind: 'refused', reason, ends });

/** What an acknowledgement may name: every byte, and one more for the end. */
export const heldSeq = ({ bytes, state }: LogRecord): number =>
  bytes + (state === 'complete' ? 1 : 0);

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
  if (!REDACTOR.test(redactor)) return 'the lines carry no mark of a redactor';
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
  if (record.state === 'failed') return refuse(record.error, false);
  if (record.state === 'complete') return { kind: 'held' };
  const chunk = readChunk(record, batch);
  if (typeof chunk === 'string') return refuse(`${chunk}: nothing of it is kept`);
  const end = chunk.offset + chunk.body.length;
  if (chunk.offset > record.bytes) return { kind: 'ahead' };
  if (end > record.bytesMax) {
    return refuse(`the answer is larger than the ${record.bytesMax} bytes that were asked for`);
  }
  if (end <= record.bytes && !(chunk.last && end === record.bytes)) return { kind: 'held' };
  return { kind: 'append', bytes: chunk.body.subarray(record.bytes - chunk.offset), chunk };
}

export function countLines(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines += 1;
  return lines;
}

/** @param digest of everything up to and with `bytes`. */
export function extend(
  record: LogRecord,
  { bytes, chunk }: Extract<Judged, { kind: 'append' }>,
  digest: () => Buffer,
  now: number,
): LogRecord {
  const grown = {
    ...record,
    bytes: record.bytes + bytes.length,
    lines: record.what === 'diagnosis' ? 0 : record.lines + countLines(bytes),
    redactor: chunk.redactor,
    changedMs: now,
  };
  if (!chunk.last) return grown;
  const sha256 = digest();
  if (Buffer.compare(sha256, chunk.sha256) !== 0) {
    return failed(grown, 'what arrived is not what was sent: the digests differ', now);
  }
  const { redactions, truncated, fromMs } = chunk;
  const facts = { redactions, truncated, fromMs, sha256: sha256.toString('hex') };
  return { ...grown, ...facts, state: 'complete' };
}

export const failed = (record: LogRecord, error: string, now: number): LogRecord => ({
  ...record,
  state: 'failed',
  error,
  changedMs: now,
});
