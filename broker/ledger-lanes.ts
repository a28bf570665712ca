// The ledger's memory of what each lane has delivered. Lanes are read from their table when first
// needed and kept in a bounded cache, because the lanes of a fleet's past epochs are many and the
// live ones few. Changes of a running transaction are held apart until it is known to be on disk.

import type { DatabaseSync } from 'node:sqlite';
import type { Ranges } from '../protocol/ranges.ts';
import type { Stream } from '../protocol/wire.ts';

/** Lanes held in memory, about 400 bytes each; five streams of 10 000 terminals. */
export const LANES_CACHED_MAX = 50_000;

/** Lanes of one terminal: an honest one has four, and four more after each loss of its outbox. */
export const LANES_PER_TERMINAL_MAX = 1_000;

export type Lane = {
  readonly id: number;
  ranges: Ranges;
  /** Its newest row, whose body may be gone; 0 when there never was one. */
  newest: number;
};

export type Lanes = {
  /**
   * For the running transaction, made when new; its `ranges` may be set until `write`.
   * @returns undefined where it would be one lane too many of this terminal.
   */
  readonly take: (terminal: string, epochHex: string, stream: Stream) => Lane | undefined;
  /** Writes what changed; within the transaction. */
  readonly write: () => void;
  /** The transaction is on disk. */
  readonly keep: () => void;
  /** The transaction failed: memory goes back to what the disk says. */
  readonly forget: () => void;
  readonly ranges: (terminal: string, epochHex: string, stream: Stream) => Ranges;
};

/** Ranges on disk: `[[1,40],[42,42]]`, readable in any SQLite shell. */
const packRanges = (ranges: Ranges): string =>
  JSON.stringify(ranges.map(({ first, last }) => [first, last]));
const unpackRanges = (text: string): Ranges =>
  (JSON.parse(text) as [number, number][]).map(([first, last]) => ({ first, last }));

const keyOf = (terminal: string, epochHex: string, stream: Stream): string =>
  `${terminal}/${epochHex}/${stream}`;

export function openLanes(db: DatabaseSync, cachedMax = LANES_CACHED_MAX): Lanes {
  const select = db.prepare(
    'SELECT id, ranges, newest FROM lane WHERE terminal = ? AND epoch = ? AND stream = ?',
  );
  const insert = db.prepare(
    "INSERT INTO lane (terminal, epoch, stream, ranges) VALUES (?, ?, ?, '[]')",
  );
  const count = db.prepare('SELECT count(*) AS lanes FROM lane WHERE terminal = ?');
  const update = db.prepare('UPDATE lane SET ranges = ?, newest = ? WHERE id = ?');
  /** What is on disk; the oldest entry is the least recently used. */
  const cache = new Map<string, Lane>();
  const open = new Map<string, { readonly was: Ranges; readonly lane: Lane }>();

  function remember(key: string, lane: Lane): void {
    cache.delete(key);
    cache.set(key, lane);
    const oldest = cache.size > cachedMax ? cache.keys().next() : undefined;
    if (oldest?.done === false) cache.delete(oldest.value);
  }

  function read(terminal: string, epochHex: string, stream: Stream): Lane | undefined {
    const cached = cache.get(keyOf(terminal, epochHex, stream));
    if (cached !== undefined) return cached;
    const row = select.get(terminal, epochHex, stream);
    if (row === undefined) return undefined;
    return {
      id: Number(row['id']),
      ranges: unpackRanges(String(row['ranges'])),
      newest: Number(row['newest']),
    };
  }

  /** Lanes are never removed, so that a batch is recognised for ever: their number must end somewhere. */
  function make(terminal: string, epochHex: string, stream: Stream): Lane | undefined {
    if (Number(count.get(terminal)?.['lanes']) >= LANES_PER_TERMINAL_MAX) return undefined;
    const { lastInsertRowid } = insert.run(terminal, epochHex, stream);
    return { id: Number(lastInsertRowid), ranges: [], newest: 0 };
  }

  return {
    take: (terminal, epochHex, stream) => {
      const key = keyOf(terminal, epochHex, stream);
      const taken = open.get(key);
      if (taken !== undefined) return taken.lane;
      const found = read(terminal, epochHex, stream) ?? make(terminal, epochHex, stream);
      if (found === undefined) return undefined;
      const lane = { ...found };
      open.set(key, { was: found.ranges, lane });
      return lane;
    },
    write: () => {
      for (const { was, lane } of open.values()) {
        if (lane.ranges !== was) update.run(packRanges(lane.ranges), lane.newest, lane.id);
      }
    },
    keep: () => {
      for (const [key, { lane }] of open) remember(key, lane);
      open.clear();
    },
    forget: () => open.clear(),
    ranges: (terminal, epochHex, stream) => read(terminal, epochHex, stream)?.ranges ?? [],
  };
}
