// One flood: a component prints faster than is kept, for a moment or for days. It is told once, when it is over or
// has lasted a while, and once an hour as long as it goes on: a report for each second would be a flood itself.
// Pure.

export type Flood = {
  readonly bytes: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** When it was told of last, and how much by then. */
  readonly toldMs: number | undefined;
  readonly toldBytes: number;
};

/** After so long without too much it is over. */
const CALM_MS = 10_000;
const FIRST_TOLD_MS = 60_000;
const AGAIN_TOLD_MS = 60 * 60_000;

/** @param now monotonic, as all times here. */
export const grow = (flood: Flood | undefined, bytes: number, now: number): Flood =>
  flood === undefined
    ? { bytes, firstMs: now, lastMs: now, toldMs: undefined, toldBytes: 0 }
    : { ...flood, bytes: flood.bytes + bytes, lastMs: now };

export const isOver = (flood: Flood, now: number): boolean => now - flood.lastMs >= CALM_MS;

/**
 * @param isEnd it is over in any case.
 * @returns what is to be told now, if anything, and the flood after that.
 */
export function tell(
  flood: Flood,
  now: number,
  isEnd: boolean,
): { readonly bytes: number; readonly flood: Flood } | undefined {
  const bytes = flood.bytes - flood.toldBytes;
  const since = flood.toldMs ?? flood.firstMs;
  const waitMs = flood.toldMs === undefined ? FIRST_TOLD_MS : AGAIN_TOLD_MS;
  const isDue = isEnd || isOver(flood, now) || now - since >= waitMs;
  if (bytes <= 0 || !isDue) return undefined;
  return { bytes, flood: { ...flood, toldMs: now, toldBytes: flood.bytes } };
}
