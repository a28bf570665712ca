// Who reads the ledger and how far each has come. Nothing that one of them still needs is deleted, and the
// one that reads slowest decides how fast terminals may send what they have kept (pace.ts). These are two
// things: history needs the rows of an hour until it is over, a sink those of the last half minute, and
// neither is behind for that.

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
  const followers = new Map<string, { readonly id: number; readonly readId: number }>();
  const after = db.prepare('SELECT received_ms AS ms FROM batch WHERE id > ? ORDER BY id LIMIT 1');
  const last = (place: 'id' | 'readId') =>
    [...followers].sort(([, a], [, b]) => a[place] - b[place])[0];
  /** Undefined also where it cannot be read: followers say that, and this is asked each second. */
  function receivedAfter(id: number): number | undefined {
    try {
      const ms = after.get(id)?.['ms'];
      return ms === undefined ? undefined : Number(ms);
    } catch {
      return undefined;
    }
  }
  return {
    set: (follower: string, id: number, readId: number): void => {
      const known = followers.get(follower) ?? { id: 0, readId: 0 };
      const reached = (place: number): number => Math.min(place, newestId());
      followers.set(follower, {
        id: Math.max(known.id, reached(id)),
        readId: Math.max(known.readId, reached(readId)),
      });
    },
    /** Nobody needs what lies up to here; 0 while nobody reads. */
    followedId: (): number => last('id')?.[1].id ?? 0,
    /** Who needs the oldest row, and how many there are from it on. */
    holder: (): { readonly follower: string; readonly rows: number } | undefined => {
      const [follower, place] = last('id') ?? [];
      if (follower === undefined || place === undefined) return undefined;
      return { follower, rows: newestId() - place.id };
    },
    slowest: (): Slowest | undefined => {
      const [follower, place] = last('readId') ?? [];
      if (follower === undefined || place === undefined) return undefined;
      const id = place.readId;
      const rows = newestId() - id;
      return { follower, id, rows, sinceMs: rows === 0 ? undefined : receivedAfter(id) };
    },
  };
}
