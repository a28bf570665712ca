// Who reads the ledger and how far each has come. Nothing that one of them has still to read is deleted,
// and the slowest one decides how fast terminals may send what they have kept (pace.ts).

import type { DatabaseSync } from 'node:sqlite';

export type Slowest = {
  readonly follower: string;
  /** It has read up to this row. */
  readonly id: number;
  readonly rows: number;
  /** Undefined when it has read everything. */
  readonly sinceMs: number | undefined;
};

export function createFollowers(db: DatabaseSync, newestId: () => number) {
  const followers = new Map<string, number>();
  const after = db.prepare('SELECT received_ms AS ms FROM batch WHERE id > ? ORDER BY id LIMIT 1');
  const slowest = (): [string, number] | undefined =>
    [...followers].sort(([, a], [, b]) => a - b)[0];
  return {
    set: (follower: string, id: number): void => {
      const reached = Math.min(id, newestId());
      followers.set(follower, Math.max(followers.get(follower) ?? 0, reached));
    },
    /** Up to here everybody has read; 0 while nobody does. */
    followedId: (): number => (followers.size === 0 ? 0 : Math.min(...followers.values())),
    slowest: (): Slowest | undefined => {
      const [follower, id] = slowest() ?? [];
      if (follower === undefined || id === undefined) return undefined;
      const rows = newestId() - id;
      const ms = rows === 0 ? undefined : after.get(id)?.['ms'];
      return { follower, id, rows, sinceMs: ms === undefined ? undefined : Number(ms) };
    },
  };
}
