// One transaction on the outbox as the code inside it sees it. Counts are a draft that becomes true
// only when the transaction commits, so that a failing disk can never leave memory and file telling
// different stories.

import type { EventFields } from '../../protocol/events.ts';
import type { Stream } from '../../protocol/wire.ts';
import type { SealedRow } from './batches.ts';
import type { Store } from './store.ts';

/** What waits unsealed and what is kept, and up to which id samples are folded, were live and are thin. */
export type Tally = {
  snapshots: number;
  samples: number;
  events: number;
  results: number;
  spans: number;
  spanBytes: number;
  deadLetters: number;
  /** Bytes of acknowledged batches (kept.ts). */
  kept: number;
  foldedTo: number;
  /** The newest row that went out live in this process: what is older is backlog. */
  liveTo: number;
  /** For each step of thinning.ts. */
  thinnedTo: readonly number[];
};

export type DropReason =
  | 'quota'
  | 'damaged'
  | 'memory'
  | 'disk'
  | 'unencodable'
  | 'too_large'
  | 'dead_letter_quota'
  | 'kept';
export type Drop = {
  readonly stream: Stream;
  readonly reason: DropReason;
  /** Samples, events, results, spans or batches. */
  readonly count: number;
};

/** The fields of a gap record (protocol/events.ts). */
export type Gap = {
  readonly reason: string;
  /** This outbox's own when not given. */
  readonly epoch?: string;
  readonly sealed?: Readonly<Partial<Record<Stream, number>>>;
  readonly stream?: Stream;
  /** Seq of sealed batches. */
  readonly first?: number;
  readonly last?: number;
  readonly samples?: number;
  readonly events?: number;
  readonly results?: number;
  readonly spans?: number;
  readonly fromMs?: number;
  readonly untilMs?: number;
};
export type Thinned = EventFields<'thinned'>;

export type Job = {
  readonly store: Store;
  readonly tally: Tally;
  readonly drops: Drop[];
  /** Sealed in this transaction, and sealed ones that it dropped. */
  readonly sealed: SealedRow[];
  readonly unsealed: SealedRow[];
  /** Samples that were given up so that the rest fits. */
  thinned: number;
  /** Numbers were left out. */
  lanesMoved: boolean;
  /** Of the outbox, in hex. */
  readonly epoch: string;
  /** Adds the record of a loss to the events. @param areFinal its times are not corrected with its own. */
  readonly gap: (fields: Gap, areFinal?: boolean) => void;
  readonly tell: (kind: 'thinned', fields: Thinned, areFinal?: boolean) => void;
  /** The broker's time of something stamped at monotonic `mono` before that time was known. */
  readonly resolve: (timeMs: number, mono: number | null) => number;
  /** The same, and until the broker's time is known by the clock as it is set now: a record made now is corrected with it. */
  readonly recordMs: (timeMs: number, mono: number | null) => number;
  /** Until that time is known a record is corrected later, and with it what is not final. */
  readonly areTimesOpen: boolean;
};
