// The rows of the ledger that wait to be folded, by terminal. In memory, about 100 bytes each (an hour and a
// half of 10 000 terminals are a million), and in the history's file, so that a restart need not read them
// all again. The lowest of them is what the ledger must still keep.

import { dueMs, dueRows, type PendingRow, spreadOf } from './plan.ts';

export type DueRows = { readonly terminal: string; readonly rows: readonly PendingRow[] };

export type Waiting = {
  readonly add: (terminal: string, row: PendingRow) => void;
  readonly remove: (rows: DueRows) => void;
  readonly of: (terminal: string) => readonly PendingRow[];
  /** Of at most `limit` terminals. @param all whether or not they are due. */
  readonly due: (nowMs: number, limit: number, all: boolean) => readonly DueRows[];
  readonly count: () => number;
  /** The lowest id; undefined when nothing waits. */
  readonly lowest: () => number | undefined;
  readonly clear: () => void;
};

type Entry = { rows: PendingRow[]; readonly spreadMs: number; dueMs: number };

const earliest = (rows: readonly PendingRow[], spreadMs: number): number =>
  rows.reduce((least, row) => Math.min(least, dueMs(row, spreadMs)), Number.POSITIVE_INFINITY);

export function createWaiting(): Waiting {
  const entries = new Map<string, Entry>();
  let count = 0;
  return {
    add: (terminal, row) => {
      const spreadMs = spreadOf(terminal);
      const known = entries.get(terminal) ?? {
        rows: [],
        spreadMs,
        dueMs: Number.POSITIVE_INFINITY,
      };
      known.rows.push(row);
      known.dueMs = Math.min(known.dueMs, dueMs(row, spreadMs));
      entries.set(terminal, known);
      count += 1;
    },
    remove: ({ terminal, rows }) => {
      const entry = entries.get(terminal);
      if (entry === undefined) return;
      const gone = new Set(rows.map(({ id }) => id));
      const left = entry.rows.filter(({ id }) => !gone.has(id));
      count -= entry.rows.length - left.length;
      if (left.length === 0) entries.delete(terminal);
      entry.rows = left;
      entry.dueMs = earliest(left, entry.spreadMs);
    },
    of: (terminal) => entries.get(terminal)?.rows ?? [],
    due: (nowMs, limit, all) => {
      const found: DueRows[] = [];
      for (const [terminal, entry] of entries) {
        if (found.length >= limit) break;
        if (all) found.push({ terminal, rows: entry.rows });
        else if (entry.dueMs <= nowMs) {
          found.push({ terminal, rows: dueRows(entry.rows, entry.spreadMs, nowMs) });
        }
      }
      return found;
    },
    count: () => count,
    lowest: () => {
      let lowest: number | undefined;
      for (const { rows } of entries.values()) {
        // Rows of one terminal are in the order of the ledger.
        const id = rows[0]?.id;
        if (id !== undefined && (lowest === undefined || id < lowest)) lowest = id;
      }
      return lowest;
    },
    clear: () => {
      entries.clear();
      count = 0;
    },
  };
}
