// Waits for work, and no longer than it may take: what hangs on a disk must not hold up the end of the agent. The
// work itself goes on; only the waiting ends.

import type { Timers } from './ports.ts';

/** Never rejects: whoever does the work says what went wrong with it. */
export function within(timers: Timers, msMax: number, work: Promise<unknown>): Promise<void> {
  return new Promise((done) => {
    const cancel = timers.after(msMax, done);
    const ended = (): void => {
      cancel();
      done();
    };
    work.then(ended, ended);
  });
}
