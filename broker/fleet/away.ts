// What an agent tells afterwards of a time without its broker, and how its clock stands: facts about a terminal
// that nobody in the centre could have seen. Pure; the event's fields passed their schema, but their sense is
// checked here, because a terminal's clock may be anything.

import * as v from 'valibot';
import { AWAY_REASONS, type AwayReason, eventSchemas } from '../../protocol/events.ts';
import type {
  Absence,
  ClockModel,
  FleetEvent,
  Place,
  PlacedEvent,
  TerminalModel,
} from './model.ts';

const REASON_CHARS_MAX = 500;
/** A batch that is older than this when it comes was sent before, or waited for its line. */
const FRESH_MS = 30_000;
/** What a good line and a busy loop take is no error of a clock. */
const TRANSIT_MS = 2_000;

function partsOf(parts: Readonly<Record<string, number>> | undefined): Absence['parts'] {
  const known: Partial<Record<AwayReason, number>> = {};
  for (const reason of AWAY_REASONS) {
    const ms = parts !== undefined && Object.hasOwn(parts, reason) ? parts[reason] : undefined;
    if (ms !== undefined && Number.isFinite(ms) && ms > 0) known[reason] = ms;
  }
  return known;
}

/** The newest absence stays, in whatever order they come; none ends after it was told. */
export function setAway(
  model: TerminalModel,
  { fields }: PlacedEvent,
  place: Place,
): TerminalModel {
  const checked = v.safeParse(eventSchemas.away, fields);
  if (!checked.success) return model;
  const { fromMs, why, parts, reason } = checked.output;
  const untilMs = Math.min(checked.output.untilMs, place.timeMs);
  if (fromMs >= untilMs || untilMs <= (model.away?.untilMs ?? 0)) return model;
  const told = { fromMs, untilMs, why, parts: partsOf(parts) };
  return { ...model, away: { ...told, reason: reason.slice(0, REASON_CHARS_MAX) } };
}

type Stamp = Pick<
  Extract<FleetEvent, { kind: 'batch' }>,
  'receivedMs' | 'createdMs' | 'clockOffsetMs'
>;

/**
 * The agent says what it corrects; what is left shows in the time between making a batch and receiving it. One
 * that is old may have been sent twice and says nothing; one from the future can only be a clock.
 */
export function readClock(known: ClockModel | undefined, batch: Stamp): ClockModel | undefined {
  const { receivedMs, createdMs, clockOffsetMs } = batch;
  const aheadMs = createdMs - receivedMs;
  const isFirst = known === undefined && clockOffsetMs === 0;
  if (aheadMs < -FRESH_MS && !isFirst) return known;
  if (receivedMs < (known?.atMs ?? 0)) return known;
  const leftMs = Math.abs(aheadMs) <= TRANSIT_MS ? 0 : aheadMs;
  return { skewMs: leftMs - clockOffsetMs, leftMs, atMs: receivedMs };
}

/** Whether it was sealed as the newest there was: only those have the terminal's rhythm. */
export function isLive(
  { content, createdMs, receivedMs }: Extract<FleetEvent, { kind: 'batch' }>,
  saidMs: number,
): boolean {
  if (content.stream !== 'metrics') return false;
  const newestMs = content.snapshots.reduce((most, { timeMs }) => Math.max(most, timeMs), 0);
  const freshMs = Math.max(FRESH_MS, saidMs);
  return createdMs - newestMs <= freshMs && Math.abs(receivedMs - createdMs) <= FRESH_MS;
}
