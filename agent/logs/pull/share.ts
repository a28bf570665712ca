// How much of the store's line logs may take. A line is known to be busy while something that was sent is not
// acknowledged; after a burst that kept it busy for so long it rests in proportion, so that over time logs take the
// share that they were given, however fast the line is, and nobody has to know how fast. Pure.

export type Line = {
  /** Since when chunks are on their way. */
  readonly busySinceMs: number | undefined;
  /** Chunks that may still go in this burst. */
  readonly left: number;
  readonly restUntilMs: number;
};

export const FREE: Line = { busySinceMs: undefined, left: 0, restUntilMs: -Infinity };
/** Of a line that was found dead; it is asked again. */
export const REST_MS_MAX = 60_000;

/** @param window how many chunks make a burst. @param share of the line, above 0; 1: all of it, without rests. */
export function mayGo(line: Line, now: number, share: number): boolean {
  if (share >= 1) return true;
  if (now < line.restUntilMs) return false;
  return line.busySinceMs === undefined || line.left > 0;
}

export function went(line: Line, now: number, window: number): Line {
  const isNew = line.busySinceMs === undefined;
  return {
    busySinceMs: line.busySinceMs ?? now,
    left: (isNew ? window : line.left) - 1,
    restUntilMs: line.restUntilMs,
  };
}

/** @param inFlight that are still waited for. */
export function answered(line: Line, now: number, inFlight: number, share: number): Line {
  if (line.busySinceMs === undefined || inFlight > 0) return line;
  const restMs = Math.min(REST_MS_MAX, (now - line.busySinceMs) * (1 / share - 1));
  return { busySinceMs: undefined, left: 0, restUntilMs: now + restMs };
}
