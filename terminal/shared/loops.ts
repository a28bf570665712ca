// Background work: a loop that can be woken, stopped and waited for, and the pause between attempts.
// Full jitter (a random pause between nothing and the ceiling) because after an outage every till of the
// chain retries at once, and a fixed pause would keep them in step.

import { setTimeout as delay } from 'node:timers/promises';
import { isDiskTrouble } from './database.ts';
import type { Log } from './log.ts';
import { saying } from './result.ts';

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

/** A full or failing disk mends by itself or by a human, not by trying at once again. */
export const DISK_PAUSE_MS = 2_000;

/**
 * Runs `turn` again and again; it says how long to pause. A disk that fails is waited for; anything else
 * that is thrown is a bug of ours and left to the process: a component that cannot do its work must crash
 * and be started again.
 */
export function startLoop(log: Log, turn: (signal: AbortSignal) => Promise<number>): Loop {
  const ending = new AbortController();
  let pause: AbortController | undefined;
  let woken = false;
  const run = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      woken = false;
      const pauseMs = await turn(ending.signal).catch((error: unknown) => {
        if (!isDiskTrouble(error)) throw error;
        log.error('the disk fails', { reason: saying(error) });
        return DISK_PAUSE_MS;
      });
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
