// When a certificate is renewed, and when what failed is tried again. Pure. At two thirds of its life, a little later for
// each terminal by its own draw, so that what was enrolled in one night is not renewed in one; then a third of its life is
// left to find out what is wrong, and after that the grace.

/** Of the life, beyond two thirds. */
const SPREAD = 1 / 12;

export const renewAtMs = (notBeforeMs: number, notAfterMs: number, draw: number): number =>
  notBeforeMs + (notAfterMs - notBeforeMs) * (2 / 3 + SPREAD * draw);

export type Retry = { readonly msMin: number; readonly msMax: number };
/** Somebody may stand beside it, and the token lives for minutes. */
export const ENROL_RETRY: Retry = { msMin: 1_000, msMax: 60_000 };
/** Weeks are left. */
export const RENEW_RETRY: Retry = { msMin: 60_000, msMax: 3_600_000 };
/** After a renewal that somebody wished for the whole fleet: not all at one moment. */
export const WISHED_MS_MAX = 30_000;
const DOUBLINGS_MAX = 20;

/** @param failures in a row, from 1. Half of it is never drawn away. */
export function retryMs({ msMin, msMax }: Retry, failures: number, random: number): number {
  const ceiling = Math.min(msMax, msMin * 2 ** Math.min(failures - 1, DOUBLINGS_MAX));
  return Math.round(ceiling * (0.5 + random / 2));
}
