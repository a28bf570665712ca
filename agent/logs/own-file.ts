// The file under the agent's own log: each line appended whole and at once, so that a crash keeps its last words,
// and rotated by size (agent.log, agent1.log, ... the highest is the oldest). Not winston's own file transport:
// after one failed write (a full disk) it never writes again and keeps every later line in memory [winston 3.19
// transports/file.js]. Here a line that cannot be written is gone, and the next one is tried anew.

import { closeSync, fstatSync, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs';

export type LogFileLimits = {
  readonly bytesMax: number;
  /** With the one that is written. */
  readonly filesMax: number;
};
export type LogFile = { readonly write: (line: string) => void; readonly close: () => void };

export function openLogFile(path: string, { bytesMax, filesMax }: LogFileLimits): LogFile {
  let file: { readonly fd: number; bytes: number } | undefined;
  const nameOf = (age: number): string =>
    age === 0 ? path : path.replace(/(\.log)?$/, `${age}$1`);

  function close(): void {
    const open = file;
    file = undefined;
    if (open !== undefined) closeSync(open.fd);
  }

  function open(): { readonly fd: number; bytes: number } {
    const fd = openSync(path, 'a', 0o600);
    file = { fd, bytes: fstatSync(fd).size };
    return file;
  }

  function rotate(): void {
    close();
    for (let age = filesMax - 1; age > 0; age -= 1) {
      try {
        renameSync(nameOf(age - 1), nameOf(age));
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      }
    }
  }

  function append(line: Buffer): void {
    const { bytes } = file ?? open();
    if (bytes > 0 && bytes + line.length > bytesMax) rotate();
    const to = file ?? open();
    if (writeSync(to.fd, line) < line.length) {
      ftruncateSync(to.fd, to.bytes);
      throw new Error('the disk took a part of the line only');
    }
    to.bytes += line.length;
  }

  return {
    write: (line) => {
      try {
        append(Buffer.from(line));
      } catch {
        // The next line opens the file again: the disk may have room, or the file a new place.
        try {
          close();
        } catch {
          // Closing reports an earlier failed write; there is nothing left to do about it.
        }
      }
    },
    close,
  };
}
