// When a row of the ledger is folded into the blocks of its hours. A block is written whole, so folding each
// minute would write every hour sixty times; folding after the hour is over writes it about once. Until then
// the row waits in the ledger, where questions find it. Pure: times in, times out.

import { HOUR_MS, hourOf } from './hours.ts';

/** Samples of an hour's end arrive within this after it, where the line is good. */
const GRACE_MS = 2 * 60_000;
/** Terminals take turns over this long, so that a fleet's blocks are not all written in one minute. */
const SPREAD_MS = 20 * 60_000;
/** Backlog is of hours that are over: it waits for company, because more of the same hour follows it. */
export const GATHER_MS = 10 * 60_000;
/** However far ahead a clock is: a row that waits is one that the ledger cannot delete. */
const WAIT_MS_MAX = 2 * HOUR_MS;

export type PendingRow = {
  readonly id: number;
  /** Time of its newest sample. */
  readonly lastMs: number;
  readonly receivedMs: number;
};

/** The same for a terminal for ever: FNV-1a of its id. */
export function spreadOf(terminal: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < terminal.length; i += 1) {
    hash = Math.imul(hash ^ terminal.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash % SPREAD_MS;
}

export function dueMs({ lastMs, receivedMs }: PendingRow, spreadMs: number): number {
  const hourOver = (hourOf(lastMs) + 1) * HOUR_MS + GRACE_MS + spreadMs;
  return Math.min(Math.max(hourOver, receivedMs + GATHER_MS), receivedMs + WAIT_MS_MAX);
}

/** @returns the rows to fold now: none, or all that are due soon, so that a block is opened once for them. */
export function dueRows(
  rows: readonly PendingRow[],
  spreadMs: number,
  nowMs: number,
): readonly PendingRow[] {
  if (!rows.some((row) => dueMs(row, spreadMs) <= nowMs)) return [];
  return rows.filter((row) => dueMs(row, spreadMs) <= nowMs + GATHER_MS);
}
