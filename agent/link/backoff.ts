// How long to wait before the next connection. Pure. Full jitter (a uniform draw below a ceiling that
// doubles), because a fleet that lost its broker at one moment must not come back at one moment: with
// TLS one core does about 750 handshakes a second (research/mqtt.md 1.3). The first try is spread over
// a second only; a till that was just switched on should be seen soon. Whoever is refused asks seldom: only a
// person can change that, and each try costs the broker a handshake.

export type BackoffPolicy = {
  readonly firstMsMax: number;
  readonly reconnectMsMin: number;
  readonly reconnectMsMax: number;
  /** The broker itself ended a connection that worked: it does so to all of its terminals at one moment. */
  readonly goneMsMax: number;
  /** After it refused a certificate, at least. */
  readonly refusedMsMin: number;
};

export const BACKOFF: BackoffPolicy = {
  firstMsMax: 1_000,
  reconnectMsMin: 1_000,
  reconnectMsMax: 5 * 60_000,
  goneMsMax: 30_000,
  refusedMsMin: 60_000,
};

/** Never a hot loop, however the draw falls. */
const FLOOR_MS = 20;
/** 2^30 times any sensible minimum is beyond any maximum. */
const DOUBLINGS_MAX = 30;

const drawn = (ceilingMs: number, random: number): number =>
  Math.max(FLOOR_MS, Math.round(ceilingMs * random));

const doubled = (ms: number, failures: number): number =>
  ms * 2 ** Math.min(Math.max(0, failures - 1), DOUBLINGS_MAX);

/**
 * @param failures connections that failed since the last one that did its work; 0 before the first.
 * @param random 0 to below 1.
 */
export function reconnectDelayMs(policy: BackoffPolicy, failures: number, random: number): number {
  const { firstMsMax, reconnectMsMin, reconnectMsMax } = policy;
  const ceiling =
    failures <= 0 ? firstMsMax : Math.min(reconnectMsMax, doubled(reconnectMsMin, failures));
  return drawn(ceiling, random);
}

/** The first wait after the broker went away (research/mqtt.md 1.3). */
export const goneDelayMs = (policy: BackoffPolicy, random: number): number =>
  drawn(Math.min(policy.goneMsMax, policy.reconnectMsMax), random);

/** @param refusals how often in a row, from 1. Half of it is never drawn away. */
export function refusedDelayMs(policy: BackoffPolicy, refusals: number, random: number): number {
  const { refusedMsMin, reconnectMsMax } = policy;
  const ceiling = Math.min(reconnectMsMax, doubled(refusedMsMin, refusals));
  return drawn(ceiling, 0.5 + random / 2);
}
