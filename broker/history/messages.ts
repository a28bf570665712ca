// What the broker and the history's thread say to each other.

import type { HistoryAnswer, HistoryQuery } from './answer.ts';
import type { EngineFigures } from './engine.ts';

/** Given to the thread at each start. */
export type HistoryData = {
  readonly path: string;
  readonly ledgerPath: string;
  readonly generation: Uint8Array;
  readonly daysMax: number;
  readonly bytesMax: number;
};

export type ToHistory =
  /** The ledger has more. */
  | { readonly kind: 'committed' }
  /** The ledger needs the room of what waits. */
  | { readonly kind: 'press' }
  | { readonly kind: 'ask'; readonly number: number; readonly query: HistoryQuery };

export type FromHistory =
  | { readonly kind: 'figures'; readonly figures: EngineFigures }
  | { readonly kind: 'answer'; readonly number: number; readonly answer: HistoryAnswer }
  | { readonly kind: 'warning'; readonly sentence: string }
  /** It cannot write; undefined: it can again. */
  | { readonly kind: 'stalled'; readonly reason: string | undefined };
