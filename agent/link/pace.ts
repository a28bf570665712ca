// A token bucket in bytes: the broker asks a terminal in an acknowledgement to send so many bytes a
// second while the fleet catches up. Pure. A batch may be sent while the bucket is not empty and then
// puts it in debt, so that a batch larger than a second's worth still goes, only later ones wait.

export type Bucket = { readonly tokens: number; readonly filledMs: number };

/** At most this many seconds' worth are saved up. */
const BURST_SECONDS = 1;

export const fullBucket = (now: number): Bucket => ({
  tokens: Number.MAX_SAFE_INTEGER,
  filledMs: now,
});

/** @param bytesPerSecond more than 0. */
export function refill(bucket: Bucket, bytesPerSecond: number, now: number): Bucket {
  const gained = (Math.max(0, now - bucket.filledMs) / 1_000) * bytesPerSecond;
  const tokens = Math.min(bytesPerSecond * BURST_SECONDS, bucket.tokens + gained);
  return { tokens, filledMs: now };
}

export const spend = (bucket: Bucket, bytes: number): Bucket => ({
  ...bucket,
  tokens: bucket.tokens - bytes,
});
