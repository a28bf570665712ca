// Tells whether the agent itself did not run for a while: it was stopped, starved, or the machine slept. It
// compares its own rhythm with the clock, and time since boot (which counts sleep) with monotonic time
// (which does not). Asked before anything else is believed, because after a pause everything looks late.

export type PauseWatch = {
  /** Before any event. @returns for how long it did not run, 0 when it ran as it should. */
  readonly look: (monotonicMs: number) => number;
  /** At each sweep: the rhythm counts from here. @returns for how long the machine slept. */
  readonly swept: (monotonicMs: number, bootMs: number) => number;
};

/**
 * Lateness of a sweep that is still ordinary: a collection, or a commit to a slow disk. A quarter of the
 * shortest deadline, because a pause makes every proof begin anew: were each slow commit a pause, then the
 * report of a suspicion would end the suspicion, and on a slow disk no hang would ever be confirmed. What is
 * below does no harm: beats that waited in sockets are read before anything is judged (loop.ts).
 */
const LATE_SHARE = 1 / 4;
const LATE_MS_MIN = 100;
const LATE_MS_MAX = 1_000;

export const ordinaryLateMs = (deadlinesMs: readonly number[]): number =>
  Math.min(LATE_MS_MAX, Math.max(LATE_MS_MIN, Math.min(...deadlinesMs) * LATE_SHARE));

/** /proc/uptime counts in 10 ms; two clocks read one after the other differ by a little more. */
const SLEEP_MS_MIN = 100;

/** @param gapMsMax between two sweeps: the period and what lateness is ordinary. */
export function createPauseWatch(
  gapMsMax: number,
  monotonicMs: number,
  bootMs: number,
): PauseWatch {
  let sweptAt = monotonicMs;
  let aheadMs = bootMs - monotonicMs;
  return {
    look: (now) => {
      const gapMs = now - sweptAt;
      if (gapMs <= gapMsMax) return 0;
      sweptAt = now;
      return gapMs;
    },
    swept: (now, boot) => {
      sweptAt = now;
      const sleptMs = boot - now - aheadMs;
      if (Math.abs(sleptMs) <= SLEEP_MS_MIN) return 0;
      // Also when it went back a little: the base is what the clocks say now.
      aheadMs = boot - now;
      return Math.max(0, sleptMs);
    },
  };
}
