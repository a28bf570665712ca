// What the keeper of output (output.ts) remembers of one component between two looks.

import type { Flood } from './flood.ts';
import type { DropReason, Journal } from './output-journal.ts';

/** What was not used of the rate counts for so long. */
export const CREDIT_MS_MAX = 1_000;

export type Watch = {
  readonly journal: Journal;
  readonly dropped: Partial<Record<DropReason, number>>;
  open: string | undefined;
  /** Size and time of the last look at the open file. */
  seen: { readonly size: number; readonly atMs: number; readonly wallMs: number } | undefined;
  /** So long it has printed nothing of what it may. */
  creditMs: number;
  /** When it grew last. */
  grownAtMs: number;
  openBytes: number;
  closedBytes: number;
  allAtMs: number;
  allBytes: number;
  flood: Flood | undefined;
  /** Told once a life. */
  isEmptied: boolean;
  /** Where the newest life prints to, also before anybody says that it runs. */
  begun: string | undefined;
  /** Whoever reads it has seen all files, and there were more than the one that is written. */
  listedAtMs: number;
  hasOthers: boolean;
};

export const newWatch = (journal: Journal, dropped: Watch['dropped']): Watch => ({
  ...{ journal, dropped, open: undefined, seen: undefined, flood: undefined, isEmptied: false },
  ...{ creditMs: CREDIT_MS_MAX, begun: undefined, listedAtMs: -Infinity, hasOthers: false },
  ...{ grownAtMs: 0, openBytes: 0, closedBytes: 0, allAtMs: -Infinity, allBytes: 0 },
});
