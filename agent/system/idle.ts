// A process that gives way to everything else on the till. Whoever started it may have done so already with nice(1), which
// holds for all its threads; where there is none, and whenever it gives way further, it does so thread by thread, because
// Linux has a priority for each: V8's helpers would go on as before. Its clock and timer, because it has no
// ports.

import { readdirSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/**
 * A third of what a sale gets, and for the beginning only: at the lowest of all a busy till would not even have the
 * program loaded within a second, while somebody waits for a first line.
 */
export const HASTY = 5;
export const LOWEST: number = constants.priority.PRIORITY_LOW;

function threads(): readonly number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    // Not Linux: there it is one for all of them.
    return [0];
  }
}

/** @param priority as nice(1) counts: higher is less. Never back. */
export function giveWay(priority: number): void {
  for (const thread of threads()) {
    try {
      if (getPriority(thread) < priority) setPriority(thread, priority);
    } catch {
      // Not allowed here, or it has just ended: then it is one among others.
    }
  }
}

/** Does not keep the process. */
export function later(ms: number, run: () => void): void {
  setTimeout(run, ms).unref();
}

export const monotonicMs = (): number => performance.now();
