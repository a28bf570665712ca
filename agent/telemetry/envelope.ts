// Sealing: what waits becomes a batch with its seq and immutable bytes. Only the send window decides
// how much, because a sealed batch can no longer be merged with what comes after it. The window is
// shared so that backlog never takes the places that a command's result or an event needs.

import type { CommandResult } from '../../protocol/commands.ts';
import type { TerminalEvent } from '../../protocol/events.ts';
import * as limits from '../../protocol/limits.ts';
import { encodeBatch, type Stream } from '../../protocol/wire.ts';
import * as batches from './batches.ts';
import type { Job } from './job.ts';
import type { LossRecord } from './notes.ts';
import * as rows from './rows.ts';
import { fitTexts, type Packed, packEvents, packResults } from './seal.ts';
import { takeBacklog, takeLive } from './shelf.ts';
import { takeSpans } from './span-rows.ts';

export type Sealing = {
  /** Batches sealed and not acknowledged when the transaction began. */
  readonly inWindow: number;
  readonly liveDue: boolean;
  readonly sendMs: number;
  readonly createdMs: number;
  readonly clockOffsetMs: number;
};

/** How far each kind may fill the window. */
export const WINDOW_SHARES = {
  results: limits.WINDOW_BATCHES,
  events: limits.WINDOW_BATCHES - 2,
  live: limits.WINDOW_BATCHES - 4,
  traces: limits.WINDOW_BATCHES - 6,
  backlog: limits.WINDOW_BATCHES / 2,
} as const;

type Lane = { readonly stream: Stream; readonly live: boolean; readonly items: number };

function put(job: Job, sealing: Sealing, lane: Lane, packed: Packed): true {
  const { stream, live, items } = lane;
  const seq = batches.nextSeq(job.store, stream);
  const { createdMs, clockOffsetMs } = sealing;
  const { encoding, body } = packed;
  const { epoch } = job.store;
  const bytes = encodeBatch({ epoch, stream, seq, createdMs, clockOffsetMs, encoding, body });
  job.sealed.push(batches.addBatch(job.store, { stream, seq, live, items }, bytes));
  return true;
}

/** The oldest waiting texts that are whole; damaged ones are taken out and told. */
function takeTexts(job: Job, table: 'event' | 'result', countMax: number): rows.TextRow[] {
  const stream = table === 'event' ? 'events' : 'results';
  const found = rows.oldestTexts(job.store, table, countMax);
  const taken = found.slice(
    0,
    fitTexts(
      found.map((row) => row.body),
      countMax,
    ),
  );
  const last = taken.at(-1);
  if (last === undefined) return [];
  rows.removeTexts(job.store, table, last.id);
  job.tally[stream] -= taken.length;
  const whole = taken.filter((row) => row.body !== '');
  const count = taken.length - whole.length;
  if (count > 0) {
    job.drops.push({ stream, reason: 'damaged', count });
    job.gap({ stream, [stream]: count, reason: `stored ${stream} were damaged` });
  }
  return whole;
}

/** Records of a loss carry more times than their own. */
function corrected({ areFinal, ...event }: LossRecord, shiftMs: number): TerminalEvent {
  const timeMs = Math.round(event.timeMs + shiftMs);
  if (shiftMs === 0 || areFinal === true || (event.kind !== 'gap' && event.kind !== 'thinned')) {
    return { ...event, timeMs };
  }
  const moved = ['fromMs', 'untilMs'].flatMap((name) => {
    const at = event.fields[name];
    return typeof at === 'number' ? [[name, Math.max(0, at + shiftMs)]] : [];
  });
  return { ...event, timeMs, fields: { ...event.fields, ...Object.fromEntries(moved) } };
}

function sealEvents(job: Job, sealing: Sealing): boolean {
  const taken = takeTexts(job, 'event', limits.EVENTS_PER_BODY_MAX);
  if (taken.length === 0) return false;
  const events = taken.map((row) => {
    const event = JSON.parse(row.body) as LossRecord;
    return corrected(event, Math.round(job.resolve(event.timeMs, row.mono) - event.timeMs));
  });
  const lane: Lane = { stream: 'events', live: true, items: events.length };
  return put(job, sealing, lane, packEvents(events));
}

function sealResults(job: Job, sealing: Sealing): boolean {
  const taken = takeTexts(job, 'result', limits.RESULTS_PER_BODY_MAX);
  if (taken.length === 0) return false;
  const results = taken.map((row) => JSON.parse(row.body) as CommandResult);
  const lane: Lane = { stream: 'results', live: true, items: results.length };
  return put(job, sealing, lane, packResults(results));
}

function sealMetrics(job: Job, sealing: Sealing, live: boolean): boolean {
  const { sendMs } = sealing;
  const shelved = live ? takeLive(job, sendMs) : takeBacklog(job, sendMs);
  if (shelved === undefined) return false;
  return put(job, sealing, { stream: 'metrics', live, items: shelved.samples }, shelved);
}

function sealTraces(job: Job, sealing: Sealing): boolean {
  const taken = takeSpans(job);
  if (taken === undefined) return false;
  return put(job, sealing, { stream: 'traces', live: true, items: taken.spans }, taken);
}

/** Seals what the window has room for, in drain order. */
export function seal(job: Job, sealing: Sealing): void {
  const room = (share: number): boolean => sealing.inWindow + job.sealed.length < share;
  while (room(WINDOW_SHARES.results) && sealResults(job, sealing));
  while (room(WINDOW_SHARES.events) && sealEvents(job, sealing));
  while (sealing.liveDue && room(WINDOW_SHARES.live) && sealMetrics(job, sealing, true));
  while (room(WINDOW_SHARES.traces) && sealTraces(job, sealing));
  while (room(WINDOW_SHARES.backlog) && sealMetrics(job, sealing, false));
}
