// What arrives is looked at once more before it lies on the disk: whatever a terminal's redactor missed, or an old agent
// sent, is masked byte for byte, so that offsets stay what they were sent as. It is an incident and
// is told as one. Lines are looked at whole: what a chunk leaves unfinished is looked at again with the next.

import { KINDS, openRedactStream } from '../../redact/index.ts';

/** Of a line that goes on so much is read again; a longer one is looked at in pieces. */
const CARRY_BYTES_MAX = 32 * 1024;
/** Longer than anything that is found, kept on both sides of a cut. */
const OVERLAP_BYTES = 512;
const NEWLINE = 10;
const MASK = '*'.charCodeAt(0);

export type Checked = {
  /** What was carried, and what came, with every find masked; as long as before. */
  readonly carried: Uint8Array;
  readonly bytes: Uint8Array;
  readonly hits: number;
  /** How much of both together need not be looked at again. */
  readonly done: number;
};

function redacted(bytes: Uint8Array): { readonly out: Buffer; readonly hits: number } {
  const stream = openRedactStream();
  const [whole, rest] = [stream.push(bytes), stream.end()];
  const counts = stream.counts();
  const out = rest.length === 0 ? whole : Buffer.concat([whole, rest]);
  return { out, hits: KINDS.reduce((sum, kind) => sum + counts[kind], 0) };
}

/** Masks where two texts differ: all between what they begin and end with in common. */
function maskBetween(bytes: Uint8Array, other: Uint8Array): void {
  const most = Math.min(bytes.length, other.length);
  let start = 0;
  while (start < most && bytes[start] === other[start]) start += 1;
  let same = 0;
  while (same < most - start && bytes.at(-1 - same) === other.at(-1 - same)) same += 1;
  bytes.fill(MASK, start, bytes.length - same);
}

/** One line; what is still found then leaves nothing of it. */
function maskLine(line: Uint8Array): void {
  const { out } = redacted(line);
  if (out.equals(line)) return;
  maskBetween(line, out);
  if (!redacted(line).out.equals(line)) line.fill(MASK);
}

/** @returns how much was found. */
function mask(bytes: Uint8Array): number {
  const { out, hits } = redacted(bytes);
  if (out.equals(bytes)) return 0;
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, at);
    const until = end < 0 ? bytes.length : end;
    maskLine(bytes.subarray(at, until));
    at = until + 1;
  }
  // What no line shows by itself: all of it is in doubt.
  const again = redacted(bytes).out;
  if (!again.equals(bytes)) maskBetween(bytes, again);
  return Math.max(1, hits);
}

/** @param carried what lies here already and was not looked at as a whole line. */
export function checkBytes(carried: Uint8Array, more: Uint8Array, isLast: boolean): Checked {
  // Chunks end with a line where they can: then there is nothing to join.
  const all = carried.length === 0 ? Buffer.from(more) : Buffer.concat([carried, more]);
  const lines = isLast ? all.length : all.lastIndexOf(NEWLINE) + 1;
  const isLong = all.length - lines > CARRY_BYTES_MAX;
  const hits = mask(isLong ? all : all.subarray(0, lines));
  const bytes = all.subarray(carried.length);
  const done = isLong ? all.length - OVERLAP_BYTES : lines;
  return { carried: all.subarray(0, carried.length), bytes, hits, done };
}
