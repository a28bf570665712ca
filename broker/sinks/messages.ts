// What the broker and the thread of its sinks say to each other: plain data, because it is cloned.

import type { SinkConfig } from '../config-sinks.ts';
import type { DeadLetterLimits } from './dead-letters.ts';
import type { LoopStatus } from './loop.ts';

export type WorkerData = {
  readonly sinks: readonly SinkConfig[];
  readonly seriesPerTerminal: number;
  readonly deadLetters: DeadLetterLimits;
  readonly ledgerPath: string;
  readonly generation: Uint8Array;
  /** Of each sink: a cursor beyond it is of a ledger that was put back since it was written. */
  readonly newestAtOpen: Readonly<Record<string, number>>;
  /** Of sinks.db. */
  readonly path: string;
  readonly stores: readonly (readonly [terminal: string, store: string])[];
};

export type ToWorker =
  | { readonly kind: 'committed' }
  | { readonly kind: 'stores'; readonly stores: WorkerData['stores'] };

/** What happened since the last message. */
export type SinkCounts = {
  readonly requests: readonly (readonly [sink: string, result: string])[];
  readonly items: readonly (readonly [sink: string, count: number])[];
  readonly buried: readonly (readonly [sink: string, reason: string, count: number])[];
};

export type FromWorker =
  | {
      readonly kind: 'status';
      readonly status: readonly LoopStatus[];
      readonly counts: SinkCounts;
      /** Series over the budget of their terminals. */
      readonly over: number;
    }
  | { readonly kind: 'warning'; readonly sentence: string };
