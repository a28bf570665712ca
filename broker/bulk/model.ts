// A bulk action: one command for a frozen list of terminals, carried out in waves. What it is and how it stands, and the
// few sums that everybody needs. Pure data; what happens to it is decided in machine.ts.

import { catalogue } from '../../protocol/catalogue.ts';
import type { CommandContent } from '../../protocol/commands.ts';
import type { QueueState } from '../commands/queue.ts';
import type { Actor } from '../commands/request.ts';

export const TARGET_STATES = [
  'waiting',
  /** Chosen, and its command is not there yet: never seen outside of one transaction. */
  'issuing',
  'sent',
  /** No result in time. It counts as failed, and as being at it: nobody knows what it does. */
  'overdue',
  'succeeded',
  'failed',
  /** Nothing was done there. */
  'skipped',
] as const;
export type TargetState = (typeof TARGET_STATES)[number];

export type Target = {
  readonly terminal: string;
  /** Where it stood when the list was frozen. */
  readonly store: string;
  readonly state: TargetState;
  /** Empty while it has none; it never gets a second one. */
  readonly command: string;
  readonly reason: string;
  readonly sentMs: number;
};

export const BULK_STATES = [
  /** The list is frozen and shown; nothing is done before somebody starts it. */
  'planned',
  'running',
  'paused',
  'done',
  'aborted',
  /** It was never started. */
  'expired',
] as const;
export type BulkState = (typeof BULK_STATES)[number];

export type LeftOut = { readonly terminal: string; readonly reason: string };

export type BulkLimits = {
  /** Terminals of the first wave; each next one is at most twice as large as the one before. */
  readonly firstWave: number;
  /** At most so much of the fleet at one time, in hundredths. */
  readonly fleetPercent: number;
  /** It stops when more than so many hundredths of what has ended failed, and at least `failuresMin`. */
  readonly failurePercent: number;
  readonly failuresMin: number;
};

export type BulkModel = {
  readonly id: string;
  readonly content: CommandContent;
  readonly plannedBy: string;
  /** The recurring window that it is a part of: tills that are in maintenance are let alone. */
  readonly window?: string | undefined;
  /** In whose name it goes on: whoever started it, or resumed it last. */
  readonly startedBy: Actor | undefined;
  readonly reason: string;
  readonly createdMs: number;
  readonly startedMs: number | undefined;
  /** So long after its start no terminal gets it any more. */
  readonly lastsMs: number;
  /** Together with others of the same operator it is about several stores. */
  readonly joined?: boolean;
  /** When that is; undefined before the start. */
  readonly expiresMs: number | undefined;
  readonly endedMs: number | undefined;
  readonly state: BulkState;
  /** Why it is paused, aborted or over. */
  readonly why: string;
  /** How long a command of it may take, from its sending to its result. */
  readonly resultMs: number;
  readonly wave: { readonly number: number; readonly size: number };
  /** What somebody has seen and gone on with: only what came after it stops again. */
  readonly forgiven: { readonly failed: number; readonly ended: number };
  readonly limits: BulkLimits;
  /** Terminals of the fleet when the list was frozen. */
  readonly fleetSize: number;
  /** Who was meant and cannot be: the first few, and how many in all. */
  readonly leftOut: { readonly count: number; readonly first: readonly LeftOut[] };
  readonly targets: readonly Target[];
};

export type Counts = Readonly<Record<TargetState, number>>;

export function countsOf({ targets }: Pick<BulkModel, 'targets'>): Counts {
  const counts = Object.fromEntries(TARGET_STATES.map((state) => [state, 0])) as Record<
    TargetState,
    number
  >;
  for (const { state } of targets) counts[state] += 1;
  return counts;
}

export const isInFlight = ({ state }: Pick<Target, 'state'>): boolean =>
  state === 'issuing' || state === 'sent' || state === 'overdue';

/** How many of each store are at it. @param moved where those stand that stand elsewhere now. */
export function inFlightOf(
  { targets }: Pick<BulkModel, 'targets'>,
  moved: ReadonlyMap<string, string>,
): Map<string, number> {
  const busy = new Map<string, number>();
  for (const target of targets) {
    if (!isInFlight(target)) continue;
    const store = moved.get(target.terminal) ?? target.store;
    busy.set(store, (busy.get(store) ?? 0) + 1);
  }
  return busy;
}

/** Nothing can happen to it any more. */
export const isOver = (model: BulkModel): boolean =>
  model.state === 'expired' ||
  ((model.state === 'done' || model.state === 'aborted') && !model.targets.some(isInFlight));

/** Half of what would sell in a store if nobody were at it, and of a single one that one. */
export const storeMax = (size: number): number => Math.max(1, Math.floor(size / 2));

export const fleetMax = ({ fleetSize, limits }: Pick<BulkModel, 'fleetSize' | 'limits'>): number =>
  Math.max(1, Math.floor((fleetSize * limits.fleetPercent) / 100));

export const storesOf = ({ targets }: Pick<BulkModel, 'targets'>): number =>
  new Set(targets.map(({ store }) => store)).size;

/** It can keep tills of several stores from selling: more is asked of whoever starts it. */
export const isWide = (model: Pick<BulkModel, 'content' | 'targets' | 'joined'>): boolean =>
  catalogue[model.content.kind].stopsSelling && (model.joined === true || storesOf(model) > 1);

/** One store after the other by bulk actions of their own is several stores as well. */
export function isJoined(
  model: Pick<BulkModel, 'content' | 'targets'>,
  running: readonly BulkModel[],
  operator: string,
): boolean {
  const stores = new Set(model.targets.map(({ store }) => store));
  return running.some(
    ({ state, startedBy, content, targets }) =>
      state !== 'planned' &&
      startedBy?.name === operator &&
      catalogue[content.kind].stopsSelling &&
      targets.some(({ store }) => !stores.has(store)),
  );
}

/** What has to be typed to start a wide one. */
export const confirmOf = ({ content, targets }: Pick<BulkModel, 'content' | 'targets'>): string =>
  `${content.kind.replaceAll('_', '-')} ${targets.length}`;

/** What becomes of a target with the last word on its command. */
export function targetStateOf(state: QueueState): TargetState | undefined {
  switch (state) {
    case 'succeeded':
      return 'succeeded';
    case 'cancelled':
      return 'skipped';
    case 'rejected':
    case 'failed':
    case 'expired':
    case 'unknown':
      return 'failed';
    default:
      return undefined;
  }
}
