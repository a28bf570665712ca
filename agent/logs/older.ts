// What of a log is older than a moment: the byte at which that moment begins, found in slices because a journal can be
// large and the agent has hangs to judge meanwhile; and the agent's own log, whose closed files go as a whole.

import { closeSync, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import type { Clock, Timers } from '../ports.ts';
import { type Range, READ_PLAIN } from './holes.ts';
import { findTime, firstTime, type Opened } from './search.ts';
import { runFor, type Steps } from './steps.ts';

/** As log requests are searched (planning.ts). */
const SLICE_MS = 4;
/** Of the agent's own log: agent1.log and so on (own-file.ts). */
const OWN_FILES_MAX = 9;

export type OlderPorts = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Pick<Timers, 'after'>;
};

function* olderSteps(opened: Opened, modifiedMs: number, timeMs: number): Steps<number> {
  const first = yield* firstTime(opened);
  // No line says when it was printed: only the file as a whole can be old.
  if (first === undefined) return modifiedMs < timeMs ? opened.size : 0;
  return first.timeMs >= timeMs ? 0 : yield* findTime(opened, timeMs);
}

/** @returns the start of the first line of that time or later; 0 when the file cannot be read. */
export async function olderThan(
  path: string,
  holes: readonly Range[],
  timeMs: number,
  { clock, timers }: OlderPorts,
): Promise<number> {
  let file: number;
  try {
    file = openSync(path, READ_PLAIN);
  } catch {
    return 0;
  }
  try {
    const { size, mtimeMs } = fstatSync(file);
    const steps = olderSteps({ file, size, holes }, mtimeMs, timeMs);
    for (;;) {
      const found = runFor(steps, SLICE_MS, clock.monotonicMs);
      if (found !== undefined) return found.value;
      await new Promise<void>((done) => timers.after(0, done));
    }
  } catch {
    return 0;
  } finally {
    closeSync(file);
  }
}

/** @param path of the log that is written; it stays. @returns the bytes that went. */
export function removeOwnOlder(path: string, timeMs: number): number {
  let bytes = 0;
  for (let age = 1; age <= OWN_FILES_MAX; age += 1) {
    const closed = path.replace(/(\.log)?$/, `${age}$1`);
    const stat = statSync(closed, { throwIfNoEntry: false });
    if (stat === undefined || stat.mtimeMs >= timeMs) continue;
    rmSync(closed, { force: true });
    bytes += stat.size;
  }
  return bytes;
}
