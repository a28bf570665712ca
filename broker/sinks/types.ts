// What a sink is: a place outside (a time series database, a traces backend) that takes what the ledger
// holds. A sink only sends and judges answers; following the ledger, waiting, retrying, the cursor and
// the dead letters are the loop's (loop.ts), so that all sinks lose nothing in the same way.

import type { Stream } from '../../protocol/wire.ts';
import type { LedgerRow } from '../ledger-reader.ts';
import type { Drops } from './post.ts';

/** Something that the sink will never take; the loop keeps it in the table of dead letters. */
export type Buried = {
  /** Empty for what the broker itself recorded without naming one. */
  readonly terminal: string;
  /** One of a few words, because it is a label: too_old, future, budget, invalid, ... */
  readonly reason: string;
  /** For a person: what the sink said, or what is wrong. */
  readonly sentence: string;
  /** Samples or spans. */
  readonly count: number;
  /** One of them, readable and short. */
  readonly sample?: string;
};

export type SendResult =
  /** All rows are done with: `items` are in the sink, `buried` never will be. */
  | { readonly kind: 'taken'; readonly items: number; readonly buried: readonly Buried[] }
  /**
   * None may be forgotten; the same rows come again, unchanged. `afterMs`: the sink asked to wait. `lost`: there
   * was no answer, so it may have been killed, and with it what it had taken a moment before.
   */
  | {
      readonly kind: 'again';
      readonly reason: string;
      readonly afterMs?: number;
      readonly lost?: boolean;
    };

export type Sink = {
  /** Its name in the configuration, in metrics and of its cursor. */
  readonly name: string;
  /** Rows of other streams are passed over. */
  readonly streams: readonly Stream[];
  /** Rows in the ledger's order; at least once, so it must not matter when they come twice. Never throws. */
  readonly send: (rows: readonly LedgerRow[]) => Promise<SendResult>;
  /** @returns sentences on what is wrong or missing, each with the flag to set; none: fine. */
  readonly check: () => Promise<readonly string[]>;
  /**
   * Whether it keeps once what comes twice. Only then are the last seconds sent again after it was lost: databases
   * answer before what they took is on their disk. Undefined: not known yet, so that it is decided later.
   * Absent: no.
   */
  readonly keepsOnce?: () => boolean | undefined;
  /** Connections that ended since the start: a database that was killed and is back leaves no other trace. */
  readonly drops?: () => Drops;
  /** Ends open requests at once: a `send` that waits answers `again`. */
  readonly close: () => void;
};
