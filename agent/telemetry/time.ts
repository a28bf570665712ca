// The broker's time as this terminal knows it. Tills' clocks are wrong and jump, so the estimate hangs
// on the monotonic clock: broker time = base + monotonic. Each acknowledgement bounds the base: it was
// stamped no later than it arrived and no earlier than its batch was sent (Cristian's algorithm); the
// shortest round trip wins, and an estimate outside a later bound is moved to that bound's edge. The
// machine's own wall clock is used only until the first acknowledgement.

import type { Clock } from '../ports.ts';

export type BrokerTime = {
  /** Milliseconds since the Unix epoch, whole; the machine's own clock before first contact. */
  readonly nowMs: () => number;
  /** What is added to the machine's own clock; 0 before first contact. */
  readonly offsetMs: () => number;
  readonly known: () => boolean;
  /** @returns false when `brokerTimeMs` is no plausible time and nothing was learned. */
  readonly learn: (brokerTimeMs: number, roundTripMs: number | undefined) => boolean;
};

/** Two ordinary crystals drift apart by at most this much: the age of a bound widens it. */
const DRIFT_RATIO_MAX = 200e-6;
/** An acknowledgement of which it is not known what it answers may have waited this long. */
const ROUND_TRIP_MS_UNKNOWN = 10_000;
const PLAUSIBLE_MS_MIN = Date.UTC(2020, 0, 1);
const PLAUSIBLE_MS_MAX = Date.UTC(2100, 0, 1);

type Estimate = {
  readonly baseMs: number;
  readonly errorMs: number;
  readonly learnedMs: number;
};

/**
 * Pure: what is believed after one more acknowledgement, received at monotonic `now`.
 * @param ownBaseMs the terminal's own clock minus its monotonic one.
 */
export function refine(
  before: Estimate | undefined,
  brokerTimeMs: number,
  roundTripMs: number,
  now: number,
  ownBaseMs: number,
): Estimate {
  const low = brokerTimeMs - now;
  const high = low + roundTripMs;
  const fresh = { baseMs: low + roundTripMs / 2, errorMs: roundTripMs, learnedMs: now };
  // A clock that the answer does not contradict is believed: no step where none is needed.
  const isRight = low <= ownBaseMs && ownBaseMs <= high;
  if (before === undefined) return isRight ? { ...fresh, baseMs: ownBaseMs } : fresh;
  const isWithin = low <= before.baseMs && before.baseMs <= high;
  if (isWithin && roundTripMs <= before.errorMs) return { ...fresh, baseMs: before.baseMs };
  const errorMs = before.errorMs + (now - before.learnedMs) * DRIFT_RATIO_MAX;
  if (roundTripMs <= errorMs) return fresh;
  const baseMs = Math.min(high, Math.max(low, before.baseMs));
  return baseMs === before.baseMs ? before : { baseMs, errorMs: roundTripMs, learnedMs: now };
}

export function createBrokerTime(clock: Clock): BrokerTime {
  let estimate: Estimate | undefined;
  const nowMs = (): number =>
    Math.round(estimate === undefined ? clock.wallMs() : estimate.baseMs + clock.monotonicMs());
  return {
    nowMs,
    offsetMs: () => (estimate === undefined ? 0 : Math.round(nowMs() - clock.wallMs())),
    known: () => estimate !== undefined,
    learn: (brokerTimeMs, roundTripMs = ROUND_TRIP_MS_UNKNOWN) => {
      if (!(brokerTimeMs > PLAUSIBLE_MS_MIN && brokerTimeMs < PLAUSIBLE_MS_MAX)) return false;
      const now = clock.monotonicMs();
      const ownBaseMs = clock.wallMs() - now;
      estimate = refine(estimate, brokerTimeMs, Math.max(0, roundTripMs), now, ownBaseMs);
      return true;
    },
  };
}
