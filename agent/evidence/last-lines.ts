// The last lines of a component's output, for evidence. Read in the background, because the output is on a disk and
// a disk can hang, which is one of the things that evidence is collected about; who waits gives up by time.
// After a plain crash, when nothing may be waited for, launch.ts reads them at once (what was just written
// is still in memory).

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { lastLines } from '../watchdog/evidence.ts';

export const FULL_LINES_MAX = 200;
export const FULL_LINES_BYTES_MAX = 32 * 1024;

/** Redacted; none when it cannot be read. */
export async function readLastLines(path: string): Promise<string[]> {
  if (path === '') return [];
  try {
    // O_NONBLOCK: a FIFO of that name must not keep a thread of the pool [fifo(7)].
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = await file.stat();
      const from = Math.max(0, size - FULL_LINES_BYTES_MAX);
      const { buffer, bytesRead } = await file.read({
        buffer: Buffer.allocUnsafe(Math.min(size, FULL_LINES_BYTES_MAX)),
        position: from,
      });
      const text = buffer.toString('utf8', 0, bytesRead);
      return lastLines(text, { linesMax: FULL_LINES_MAX, isCut: from > 0 });
    } finally {
      await file.close();
    }
  } catch {
    return [];
  }
}
