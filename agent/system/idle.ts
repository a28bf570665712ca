// A process that gives way to everything else on the till: whoever started it may have done so already with nice(1), which
// holds for all its threads; where there is none it does what it can for itself. Its clock, because it has no ports.

import { constants, getPriority, setPriority } from 'node:os';

export function giveWay(): void {
  try {
    if (getPriority() < constants.priority.PRIORITY_LOW)
      setPriority(constants.priority.PRIORITY_LOW);
  } catch {
    // Not allowed here: then it is one process among others.
  }
}

export const monotonicMs = (): number => performance.now();
