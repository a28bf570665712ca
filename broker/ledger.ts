// What terminals delivered, in the order in which it was committed: one append-only table without a
// secondary index (15 times as fast as a composite key, design.md 5), and one row per lane, that is
// per (terminal, epoch, stream), with the ranges of seqs that were ever committed. The ranges tell a
// duplicate and stay for ever; bodies go oldest first once every follower has read them and they are
// old or the file nears its bound (ledger-room.ts). A commit that fails acknowledges nothing: terminals
// keep what they have.

import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { packBody } from '../protocol/body.ts';
import type { Ranges } from '../protocol/ranges.ts';
import { fail, ok, type Result } from '../protocol/result.ts';
import { encodeBatch, type Stream } from '../protocol/wire.ts';
import type { Clock } from './clock.ts';
import { openLedgerFile } from './ledger-file.ts';
import { createFollowers, type Slowest } from './ledger-followers.ts';
import { openLanes } from './ledger-lanes.ts';
import { type LedgerRow, openReader } from './ledger-reader.ts';
import { openRoom, type Reason } from './ledger-room.ts';
import { type AppendResult, type NewBatch, openWriter } from './ledger-writer.ts';

/** What a ledger may take on disk unless configured; about a week of 1 000 terminals. */
export const LEDGER_BYTES_MAX = 1024 ** 3;
/** How long bodies are kept unless configured; also what they are kept for is read much sooner. */
export const LEDGER_AGE_MS_MAX = 30 * 86_400_000;
export type LedgerStats = {
  /** Pages in use; the file itself keeps freed pages for later. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly rows: number;
  /** Id of the newest row, 0 when there was none. */
  readonly newestId: number;
  readonly followedId: number;
  readonly commits: number;
  readonly commitsFailed: number;
  /** Why the last commit failed; undefined while they succeed. */
  readonly failing: string | undefined;
  /** Rows deleted since the start, by why; all of them had been followed. */
  readonly trimmedBy: Readonly<Record<Reason, number>>;
  /** Since the oldest row was received; undefined when there is none. */
  readonly oldestAgeMs: number | undefined;
  /** Batches with a number that is taken and other bytes, by stream. */
  readonly conflicts: Readonly<Partial<Record<Stream, number>>>;
  /** What was appended since the start: the size of a row is this by `rowsAppended`. */
  readonly bytesAppended: number;
  readonly rowsAppended: number;
};

export type { Slowest } from './ledger-followers.ts';
export type { LedgerRow } from './ledger-reader.ts';
export { READ_BYTES_MAX } from './ledger-reader.ts';
export type { AppendResult, NewBatch } from './ledger-writer.ts';
export { LANE_RANGES_MAX } from './ledger-writer.ts';

/** Terminal of what the broker itself records: no terminal can have this id (protocol/ids.ts). */
export const OWN = '';

export type Ledger = {
  /** Of its file, for threads that read it with a connection of their own (ledger-reader.ts). */
  readonly path: string;
  /** 16 random bytes, made with the file: a terminal notices when it is another one. */
  readonly generation: Uint8Array;
  /** All or nothing: one transaction, on disk when this returns ok. Results in the order given. */
  readonly append: (batches: readonly NewBatch[]) => Result<readonly AppendResult[]>;
  /** Everything ever committed of a lane, also when its bodies are gone. */
  readonly ranges: (terminal: string, epochHex: string, stream: Stream) => Ranges;
  /** Rows after `id` in order: at most `limit`, and at most READ_BYTES_MAX but for the first. */
  readonly readAfter: (id: number, limit: number) => LedgerRow[];
  /**
   * Records something of the broker's own in a lane of its own (terminal OWN), on disk when it returns ok.
   * @param body plain: a metric body whose series carry their `store` and `terminal`, or a traces body.
   */
  readonly appendOwn: (stream: 'metrics' | 'traces', body: Uint8Array) => Result<unknown>;
  /**
   * Rows up to `id` were applied by this follower. What all followers have applied may be deleted; whoever
   * called this once is a follower until the ledger closes. A follower that does not know yet where it stands
   * says 0 at once, so that nothing goes before it has looked.
   * @param readId where it keeps rows that it has read already (ledger-followers.ts)
   */
  readonly setFollowed: (follower: string, id: number, readId?: number) => void;
  /** The follower that has most left to read, and since when the first of it lies there. */
  readonly slowest: () => Slowest | undefined;
  /** Called soon after (not within) commits that brought something new. @returns an undo. */
  readonly onCommit: (listener: () => void) => () => void;
  readonly stats: () => LedgerStats;
  readonly close: () => void;
};

export type LedgerOptions = {
  readonly path: string;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly bytesMax?: number;
  readonly ageMsMax?: number;
};

/** Tells listeners once per turn of the loop, so that acknowledgements never wait for a follower. */
function createNotice(): { tell: () => void; add: Ledger['onCommit']; end: () => void } {
  const listeners = new Set<() => void>();
  let pending: NodeJS.Immediate | undefined;
  return {
    tell: () => {
      pending ??= setImmediate(() => {
        pending = undefined;
        for (const listener of listeners) listener();
      });
    },
    add: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    end: () => {
      listeners.clear();
      clearImmediate(pending);
    },
  };
}

/** Runs `work` in one transaction; whatever it throws leaves the file as it was. */
function transact<T>(db: DatabaseSync, work: () => T): Result<T> {
  try {
    db.exec('BEGIN IMMEDIATE');
    const value = work();
    db.exec('COMMIT');
    return ok(value);
  } catch (cause) {
    // SQLite rolls back by itself after some failures (a full disk at COMMIT), but not after all.
    if (db.isTransaction) db.exec('ROLLBACK');
    return fail(`the ledger could not be written: ${(cause as Error).message}`);
  }
}

/** @throws Error with a sentence when the file is not a ledger of this program, or is damaged. */
export function openLedger(options: LedgerOptions): Ledger {
  const { path, clock, bytesMax = LEDGER_BYTES_MAX, ageMsMax = LEDGER_AGE_MS_MAX } = options;
  const makeGeneration = (): Uint8Array => new Uint8Array(randomBytes(16));
  const { db, generation, edges } = openLedgerFile(path, bytesMax, makeGeneration);
  const lanes = openLanes(db);
  const notice = createNotice();
  const writer = openWriter(db, lanes);
  const room = openRoom(db, { bytesMax, ageMsMax });
  let newestId = edges?.newest ?? 0;
  const counts = { commits: 0, commitsFailed: 0, bytesAppended: 0, rowsAppended: 0 };
  const trimmedBy = { age: 0, size: 0 };
  const followers = createFollowers(db, () => newestId);
  let failing: string | undefined;

  /** A transaction of its own: what it freed stays free when the append after it fails. */
  function makeRoom(nowMs: number): Result<unknown> {
    // The newest row stays: ids continue from it after a restart, and none may be used twice.
    const freeId = Math.min(followers.followedId(), newestId - 1);
    if (!room.isDue(freeId, nowMs)) return ok(undefined);
    const done = transact(db, () => room.make(freeId, nowMs));
    if (!done.ok) return done;
    room.made(done.value);
    trimmedBy[done.value.why] += done.value.rows;
    return done;
  }

  function failed(reason: string): Result<never> {
    writer.forget();
    counts.commitsFailed += 1;
    const { follower, rows = 0 } = followers.holder() ?? {};
    const waits = follower === undefined ? 'nothing' : follower;
    failing = room.isFull() ? `${reason}; ${rows} batches wait for ${waits}` : reason;
    return fail(failing);
  }

  const ledger: Ledger = {
    path,
    generation,
    appendOwn: (stream, body) => ledger.append([ownBatch(ledger, clock, stream, body)]),
    append: (batches) => {
      const nowMs = clock.wallMs();
      const made = makeRoom(nowMs);
      const done = made.ok ? transact(db, () => writer.write(batches, newestId, nowMs)) : made;
      if (!done.ok) return failed(done.reason);
      lanes.keep();
      counts.commits += 1;
      failing = undefined;
      const { results, lastId, bytes } = done.value;
      if (lastId > newestId) {
        room.added(newestId + 1, nowMs);
        notice.tell();
      }
      counts.rowsAppended += lastId - newestId;
      counts.bytesAppended += bytes;
      newestId = lastId;
      return ok(results);
    },
    ranges: (terminal, epochHex, stream) => lanes.ranges(terminal, epochHex, stream),
    readAfter: openReader(db),
    setFollowed: (follower, id, readId = id) => followers.set(follower, id, readId),
    slowest: followers.slowest,
    onCommit: notice.add,
    stats: () => {
      const oldest = room.oldest();
      return {
        ...counts,
        trimmedBy: { ...trimmedBy },
        conflicts: { ...writer.conflicts },
        failing,
        bytes: room.bytesUsed(),
        bytesMax,
        rows: oldest === undefined ? 0 : newestId - oldest.id + 1,
        oldestAgeMs: oldest && Math.max(0, clock.wallMs() - oldest.receivedMs),
        newestId,
        followedId: followers.followedId(),
      };
    },
    close: () => {
      notice.end();
      db.close();
    },
  };
  return ledger;
}

/** One lane for ever: the generation is its epoch, and its numbers go on where they ended. */
function ownBatch(
  { generation, ranges }: Pick<Ledger, 'generation' | 'ranges'>,
  clock: LedgerOptions['clock'],
  stream: 'metrics' | 'traces',
  body: Uint8Array,
): NewBatch {
  const seq = (ranges(OWN, Buffer.from(generation).toString('hex'), stream)[0]?.last ?? 0) + 1;
  const envelope = { epoch: generation, stream, seq, createdMs: clock.wallMs(), clockOffsetMs: 0 };
  const batch = { ...envelope, ...packBody(body) };
  return { terminal: OWN, batch, bytes: encodeBatch(batch) };
}
