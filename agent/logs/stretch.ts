// Which bytes of one file lie in a window of time: between two lines, where lines have times; where none has, as if
// the file had grown evenly from its first moment to its last.

import { findTime, firstTime, lineStartAt, type Opened } from './search.ts';

export type Window = { readonly sinceMs: number; readonly untilMs: number };
type Times = { readonly birthtimeMs: number; readonly mtimeMs: number };

/** Where a file without times was at a moment, if it grew evenly. */
function* spreadOver(opened: Opened, times: Times, { sinceMs, untilMs }: Window) {
  const bytes = opened.size;
  // Some file systems know no birth time and say 0, or that of the last change.
  const { birthtimeMs, mtimeMs } = times;
  const firstMs = birthtimeMs > 0 ? Math.min(birthtimeMs, mtimeMs) : mtimeMs;
  const spread = { firstMs, lastMs: mtimeMs, bytes };
  if (sinceMs > spread.lastMs || untilMs < firstMs) return undefined;
  const placeOf = (ms: number): number =>
    spread.lastMs === firstMs ? 0 : (bytes * (ms - firstMs)) / (spread.lastMs - firstMs);
  const from = yield* lineStartAt(opened, Math.floor(placeOf(sinceMs)));
  const isAll = untilMs >= spread.lastMs;
  const last = isAll ? bytes : yield* lineStartAt(opened, Math.floor(placeOf(untilMs)));
  return { from, to: last, baseMs: firstMs, spread };
}

/** @returns from and to which byte; undefined: none of it. */
export function* stretchOf(opened: Opened, times: Times, window: Window) {
  const first = yield* firstTime(opened);
  if (first === undefined) return yield* spreadOver(opened, times, window);
  const isWhole = first.timeMs >= window.sinceMs;
  const found = isWhole ? first.start : yield* findTime(opened, window.sinceMs);
  const to = yield* findTime(opened, window.untilMs + 1);
  // What stands before the first line with a time belongs to it.
  return { from: found === first.start ? 0 : found, to, baseMs: first.timeMs };
}
