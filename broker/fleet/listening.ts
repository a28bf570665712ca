// Since when, and up to when, the broker itself has listened. A terminal's silence is only worth something while
// somebody would have heard it: not while the broker was down, paused or could not write, not for as long
// afterwards as terminals take to come back, and not beyond what the registry has read. Kept apart from
// presence.ts, which takes the result as a value and stays pure.

import type { Clock } from '../clock.ts';
import type { Moment } from './presence.ts';

/** Agents wait at most this long before they connect again (agent/link/backoff.ts). */
export const RECONNECT_MS_MAX = 5 * 60_000;
/** A tick that comes so much too late means that the broker did not run. */
export const PAUSE_MS = 5_000;

/** Their waits double, so whoever was cut off for a while is back after as long again, with jitter. */
export const graceMs = (downMs: number): number =>
  downMs >= 0 ? Math.min(RECONNECT_MS_MAX, 2 * downMs) : RECONNECT_MS_MAX;

export type ListeningOptions = {
  readonly clock: Clock;
  /** When any terminal was last seen, by the records of the run before; 0: never. */
  readonly lastSeenMs: number;
  /** Batches in the ledger that the registry has not read. */
  readonly behind: () => number;
  /** Whether batches cannot be taken, or not be read, at present. */
  readonly failing: () => boolean;
};

export type Listening = ReturnType<typeof createListening>;

export function createListening({ clock, lastSeenMs, behind, failing }: ListeningOptions) {
  const startMs = clock.monotonicMs();
  const downMs = lastSeenMs === 0 ? 0 : clock.wallMs() - lastSeenMs;
  let fairMs = startMs + graceMs(downMs);
  let lookedMs = startMs;
  let deafSinceMs: number | undefined;
  /** When nothing was left to read: whatever is read now arrived after it, whatever clocks say. */
  let caughtUpMs = startMs;
  let readMs = startMs;
  let hasRead = false;

  const deafFor = (ms: number, now: number): void => {
    fairMs = Math.max(fairMs, now + graceMs(ms));
  };
  return {
    /** Once a tick. */
    look: (): void => {
      const now = clock.monotonicMs();
      if (now - lookedMs > PAUSE_MS) deafFor(now - lookedMs, now);
      lookedMs = now;
      if (failing()) {
        deafSinceMs ??= now;
        deafFor(now - deafSinceMs, now);
      } else deafSinceMs = undefined;
      if (behind() > 0) return;
      caughtUpMs = now;
      hasRead = true;
    },
    /** @returns monotonic time at which a row was received that is read now. */
    arrivalMs: (receivedMs: number): number => {
      const now = clock.monotonicMs();
      const arrived = now - Math.max(0, clock.wallMs() - receivedMs);
      // Rows of the run before lie before the start; later ones behind the last time all was read.
      readMs = arrived < startMs && !hasRead ? arrived : Math.max(arrived, caughtUpMs);
      if (readMs >= startMs) hasRead = true;
      return readMs;
    },
    /** While a row is applied: heard as far as it. */
    reading: (): Moment => {
      const now = clock.monotonicMs();
      const heardMs = Math.max(readMs, caughtUpMs);
      return { wallMs: clock.wallMs(), nowMs: now, heardMs, fairMs };
    },
    moment: (): Moment => {
      const now = clock.monotonicMs();
      const heardMs = behind() === 0 ? now : Math.max(readMs, caughtUpMs);
      return { wallMs: clock.wallMs(), nowMs: now, heardMs, fairMs };
    },
  };
}
