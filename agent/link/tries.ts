// Which address is tried next, and when. A list is gone through in turn with short waits, and only when all of it failed
// does a wait grow; what worked last is tried first after a break, because a dead first address would cost its time-out
// at each. Whether anything worked is told from outside: a broker that acknowledges begins everything anew.

import { type BackoffPolicy, goneDelayMs, reconnectDelayMs, refusedDelayMs } from './backoff.ts';
import { isGone, isLasting } from './reasons.ts';
import type { Address, Way } from './types.ts';

export type Ended = {
  readonly reason: string;
  /** Subscribed before it ended. */
  readonly wasUp: boolean;
  /** It was up so long that what went before says nothing. */
  readonly wasSteady: boolean;
  /** In the list that was tried. */
  readonly addresses: number;
};

export class Tries {
  readonly #policyOf: BackoffPolicy | (() => BackoffPolicy);
  readonly #random: () => number;
  #failures = 0;
  #refusals = 0;
  #at = 0;
  /** Addresses that failed since one was up. */
  #failedHere = 0;
  #wasRefused = false;

  /** @param policy a function where it can change. */
  constructor(policy: BackoffPolicy | (() => BackoffPolicy), random: () => number) {
    this.#policyOf = policy;
    this.#random = random;
  }

  get #policy(): BackoffPolicy {
    return typeof this.#policyOf === 'function' ? this.#policyOf() : this.#policyOf;
  }

  firstMs(): number {
    return reconnectDelayMs(this.#policy, 0, this.#random());
  }

  pick(addresses: Way['addresses']): Address {
    return addresses[this.#at % addresses.length] ?? addresses[0];
  }

  worked(): void {
    this.#failures = 0;
    this.#refusals = 0;
    this.#failedHere = 0;
    this.#wasRefused = false;
  }

  /** @returns how long to wait before the next one. */
  endedMs({ reason, wasUp, wasSteady, addresses }: Ended): number {
    if (wasUp && wasSteady) this.worked();
    this.#wasRefused ||= isLasting(reason);
    if (!wasUp) {
      this.#at = (this.#at + 1) % Math.max(1, addresses);
      this.#failedHere += 1;
      if (this.#failedHere < addresses) {
        // Its first draw: within a second, without a step of the backoff.
        return reconnectDelayMs(this.#policy, 1, this.#random());
      }
    }
    this.#failedHere = 0;
    this.#failures += 1;
    const wasRefused = this.#wasRefused;
    this.#wasRefused = false;
    if (wasRefused) {
      this.#refusals += 1;
      return refusedDelayMs(this.#policy, this.#refusals, this.#random());
    }
    this.#refusals = 0;
    const isFirst = wasUp && this.#failures === 1;
    if (isFirst && isGone(reason)) return goneDelayMs(this.#policy, this.#random());
    return reconnectDelayMs(this.#policy, this.#failures, this.#random());
  }
}
