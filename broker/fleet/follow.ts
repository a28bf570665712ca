// Follows the ledger with a cursor of its own, which moves in the same transaction as what was applied:
// after a crash at any point each row has been applied once, not twice and not never. It works in short
// turns between which the loop is free, because acknowledgements to terminals go first.

import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Clock, Timers } from '../clock.ts';
import { type Ledger, type LedgerRow, OWN } from '../ledger.ts';
import type { Log } from '../ports.ts';
import { type Database, isDatabaseError } from './database.ts';

/** Rows read, and time spent before the commit, in one turn. */
const TURN_ROWS = 64;
const TURN_MS = 10;
/** A commit waits for the disk: what arrives within this time shares one. */
const GATHER_MS = 10;
/** After a failure (a full disk) it tries again this often; nothing is lost meanwhile. */
const RETRY_MS = 5_000;

export type FollowOptions = {
  readonly ledger: Pick<Ledger, 'readAfter' | 'onCommit' | 'setFollowed' | 'stats'>;
  readonly database: Database;
  readonly cursor: { readonly readCursor: () => number; readonly moveCursor: (id: number) => void };
  readonly rules: {
    /** Applies one row within the transaction; effects go through `database.afterCommit`. */
    readonly apply: (row: LedgerRow) => void;
    /** Ends a turn within the transaction. */
    readonly settle: () => void;
    /** Called after the transaction, whether or not it succeeded. */
    readonly end: () => void;
  };
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
};

export type Follower = {
  readonly start: () => void;
  /** One turn at once. @returns whether there may be more. */
  readonly turn: () => boolean;
  /** True once everything that lay there at the start has been applied. */
  readonly caughtUp: () => boolean;
  /** Why it cannot go on at present. */
  readonly stalled: () => string | undefined;
  readonly behind: () => number;
  readonly stop: () => void;
};

function readRows(ledger: Pick<Ledger, 'readAfter'>, position: number): Result<LedgerRow[]> {
  try {
    return ok(ledger.readAfter(position, TURN_ROWS));
  } catch (cause) {
    if (!isDatabaseError(cause)) throw cause;
    return fail(`the ledger could not be read: ${cause.message}`);
  }
}

export function createFollower(options: FollowOptions): Follower {
  const { ledger, database, cursor, rules, clock, timers, log } = options;
  let position = cursor.readCursor();
  const newestAtOpen = ledger.stats().newestId;
  if (position > newestAtOpen) {
    // Its file was put back from a backup. It is append-only, so what it holds was all followed, and
    // the numbers after it will be used again.
    log.warn('the ledger is older than the registry', { followed: position, newestAtOpen });
    position = newestAtOpen;
    // At once: a later start would find the numbers used again and believe that it had read them.
    database.transact(() => cursor.moveCursor(newestAtOpen));
  }
  let stalled: string | undefined;
  let stopped = false;
  let cancel: (() => void) | undefined;

  function stall(reason: string): false {
    if (stalled === undefined) log.error('the registry stands still', { reason });
    stalled = reason;
    return false;
  }

  function applyRows(rows: readonly LedgerRow[]): Result<number> {
    const untilMs = clock.monotonicMs() + TURN_MS;
    try {
      return database.transact(() => {
        let reached = position;
        for (const row of rows) {
          // What the broker records itself comes from the registry.
          if (row.terminal !== OWN) rules.apply(row);
          reached = row.id;
          if (clock.monotonicMs() >= untilMs) break;
        }
        rules.settle();
        cursor.moveCursor(reached);
        return reached;
      });
    } finally {
      rules.end();
    }
  }

  function turn(): boolean {
    const rows = readRows(ledger, position);
    if (!rows.ok) return stall(rows.reason);
    if (rows.value.length === 0) return false;
    const done = applyRows(rows.value);
    if (!done.ok) return stall(done.reason);
    stalled = undefined;
    position = done.value;
    ledger.setFollowed('registry', position);
    return true;
  }

  function run(): void {
    cancel = undefined;
    if (stopped) return;
    const more = turn();
    if (more) soon();
    else if (stalled !== undefined) cancel = timers.after(RETRY_MS, run);
  }

  function soon(): void {
    const immediate = setImmediate(run);
    cancel = () => clearImmediate(immediate);
  }

  const forget = ledger.onCommit(() => {
    if (stopped || cancel !== undefined) return;
    cancel = timers.after(GATHER_MS, run);
  });

  return {
    start: () => {
      ledger.setFollowed('registry', position);
      if (cancel === undefined) soon();
    },
    turn,
    caughtUp: () => position >= newestAtOpen,
    stalled: () => stalled,
    behind: () => Math.max(0, ledger.stats().newestId - position),
    stop: () => {
      stopped = true;
      forget();
      cancel?.();
    },
  };
}
