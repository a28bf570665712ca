// A witness beside the outbox's file: how many transactions were committed, and the highest number taken of
// each stream. A disk that lied about its cache, a bit that flipped in the log, a copy put back: the file is
// sound then and only older than it was, and numbers would be used again for other bytes. The mark shows it.
// Written after each commit and never synced: it costs no flush, and where it is lost together with the log
// the broker refuses the number (protocol/wire.ts, CONFLICT_REASON), which outbox.ts answers with another one.

import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { STREAMS, type Stream } from '../../protocol/wire.ts';

export type MarkContent = {
  readonly epoch: string;
  readonly commits: number;
  readonly timeMs: number;
  readonly lanes: ReadonlyMap<Stream, number>;
};
export type Mark = {
  readonly write: (content: MarkContent) => void;
  readonly close: () => void;
};

/** Shorter contents are filled up, so that an old end never stays behind a new beginning. */
const MARK_BYTES = 256;

/** The mark as it was left; undefined when there is none that is whole. */
export function readMark(path: string): MarkContent | undefined {
  try {
    const [crc, epoch = '', commits, timeMs, ...seqs] = readFileSync(path, 'latin1').split(' ');
    const rest = [epoch, commits, timeMs, ...seqs].join(' ').trimEnd();
    if (String(crc32(rest)) !== crc) return undefined;
    const lanes = new Map(STREAMS.map((stream, index) => [stream, Number(seqs[index] ?? 0)]));
    return { epoch, commits: Number(commits), timeMs: Number(timeMs), lanes };
  } catch {
    return undefined;
  }
}

/** Never throws: without a mark the outbox works as before, only with one witness less. */
export function openMark(path: string): Mark {
  let file: number | undefined;
  const close = (): void => {
    const open = file;
    file = undefined;
    if (open === undefined) return;
    try {
      closeSync(open);
    } catch {
      // It was not worth more.
    }
  };
  return {
    write: ({ epoch, commits, timeMs, lanes }) => {
      const seqs = STREAMS.map((stream) => lanes.get(stream) ?? 0);
      const rest = [epoch, commits, Math.round(timeMs), ...seqs].join(' ');
      try {
        file ??= openSync(path, constants.O_WRONLY | constants.O_CREAT);
        const bytes = Buffer.from(`${crc32(rest)} ${rest}`.padEnd(MARK_BYTES), 'latin1');
        writeSync(file, bytes, 0, MARK_BYTES, 0);
      } catch {
        close();
      }
    },
    close,
  };
}
