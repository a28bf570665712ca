// Whether this terminal has to doubt its own certificate. A broker that refuses one says so by CONNACK or by an alert, or
// it just closes behind the handshake, as one that does not let in what has ended: the terminal itself cannot tell that
// where its clock is wrong. One connection that closes early means nothing; so many in a row, with none that was up
// between, are reason to ask for a new certificate. Pure.

import { CLOSED_EARLY, isAboutUs, isGone } from '../link/reasons.ts';

/** In a row. They come with growing waits, so that a broker that stops or is full does not make its fleet renew. */
export const EARLY_MAX = 5;

export class Doubts {
  #early = 0;

  up(): void {
    this.#early = 0;
  }

  /** @returns whether to ask for a new certificate. */
  down(reason: string): boolean {
    if (isAboutUs(reason)) return true;
    if (reason !== CLOSED_EARLY && !isGone(reason)) return false;
    this.#early += 1;
    return this.#early >= EARLY_MAX;
  }
}
