// Tells whether the agent itself did not run for a while: it was stopped, starved, or the machine slept. It
// compares its own rhythm with the clock, and time since boot (which counts sleep) with monotonic time
// (which does not). Asked before anything else is believed, because after a pause everything looks late.

export type PauseWatch = {
  /** @returns for how long it did not run, 0 when it ran as it should. */
  readonly look: (monotonicMs: number, bootMs: number) => number;
  /** A sweep was done: the rhythm counts from here. */
  readonly swept: (monotonicMs: number) => void;
};

/** Lateness of a sweep that is still ordinary: a collection, a commit to disk. */
const LATE_MS_MIN = 100;
const LATE_SHARE = 0.5;
/** /proc/uptime counts in 10 ms; two clocks read one after the other differ by a little more. */
const SLEEP_MS_MIN = 100;

export function createPauseWatch(
  periodMs: number,
  monotonicMs: number,
  bootMs: number,
): PauseWatch {
  const gapMsMax = periodMs + Math.max(LATE_MS_MIN, periodMs * LATE_SHARE);
  let sweptAt = monotonicMs;
  let aheadMs = bootMs - monotonicMs;
  return {
    look: (now, boot) => {
      const awakeMs = now - sweptAt;
      const sleptMs = boot - now - aheadMs;
      const slept = sleptMs > SLEEP_MS_MIN;
      // The difference may creep by rounding; what is not sleep is taken as the new base.
      if (slept || sleptMs < -SLEEP_MS_MIN) aheadMs = boot - now;
      const paused = awakeMs > gapMsMax;
      if (paused) sweptAt = now;
      return (paused ? awakeMs : 0) + (slept ? sleptMs : 0);
    },
    swept: (now) => {
      sweptAt = now;
    },
  };
}
