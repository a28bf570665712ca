// How fast one address may connect: a token bucket each, so that a broken or hostile machine that
// reconnects in a loop costs one accept and no more. A fleet behind one address (a store's router)
// is why the burst is large; the number of addresses remembered is bounded. What one address is says addresses.ts.

import { addressKey } from '../addresses.ts';

export type RateLimit = {
  /** Connections at once after a quiet time. */
  readonly burst: number;
  /** Connections a second for as long as it lasts. */
  readonly perSecond: number;
};

/** Buckets remembered; the one longest unused is forgotten, which can only favour a client. */
export const ADDRESSES_MAX = 10_000;

export type RateLimiter = { readonly allow: (address: string, nowMs: number) => boolean };

type Bucket = { readonly tokens: number; readonly atMs: number };

export function createRateLimiter(limit: RateLimit, addressesMax = ADDRESSES_MAX): RateLimiter {
  const buckets = new Map<string, Bucket>();
  return {
    allow: (address, nowMs) => {
      const key = addressKey(address);
      const bucket = buckets.get(key) ?? { tokens: limit.burst, atMs: nowMs };
      const refill = (Math.max(0, nowMs - bucket.atMs) / 1000) * limit.perSecond;
      const tokens = Math.min(limit.burst, bucket.tokens + refill);
      const allowed = tokens >= 1;
      buckets.delete(key);
      buckets.set(key, { tokens: allowed ? tokens - 1 : tokens, atMs: nowMs });
      const oldest = buckets.size > addressesMax ? buckets.keys().next() : undefined;
      if (oldest?.done === false) buckets.delete(oldest.value);
      return allowed;
    },
  };
}
