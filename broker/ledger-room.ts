// Makes room in the ledger: bodies go oldest first, once they are older than they need be kept or when
// the file nears its bound, and never before every follower has read them. A few thousand at a time and
// only before an append, so that no acknowledgement waits for a large deletion.

import type { DatabaseSync } from 'node:sqlite';
import { openEdges, openGauge } from './sqlite.ts';

/** From this share of the bound, each append first deletes up to TRIM_ROWS followed rows. */
export const TRIM_FROM = 0.9;
/** More than one append brings, so that trimming keeps up; few enough not to stall it. */
export const TRIM_ROWS = 1_000;
/** What is too old waits for company: a deletion is a commit of its own. */
export const AGE_SLACK_MS = 60_000;

export type Bounds = { readonly bytesMax: number; readonly ageMsMax: number };
export type Reason = 'age' | 'size';
export type Trimmed = { readonly until: number; readonly why: Reason; readonly rows: number };

export type Room = {
  /** Deletes what may go; within a transaction of its own. `freeId`: all followers have read so far. */
  readonly make: (freeId: number, nowMs: number) => Trimmed;
  /** That transaction is on disk. */
  readonly made: (trimmed: Trimmed) => void;
  /** Whether `make` would do anything: it costs no transaction to ask. */
  readonly isDue: (freeId: number, nowMs: number) => boolean;
  /** Rows are there now that were not when the ledger was opened. */
  readonly added: (id: number, receivedMs: number) => void;
  /** The oldest row, undefined when there is none. */
  readonly oldest: () => { readonly id: number; readonly receivedMs: number } | undefined;
  readonly bytesUsed: () => number;
  readonly isFull: () => boolean;
};

export function openRoom(db: DatabaseSync, { bytesMax, ageMsMax }: Bounds): Room {
  const bytesUsed = openGauge(db);
  const remove = db.prepare('DELETE FROM batch WHERE id <= ?');
  const timeOf = db.prepare('SELECT received_ms AS ms FROM batch WHERE id = ?');
  const young = db.prepare(
    'SELECT id FROM batch WHERE id BETWEEN ? AND ? AND received_ms > ? ORDER BY id LIMIT 1',
  );
  const place = (id: number) => ({ id, receivedMs: Number(timeOf.get(id)?.['ms'] ?? 0) });
  const edges = openEdges(db, 'batch')();
  let oldest = edges && place(edges.oldest);

  const isFull = (): boolean => bytesUsed() >= bytesMax * TRIM_FROM;
  const isOld = (nowMs: number): boolean =>
    oldest !== undefined && nowMs - oldest.receivedMs > ageMsMax + AGE_SLACK_MS;

  function plan(freeId: number, nowMs: number): Pick<Trimmed, 'until' | 'why'> {
    const from = oldest?.id ?? 0;
    const last = Math.min(freeId, from + TRIM_ROWS - 1);
    if (isFull()) return { until: last, why: 'size' };
    const first = young.get(from, last, nowMs - ageMsMax)?.['id'];
    return { until: first === undefined ? last : Number(first) - 1, why: 'age' };
  }

  return {
    isDue: (freeId, nowMs) =>
      oldest !== undefined && freeId >= oldest.id && (isOld(nowMs) || isFull()),
    make: (freeId, nowMs) => {
      const planned = plan(freeId, nowMs);
      return { ...planned, rows: Number(remove.run(planned.until).changes) };
    },
    made: ({ until, rows }) => {
      if (rows > 0) oldest = place(until + 1);
    },
    added: (id, receivedMs) => {
      oldest ??= { id, receivedMs };
    },
    oldest: () => oldest,
    bytesUsed,
    isFull,
  };
}
