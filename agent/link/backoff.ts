// How long to wait before the next connection. Pure. Full jitter (a uniform draw below a ceiling that
// doubles), because a fleet that lost its broker at one moment must not come back at one moment: with
// TLS one core does about 750 handshakes a second (research/mqtt.md 1.3). The first try is spread over
// a second only; a till that was just switched on should be seen soon.

export type BackoffPolicy = {
  readonly firstMsMax: number;
  readonly reconnectMsMin: number;
  readonly reconnectMsMax: number;
};

export const BACKOFF: BackoffPolicy = {
  firstMsMax: 1_000,
  reconnectMsMin: 1_000,
  reconnectMsMax: 5 * 60_000,
};

/** Never a hot loop, however the draw falls. */
const FLOOR_MS = 20;
/** 2^30 times any sensible minimum is beyond any maximum. */
const DOUBLINGS_MAX = 30;

/**
 * @param failures connections that failed since the last one that did its work; 0 before the first.
 * @param random 0 to below 1.
 */
export function reconnectDelayMs(policy: BackoffPolicy, failures: number, random: number): number {
  const { firstMsMax, reconnectMsMin, reconnectMsMax } = policy;
  const doubled = reconnectMsMin * 2 ** Math.min(failures - 1, DOUBLINGS_MAX);
  const ceiling = failures <= 0 ? firstMsMax : Math.min(reconnectMsMax, doubled);
  return Math.max(FLOOR_MS, Math.round(ceiling * random));
}
