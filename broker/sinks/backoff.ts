// How long to wait before a sink is asked again: twice as long each time, from 1 s to 60 s, of which a half
// is by chance, so that brokers which lost the same database do not come back in step. What the database
// asks for (Retry-After) is a lower bound.

const MS_MIN = 1_000;
const MS_MAX = 60_000;

/** @param failures in a row, from 1. @param chance 0 to 1. */
export function backoffMs(failures: number, chance: number, askedMs = 0): number {
  const fullMs = Math.min(MS_MAX, MS_MIN * 2 ** Math.min(failures - 1, 16));
  return Math.max(Math.round(fullMs / 2 + (fullMs / 2) * chance), askedMs);
}
