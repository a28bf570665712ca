// What the agent asks of the process that searches, and what it hears from it. Both are of one version and start each
// other, so only what a disk has kept (the plan) is looked at closely.

import type { Counts, Rules } from '../../../redact/index.ts';
import type { Totals } from './answer.ts';
import type { Plan, Wish } from './plan.ts';

/** How far the sender is: chunks that may have been made since the job began, and what the broker has. */
export type Go = { readonly chunks: number; readonly fromByte: number };

export type Job = Go & {
  /** Of the journal. */
  readonly folder: string;
  readonly request: string;
  /** Of all records, where it is one. */
  readonly component: string;
  readonly wish: Wish;
  /** What is added to the terminal's clock. */
  readonly offsetMs: number;
  /** The broker's time when the job began. */
  readonly nowMs: number;
  /** Undefined: it is to be made. */
  readonly plan: Plan | undefined;
  /** The operator's. */
  readonly rules: Rules;
};

export type End = {
  readonly totals: Totals;
  readonly sha256: string;
  /** What was taken out on the way out, by kind; of that, what the way in should have. */
  readonly redactions: Counts;
  readonly missed: Counts;
};

export type Progress = { readonly searchedBytes: number; readonly searchBytes: number };

/** Of a chunk, before its bytes: the numbers of its first and last byte, and whether it is the last. */
export const CHUNK_HEAD_BYTES = 17;

export function encodeChunkHead(seq: number, lastSeq: number, isLast: boolean): Buffer {
  const head = Buffer.alloc(CHUNK_HEAD_BYTES);
  head.writeDoubleLE(seq, 0);
  head.writeDoubleLE(lastSeq, 8);
  head.writeUInt8(isLast ? 1 : 0, 16);
  return head;
}

export const decodeChunk = (body: Buffer) => ({
  seq: body.readDoubleLE(0),
  lastSeq: body.readDoubleLE(8),
  isLast: body.readUInt8(16) === 1,
  bytes: Buffer.from(body.subarray(CHUNK_HEAD_BYTES)),
});
