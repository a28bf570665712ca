// What one terminal may add to the tables of error kinds in a day: so many kinds, and so many rows of counts. A sound one
// tells fifty kinds apart at a time; one that is broken or hostile would push out what the rest of the fleet told. What
// is over it is counted, without its words. Held in memory and bounded by the fleet: after a restart a day begins anew.

import { SIGNATURES_MAX } from '../../protocol/limits.ts';

const DAY_MS = 86_400_000;
/** That the fleet did not have before. */
export const KINDS_PER_TERMINAL_MAX = 4 * SIGNATURES_MAX;
/** All it tells apart in each hour of four days, when it comes back from as long without a line. */
export const ROWS_PER_TERMINAL_MAX = 4 * 24 * SIGNATURES_MAX;
/** Terminals that are counted each on their own; beyond it they share. */
const TERMINALS_MAX = 100_000;

export type Added = { kinds: number; rows: number };

export function createShares(wallMs: () => number) {
  const shares = new Map<string, Added>();
  let today = 0;
  return {
    /** @returns what it added today; to be counted up by whoever adds. */
    of: (terminal: string): Added => {
      const day = Math.floor(wallMs() / DAY_MS);
      if (day !== today) shares.clear();
      today = day;
      const name = shares.has(terminal) || shares.size < TERMINALS_MAX ? terminal : '';
      const known = shares.get(name) ?? { kinds: 0, rows: 0 };
      shares.set(name, known);
      return known;
    },
  };
}
