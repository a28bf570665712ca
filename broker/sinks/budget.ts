// How many series one terminal may bring into the database: a label with a number or a time in it makes a
// new series at each sample, and a database of a thousand tills dies of one such till. A series that was
// there before goes first; what is over the budget is refused by name. Kept in two windows, so that
// series which no longer come make room for others.

/** A till has about 100 (design.md section 6: 150 by default); after an update some exist twice. */
export const SERIES_PER_TERMINAL = 300;
/** A series that was not seen for one to two of these no longer counts. */
const WINDOW_MS = 6 * 3_600_000;
/** Refused series that are told apart; a flood of new ones must not fill the memory. */
const REFUSED_PER_TERMINAL_MAX = 1_000;

type Account = {
  now: Set<number>;
  before: Set<number>;
  /** Series in either window. */
  count: number;
  refused: Set<number>;
  refusedBefore: Set<number>;
};

export type Budget = {
  /** @param series its hash. @returns false when the terminal has as many others already. */
  readonly admits: (terminal: string, series: number) => boolean;
  /** Different series refused lately, of all terminals. */
  readonly over: () => number;
};

export function createBudget(max: number, nowMs: () => number, windowMs = WINDOW_MS): Budget {
  const accounts = new Map<string, Account>();
  let windowEndsMs = nowMs() + windowMs;

  function turnWindow(): void {
    windowEndsMs = nowMs() + windowMs;
    for (const [terminal, account] of accounts) {
      account.before = account.now;
      account.now = new Set();
      account.count = account.before.size;
      account.refusedBefore = account.refused;
      account.refused = new Set();
      if (account.count === 0 && account.refusedBefore.size === 0) accounts.delete(terminal);
    }
  }

  function accountOf(terminal: string): Account {
    let account = accounts.get(terminal);
    if (account === undefined) {
      const empty = { now: new Set<number>(), before: new Set<number>(), count: 0 };
      account = { ...empty, refused: new Set(), refusedBefore: new Set() };
      accounts.set(terminal, account);
    }
    return account;
  }

  return {
    admits: (terminal, series) => {
      if (nowMs() >= windowEndsMs) turnWindow();
      const account = accountOf(terminal);
      if (account.now.has(series)) return true;
      if (!account.before.has(series)) {
        if (account.count >= max) {
          if (account.refused.size < REFUSED_PER_TERMINAL_MAX) account.refused.add(series);
          return false;
        }
        account.count += 1;
      }
      account.now.add(series);
      return true;
    },
    over: () => {
      let sum = 0;
      for (const { refused, refusedBefore } of accounts.values()) {
        sum += Math.max(refused.size, refusedBefore.size);
      }
      return sum;
    },
  };
}
