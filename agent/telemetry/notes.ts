// Records of a loss, so few that thirty days of it are one line: a record that still waits unsealed grows
// with the loss that follows it, if the two touch. Two losses with something delivered between them stay two
// records, because a record's times must say exactly what is missing.

import { randomUUID } from 'node:crypto';
import type { EventFields, TerminalEvent } from '../../protocol/events.ts';
import type { Gap, Job, Tally, Thinned } from './job.ts';
import type { SampleRow } from './rows.ts';
import * as rows from './rows.ts';
import type { Store } from './store.ts';

/** Looked at when a record might grow: losses of a few kinds may go on side by side. */
const OPEN_NOTES = 4;
/** Timers are late by a little: snapshots that are so much further apart than usual still follow each other. */
const TOUCH_RATIO = 1.5;
const COUNTS = ['samples', 'events', 'results', 'spans'] as const;

export type Stretch = {
  readonly fromMs: number;
  readonly untilMs: number;
  /** Between two of its instants, as far as that is known. */
  readonly stepMs: number;
  readonly samples: number;
  /** These times are never corrected: they were known when it was sampled, or belong to another boot. */
  readonly areFinal: boolean;
};

/** As it waits: one whose times are final, while its own is still to be corrected, says so until it is sealed. */
export type LossRecord = TerminalEvent & { readonly areFinal?: true };

export const gapEvent = (timeMs: number, fields: EventFields<'gap'>): TerminalEvent => ({
  ...{ id: randomUUID(), timeMs, kind: 'gap', component: '', fields },
});

/** The mean distance of a row's instants; 0 where it has but one. */
export const stepOf = ({ timeMs, untilMs, snapshots }: SampleRow): number =>
  snapshots > 1 ? Math.abs(untilMs - timeMs) / (snapshots - 1) : 0;

const touches = (untilMs: number, fromMs: number, stepMs: number): boolean =>
  Math.abs(fromMs - untilMs) <= stepMs * TOUCH_RATIO;

/** Whether `next` follows `row` with nothing between them. `nearMs`: how far singles are apart. */
export const follows = (row: SampleRow, next: SampleRow, nearMs: number): boolean =>
  touches(row.untilMs, next.timeMs, Math.max(stepOf(row), stepOf(next), nearMs));

/** The least distance between two neighbours, or inside one: how often it was sampled here. */
export function nearest(all: readonly SampleRow[]): number {
  const steps = all.map(stepOf);
  const hops = all.slice(1).map((row, index) => Math.abs(row.timeMs - (all[index]?.untilMs ?? 0)));
  const known = [...steps, ...hops].filter((step) => step > 0);
  return known.length === 0 ? 0 : Math.min(...known);
}

/** Rows in the order of their ids as stretches without a hole, at the times that are known by now. */
export function stretchesOf(job: Pick<Job, 'recordMs'>, all: readonly SampleRow[]): Stretch[] {
  const nearMs = nearest(all);
  const found: Stretch[] = [];
  for (const [index, row] of all.entries()) {
    const before = all[index - 1];
    const fromMs = Math.round(job.recordMs(row.timeMs, row.mono));
    const areFinal = row.mono === null;
    const isNext = before !== undefined && follows(before, row, nearMs);
    const untilMs = fromMs + (row.untilMs - row.timeMs);
    const open = found.at(-1);
    if (open !== undefined && isNext && open.areFinal === areFinal) {
      const stepMs = Math.max(open.stepMs, stepOf(row));
      found[found.length - 1] = {
        fromMs: Math.min(open.fromMs, fromMs),
        untilMs: Math.max(open.untilMs, untilMs),
        samples: open.samples + row.samples,
        ...{ stepMs, areFinal },
      };
    } else {
      const stepMs = stepOf(row) || nearMs;
      found.push({ fromMs, untilMs, samples: row.samples, stepMs, areFinal });
    }
  }
  return found;
}

type Fields = Readonly<Record<string, unknown>>;
const countOf = (fields: Fields, name: string): number => Number(fields[name] ?? 0);

/** Everything but times and counts is the same, and the two touch. */
function isSame(open: Fields, added: Fields, stepMs: number): boolean {
  const same = ['reason', 'stream', 'epoch', 'everyMs', 'first'].every(
    (name) => open[name] === added[name],
  );
  const untilMs = open['untilMs'];
  const fromMs = added['fromMs'];
  if (!same || typeof untilMs !== 'number' || typeof fromMs !== 'number') return false;
  return touches(untilMs, fromMs, stepMs);
}

type Growth = { readonly kind: 'gap' | 'thinned'; readonly areFinal: boolean; stepMs: number };

/** @returns false when there is no such record to grow. */
function grow(job: Job, { kind, areFinal, stepMs }: Growth, news: Fields): boolean {
  for (const { id, body, mono } of rows.newestEvents(job.store, kind, OPEN_NOTES)) {
    if (body === '') continue;
    const event = JSON.parse(body) as LossRecord;
    const open: Fields = event.fields;
    const isOpenFinal = event.areFinal === true || mono === null;
    if (job.areTimesOpen && isOpenFinal !== areFinal) continue;
    // The clock may have been set since: what is added is corrected with what is there.
    const shiftMs = isOpenFinal ? 0 : Math.round(job.recordMs(event.timeMs, mono) - event.timeMs);
    const fromThereMs = countOf(news, 'fromMs') - shiftMs;
    const untilThereMs = countOf(news, 'untilMs') - shiftMs;
    const added: Fields = { ...news, fromMs: fromThereMs, untilMs: untilThereMs };
    if (!isSame(open, added, stepMs)) continue;
    const sums = COUNTS.filter((name) => added[name] !== undefined).map(
      (name) => [name, countOf(open, name) + countOf(added, name)] as const,
    );
    const fromMs = Math.min(countOf(open, 'fromMs'), countOf(added, 'fromMs'));
    const untilMs = Math.max(countOf(open, 'untilMs'), countOf(added, 'untilMs'));
    const fields = { ...open, fromMs, untilMs, ...Object.fromEntries(sums) };
    rows.rewriteEvent(job.store, id, { ...event, fields });
    return true;
  }
  return false;
}

/** The loss of what is in these rows, as records that say exactly from when until when. */
export function noteSamples(job: Job, lost: readonly SampleRow[], fields: Gap): void {
  for (const { fromMs, untilMs, samples, stepMs, areFinal } of stretchesOf(job, lost)) {
    const added = { ...fields, fromMs, untilMs, samples };
    const growth: Growth = { kind: 'gap', areFinal, stepMs };
    if (!grow(job, growth, { ...added, epoch: job.epoch })) job.gap(added, areFinal);
  }
}

/** Two that are as far apart as what is left are one. */
export function noteThinned(job: Job, fields: Thinned, areFinal: boolean): void {
  const growth: Growth = { kind: 'thinned', areFinal, stepMs: fields.everyMs };
  if (!grow(job, growth, fields)) job.tell('thinned', fields, areFinal);
}

type JobOptions = {
  readonly store: Store;
  readonly tally: Tally;
  /** Of the outbox, in hex. */
  readonly epoch: string;
  readonly nowMs: number;
  /** When it is, where the broker's time is not known. */
  readonly mono: number | null;
  readonly resolve: Job['resolve'];
};

export function newJob({ store, tally, epoch, nowMs, mono, resolve }: JobOptions): Job {
  const areTimesOpen = mono !== null;
  const addEvent = (event: TerminalEvent, areFinal = false): void => {
    const made: LossRecord = areFinal && areTimesOpen ? { ...event, areFinal } : event;
    rows.addEventRow(store, made, mono);
    tally.events += 1;
  };
  return {
    ...{ store, tally, epoch, drops: [], sealed: [], unsealed: [], resolve },
    ...{ thinned: 0, lanesMoved: false, areTimesOpen },
    recordMs: (timeMs, of) =>
      mono === null || of === null ? resolve(timeMs, of) : nowMs - (mono - of),
    gap: (fields, areFinal) => addEvent(gapEvent(nowMs, { epoch, ...fields }), areFinal),
    tell: (kind, fields, areFinal) =>
      addEvent({ ...gapEvent(nowMs, { epoch, reason: '' }), kind, fields }, areFinal),
  };
}
