// Cuts a byte stream into lines of a bounded length; both ends of the component channel read with it.
// It works on bytes and decodes whole lines only, so that a character cut in two by the socket stays
// whole. Not node:readline: that has no limit, and one line without an end would fill the memory.

export type LineReader = {
  /** @returns false once a line was longer than allowed; nothing more is read after that. */
  readonly push: (chunk: Buffer) => boolean;
};

const NEWLINE = 0x0a;

/** @param onLine gets each line without its end; return false to stop reading. */
export function createLineReader(
  lineBytesMax: number,
  onLine: (line: string) => boolean,
): LineReader {
  let rest: Buffer = Buffer.alloc(0);
  let open = true;
  const push = (chunk: Buffer): boolean => {
    if (!open) return false;
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (;;) {
      const end = data.indexOf(NEWLINE, from);
      if (end === -1 || end - from > lineBytesMax) break;
      const line = data.toString('utf8', from, end);
      from = end + 1;
      open = onLine(line);
      if (!open) return true;
    }
    const next = data.indexOf(NEWLINE, from);
    open = (next === -1 ? data.length : next) - from <= lineBytesMax;
    // Copied: a slice would keep the socket's whole 64 KiB block alive for a few bytes.
    rest = open ? Buffer.from(data.subarray(from)) : Buffer.alloc(0);
    return open;
  };
  return { push };
}
