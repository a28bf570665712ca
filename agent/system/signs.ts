// The two files by which others see that the agent sweeps: the kernel's watchdog device and, for a respawner
// without systemd, a small file in the run directory. Both are written in place, because a full disk must not
// look like an agent that hangs: no new block is needed once the file is there. Every answer is a value.

import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { codeOf } from './files.ts';

export type WatchdogDevice = {
  readonly feed: () => Result<void>;
  /** Disarms it where the kernel allows that (nowayout): a machine whose agent was ended must not reboot. */
  readonly disarm: () => Result<void>;
};

const attempt = <T>(what: string, run: () => T): Result<T> => {
  try {
    return ok(run());
  } catch (error) {
    return fail(`${what}: ${codeOf(error)}`);
  }
};

/**
 * Opening arms it, every write but 'V' feeds it, and 'V' before closing disarms it; closed without, as by a
 * crash, it goes on counting [watchdog-api.rst]. O_NONBLOCK: a FIFO in its place must not stop the agent.
 */
export function openWatchdogDevice(path: string): Result<WatchdogDevice> {
  const opened = attempt(`the watchdog device ${path} cannot be opened`, () =>
    openSync(path, constants.O_WRONLY | constants.O_NONBLOCK),
  );
  if (!opened.ok) return opened;
  const write = (text: string): Result<void> =>
    attempt(`the watchdog device ${path} cannot be written`, () => {
      writeSync(opened.value, text);
    });
  return ok({
    feed: () => write('.'),
    disarm: () => {
      const written = write('V');
      const closed = attempt(`the watchdog device ${path} cannot be closed`, () =>
        closeSync(opened.value),
      );
      return written.ok ? closed : written;
    },
  });
}

/** Of constant length, so that it can be written over itself. */
const lineOf = (pid: number, sweeps: number): string =>
  `${String(pid).padStart(10, '0')} ${String(sweeps).padStart(16, '0')}\n`;

export function writeSweep(path: string, pid: number, sweeps: number): Result<void> {
  return attempt(`cannot write ${path}`, () => {
    // Not held open: whoever cleans the folder would make every later write one that nobody sees.
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o644);
    try {
      writeSync(file, lineOf(pid, sweeps), 0);
    } finally {
      closeSync(file);
    }
  });
}
