// When a sent batch is due again. Pure: the outbox keeps one `Flight` per batch it has handed out, the
// link reports a new session. A resend waits 30 s, then twice as long each time up to ten minutes, with
// jitter upwards only, so that a fleet whose broker restarted does not resend in step. After a
// reconnect everything is due at once: nothing of the old connection will be answered any more.

export type Flight = {
  /** Monotonic time of the last send. */
  readonly sentMs: number;
  /** Sends in this session; 0 after a reconnect. */
  readonly sends: number;
  /** Of the first send by this process: whichever send an answer is to, it is not older than this. */
  readonly firstMs: number;
  readonly dueMs: number;
};

export type ResendPolicy = { readonly resendMsMin: number; readonly resendMsMax: number };
export const RESEND: ResendPolicy = { resendMsMin: 30_000, resendMsMax: 10 * 60_000 };
const JITTER_RATIO_MAX = 0.2;

/** @param random 0 to below 1, for the jitter. */
export function fly(
  before: Flight | undefined,
  now: number,
  policy: ResendPolicy,
  random: number,
): Flight {
  const sends = (before?.sends ?? 0) + 1;
  const waitMs = Math.min(policy.resendMsMax, policy.resendMsMin * 2 ** Math.min(sends - 1, 30));
  return {
    sentMs: now,
    sends,
    firstMs: before?.firstMs ?? now,
    dueMs: now + waitMs * (1 + JITTER_RATIO_MAX * random),
  };
}

export const isDue = (flight: Flight | undefined, now: number): boolean =>
  flight === undefined || flight.dueMs <= now;

/** A new session: due at once, and the doubling begins again. */
export const land = (flight: Flight): Flight => ({ ...flight, sends: 0, dueMs: -Infinity });
