// Finds the row of a number that a lane has delivered before, so that a batch which comes again with
// other bytes (an outbox put back from an old image) is not mistaken for the one that is on disk. Each
// row names the row before it in its lane, so the way to it is a walk from the newest one. An index by
// lane and seq would cost every commit dearly for what only a rare batch needs (design.md 5). What was
// walked is remembered for a while: an outbox that repeats a day asks for its rows one after the other.

import type { DatabaseSync } from 'node:sqlite';
import type { Lane } from './ledger-lanes.ts';

/** Rows walked for one commit, 3 µs each; who needs more is answered when it comes again. */
export const WALK_ROWS_MAX = 4_000;
/** Rows remembered, about 60 bytes each; of one lane that is four months of a batch a minute. */
export const WALKED_MAX = 200_000;

/**
 * `other`: that number has other bytes. `gone`: its body was removed, or lies further back than
 * WALKED_MAX. `later`: not found within this commit's share.
 */
export type Comparison = 'same' | 'other' | 'gone' | 'later';

export type Chain = {
  /** A commit begins. */
  readonly begin: () => void;
  readonly compare: (lane: Readonly<Lane>, seq: number, bytes: Uint8Array) => Comparison;
  /** The commit failed: rows that were walked may not exist. */
  readonly forget: () => void;
};

type Walk = {
  /** Seq to row. */
  readonly rows: Map<number, number>;
  /** The newest row that it knows, but for a gap: rows from `gapFrom` down to (not with) `gapUntil`. */
  top: number;
  gapFrom: number;
  gapUntil: number;
  /** The row to go on with; 0 at the end. */
  next: number;
};

export function openChain(db: DatabaseSync, walkRowsMax = WALK_ROWS_MAX): Chain {
  const step = db.prepare('SELECT seq, prev FROM batch WHERE id = ?');
  const read = db.prepare('SELECT body FROM batch WHERE id = ?');
  /** The oldest entry is the least recently used. */
  const walks = new Map<number, Walk>();
  let remembered = 0;
  let left = walkRowsMax;

  function drop(laneId: number): void {
    remembered -= walks.get(laneId)?.rows.size ?? 0;
    walks.delete(laneId);
  }

  /** @returns the row before, 0 at the end of the chain. */
  function note(walk: Walk, id: number): number {
    left -= 1;
    const row = step.get(id);
    if (row === undefined) return 0;
    const { seq, prev } = row as { seq: number; prev: number };
    if (!walk.rows.has(seq)) {
      walk.rows.set(seq, id);
      remembered += 1;
    }
    return prev;
  }

  /** @returns false when this commit's share does not reach. */
  function closeGap(walk: Walk): boolean {
    while (walk.gapFrom > walk.gapUntil) {
      if (left <= 0) return false;
      walk.gapFrom = note(walk, walk.gapFrom);
    }
    return true;
  }

  /** What came since the last walk. */
  function catchUp(walk: Walk, newest: number): boolean {
    if (!closeGap(walk)) return false;
    walk.gapFrom = newest;
    walk.gapUntil = walk.top;
    walk.top = newest;
    return closeGap(walk);
  }

  function walkOf({ id, newest }: Readonly<Lane>): Walk {
    const begun = { rows: new Map(), top: newest, gapFrom: 0, gapUntil: 0, next: newest };
    const walk: Walk = walks.get(id) ?? begun;
    walks.delete(id);
    walks.set(id, walk);
    return walk;
  }

  function makeRoom(): void {
    for (const laneId of walks.keys()) {
      if (remembered <= WALKED_MAX || walks.size === 1) return;
      drop(laneId);
    }
  }

  function find(walk: Walk, seq: number): number | 'later' | undefined {
    while (!walk.rows.has(seq) && walk.next > 0) {
      if (walk.rows.size >= WALKED_MAX) return undefined;
      if (left <= 0) return 'later';
      walk.next = note(walk, walk.next);
    }
    return walk.rows.get(seq);
  }

  return {
    begin: () => {
      left = walkRowsMax;
    },
    compare: (lane, seq, bytes) => {
      const walk = walkOf(lane);
      const found = catchUp(walk, lane.newest) ? find(walk, seq) : 'later';
      makeRoom();
      if (found === 'later') return 'later';
      const row = found === undefined ? undefined : read.get(found);
      if (row === undefined) return 'gone';
      return Buffer.compare(row['body'] as Uint8Array, bytes) === 0 ? 'same' : 'other';
    },
    forget: () => {
      walks.clear();
      remembered = 0;
    },
  };
}
