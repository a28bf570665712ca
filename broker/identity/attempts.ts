// How often somebody may fail: so many times in a minute by address, and by token. Whoever is over it is refused before
// anything is looked up. Bounded in memory: with too many at once the oldest are forgotten, since a secret of 256 bits
// is not found by more attempts than that either.

import type { Clock } from '../clock.ts';

const WINDOW_MS = 60_000;
const KEYS_MAX = 10_000;

export type Attempts = {
  /** Seconds until it may try again; undefined: now. */
  readonly waitSeconds: (key: string) => number | undefined;
  readonly count: (key: string) => void;
};

export function createAttempts(
  { monotonicMs }: Pick<Clock, 'monotonicMs'>,
  max: number,
  windowMs = WINDOW_MS,
): Attempts {
  const seen = new Map<string, { sinceMs: number; count: number }>();
  const current = (key: string) => {
    const one = seen.get(key);
    return one !== undefined && monotonicMs() - one.sinceMs < windowMs ? one : undefined;
  };
  return {
    waitSeconds: (key) => {
      const one = current(key);
      if (one === undefined || one.count < max) return undefined;
      return Math.max(1, Math.ceil((one.sinceMs + windowMs - monotonicMs()) / 1_000));
    },
    count: (key) => {
      const one = current(key);
      if (one !== undefined) {
        one.count += 1;
        return;
      }
      seen.delete(key);
      seen.set(key, { sinceMs: monotonicMs(), count: 1 });
      const [oldest] = seen.keys();
      if (seen.size > KEYS_MAX && oldest !== undefined) seen.delete(oldest);
    },
  };
}
