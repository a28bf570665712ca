// Background work: a loop that can be woken, stopped and waited for, and the pause between attempts.
// Full jitter (a random pause between nothing and the ceiling) because after an outage every till of the
// chain retries at once, and a fixed pause would keep them in step.

import { setTimeout as delay } from 'node:timers/promises';

/** @returns false when `signal` ended the wait early. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
    return true;
  } catch {
    return false;
  }
}

/** Ceiling of the pause before attempt `attempt` (from 0): doubles from `minMs`, at most `maxMs`. */
export const backoffCeilingMs = (attempt: number, minMs: number, maxMs: number): number =>
  Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));

export const fullJitterMs = (ceilingMs: number, random: () => number = Math.random): number =>
  Math.floor(random() * ceilingMs);

export type Loop = {
  /** Something is to be done: the present pause ends. */
  readonly wake: () => void;
  /** Ends the loop; resolves when its last turn is over. */
  readonly stop: () => Promise<void>;
};

/**
 * Runs `turn` again and again; it says how long to pause. A turn that throws is a bug of ours and is
 * left to the process: a component that cannot do its work must crash and be started again.
 */
export function startLoop(turn: (signal: AbortSignal) => Promise<number>): Loop {
  const ending = new AbortController();
  let pause: AbortController | undefined;
  let woken = false;
  const run = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      woken = false;
      const pauseMs = await turn(ending.signal);
      if (woken || ending.signal.aborted) continue;
      pause = new AbortController();
      await sleep(pauseMs, AbortSignal.any([ending.signal, pause.signal]));
    }
  };
  const running = run();
  return {
    wake: () => {
      woken = true;
      pause?.abort();
    },
    stop: async () => {
      ending.abort();
      await running;
    },
  };
}
