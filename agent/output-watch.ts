// What the keeper of output (output.ts) remembers of one component between two looks.

import type { Flood } from './flood.ts';
import type { DropReason, Journal } from './output-journal.ts';

export type Watch = {
  readonly journal: Journal;
  readonly dropped: Partial<Record<DropReason, number>>;
  open: string | undefined;
  /** Size and time of the last look at the open file. */
  seen: { readonly size: number; readonly atMs: number; readonly wallMs: number } | undefined;
  /** When it grew last. */
  grownAtMs: number;
  openBytes: number;
  closedBytes: number;
  allAtMs: number;
  allBytes: number;
  flood: Flood | undefined;
  /** Told once a life. */
  isEmptied: boolean;
};

export const newWatch = (journal: Journal, dropped: Watch['dropped']): Watch => ({
  ...{ journal, dropped, open: undefined, seen: undefined, flood: undefined, isEmptied: false },
  ...{ grownAtMs: 0, openBytes: 0, closedBytes: 0, allAtMs: -Infinity, allBytes: 0 },
});
