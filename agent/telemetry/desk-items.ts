// Single things on their way to the outbox's disk: how each kind is written, when it happened while the broker's
// time is not known, and how a loss is told. Apart from desk.ts, which is about the disk.

import type { Stream } from '../../protocol/wire.ts';
import type { BootClock, Clock, Log } from '../ports.ts';
import type { SealedRow } from './batches.ts';
import * as batches from './batches.ts';
import type { Held } from './hold.ts';
import type { Job, Tally } from './job.ts';
import { makeRoomForSamples, metricsTooBig } from './room.ts';
import * as rows from './rows.ts';
import { fold, shelve } from './shelf.ts';
import { addSpanRow } from './span-rows.ts';
import type { BrokerTime } from './time.ts';

/** A clock that knows the boot lets anchors outlive the process (system.ts). */
export type OutboxClock = Clock & Partial<Pick<BootClock, 'bootId' | 'bootMs'>>;

/** Monotonic for the whole boot where that is known, and else for this process. */
export function anchorClock(clock: OutboxClock): Clock & { readonly bootId: string } {
  const bootId = clock.bootId?.() ?? '';
  const sinceBootMs = clock.bootMs?.();
  if (bootId === '' || sinceBootMs === undefined) return { ...clock, bootId: '' };
  const ahead = sinceBootMs - clock.monotonicMs();
  return { wallMs: clock.wallMs, monotonicMs: () => clock.monotonicMs() + ahead, bootId };
}

export type DeskOptions = {
  readonly path: string;
  readonly bytesMax: number;
  readonly clock: OutboxClock;
  readonly log: Log;
  readonly time: BrokerTime;
  /** How much is live; asked at each write because it may change. */
  readonly sendMs: () => number;
  readonly onNewEpoch: () => void;
  readonly makeRoom?: (() => boolean) | undefined;
};

type Numbered = { readonly stream: Stream; readonly seq: number };
export const keyOf = (row: Numbered): string => `${row.stream}/${row.seq}`;

/** Pieces dropped for one write; more would empty the outbox for the sake of one item. */
export const ROOM_TRIES = 8;
/** What a gap record takes in memory, roughly. */
export const GAP_BYTES = 500;

export const NOTHING_WAITS: Tally = {
  snapshots: 0,
  samples: 0,
  events: 0,
  results: 0,
  spans: 0,
  spanBytes: 0,
  deadLetters: 0,
  kept: 0,
  foldedTo: 0,
  liveTo: 0,
  thinnedTo: [0, 0],
};

export function writeItem(job: Job, item: Held, sendMs: number): void {
  switch (item.kind) {
    case 'event':
      rows.addEventRow(job.store, item.event, item.mono);
      job.tally.events += 1;
      return;
    case 'result':
      rows.addResultRow(job.store, item.body);
      job.tally.results += 1;
      return;
    case 'spans':
      addSpanRow(job, item.added, item.mono);
      return;
    case 'snapshot':
      for (let i = 0; i < ROOM_TRIES && metricsTooBig(job) && makeRoomForSamples(job); i += 1);
      shelve(job, item.snapshot, item.mono);
      fold(job, sendMs);
      return;
  }
}

/** Monotonic time of something that happened `ageMs` ago, while the broker's time is not known. */
export const anchorOf = (time: BrokerTime, clock: Clock, ageMs: number): number | null =>
  time.known() ? null : clock.monotonicMs() - Math.max(0, ageMs);

/** The broker's time of it, as soon as that is known. */
export const resolveTime = (
  time: BrokerTime,
  clock: Clock,
  timeMs: number,
  mono: number | null,
): number =>
  mono === null || !time.known() ? timeMs : time.nowMs() - (clock.monotonicMs() - mono);

/** A sealed batch whose bytes are no longer what they were. */
export function takeOutDamaged(job: Job, row: SealedRow): void {
  const { stream, seq, items } = row;
  job.tally.kept -= batches.unkeep(job.store, row.id);
  batches.removeBatch(job.store, row.id);
  job.unsealed.push(row);
  job.drops.push({ stream, reason: 'damaged', count: items });
  job.gap({ stream, first: seq, last: seq, reason: 'a stored batch was damaged' });
}

export function countsOf(
  { samples, events, results, spans, deadLetters, kept }: Tally,
  all: Iterable<SealedRow>,
) {
  const sealed = [...all];
  const of = (stream: Stream): number => sealed.filter((row) => row.stream === stream).length;
  return {
    batches: {
      events: of('events'),
      metrics: of('metrics'),
      results: of('results'),
      traces: of('traces'),
    },
    waiting: { samples, events, results, spans },
    deadLetters,
    keptBytes: kept,
  };
}
