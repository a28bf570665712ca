// Takes a piece of output apart into lines, each with the bytes that it takes in the file, so that whoever reads can
// stop after any line and go on there. Pure. What was freed in the file reads as nulls (logs/holes.ts): those are
// nobody's words, and are told as bytes that were not read.

export type CountedLine = {
  /** Empty where there is nothing to match. */
  readonly text: string;
  /** In the file, its end included. */
  readonly bytes: number;
  readonly unread: number;
};
export type Lines = { readonly bytes: number; readonly lines: readonly CountedLine[] };

/** Of a line, as much is matched: the rest is not worth what a slow pattern would cost. */
export const LINE_BYTES_MAX = 1_000;
const LINE_END = 10;

function nullsIn(chunk: Uint8Array, from: number, to: number): number {
  if (!chunk.subarray(from, to).includes(0)) return 0;
  let nulls = 0;
  for (let at = from; at < to; at += 1) if (chunk[at] === 0) nulls += 1;
  return nulls;
}

/** @returns where the first byte is that is no null. */
function skipNulls(chunk: Uint8Array): number {
  let at = 0;
  while (at < chunk.length && chunk[at] === 0) at += 1;
  return at;
}

/**
 * @param isEnd nothing will follow: the last line needs no end.
 * @param isStuck it is as long as it can be: without a line end in it, it is one line too long to be read.
 */
export function linesOf(
  chunk: Uint8Array,
  { isEnd, isStuck }: { readonly isEnd: boolean; readonly isStuck: boolean },
): Lines {
  const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const lines: CountedLine[] = [];
  let from = skipNulls(chunk);
  if (from > 0) lines.push({ text: '', bytes: from, unread: from });
  while (from < buffer.length) {
    const end = buffer.indexOf(LINE_END, from);
    if (end < 0 && !isEnd) break;
    const to = end < 0 ? buffer.length : end;
    const nulls = nullsIn(chunk, from, to);
    const text = buffer.toString('utf8', from, Math.min(to, from + LINE_BYTES_MAX + nulls));
    const bytes = (end < 0 ? to : end + 1) - from;
    lines.push({ text: text.replaceAll('\0', '').replace(/\r$/, ''), bytes, unread: nulls });
    from += bytes;
  }
  const isTooLong = isStuck && lines.length === 0;
  if (isTooLong) lines.push({ text: '', bytes: chunk.length, unread: chunk.length });
  return { bytes: lines.reduce((sum, { bytes }) => sum + bytes, 0), lines };
}
