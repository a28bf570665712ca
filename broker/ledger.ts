// What terminals delivered, in the order in which it was committed: one append-only table without a
// secondary index (15 times as fast as a composite key, design.md 5), and one row per lane, that is
// per (terminal, epoch, stream), with the ranges of seqs that were ever committed. The ranges tell a
// duplicate and stay for ever; bodies go oldest first once the fleet has followed them and the file
// nears its bound. A commit that fails acknowledges nothing: terminals keep what they have.

import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { packBody } from '../protocol/body.ts';
import { addSeq, hasSeq, type Ranges } from '../protocol/ranges.ts';
import { fail, ok, type Result } from '../protocol/result.ts';
import { type Batch, encodeBatch, type Stream } from '../protocol/wire.ts';
import type { Clock } from './clock.ts';
import { openLedgerFile } from './ledger-file.ts';
import { type Lanes, openLanes } from './ledger-lanes.ts';
import { type LedgerRow, openReader } from './ledger-reader.ts';
import { openGauge } from './sqlite.ts';

/** What a ledger may take on disk unless configured; about a week of 1 000 terminals. */
export const LEDGER_BYTES_MAX = 1024 ** 3;
/** Holes that a lane may have; an honest one has a few, and the row is written at every commit. */
export const LANE_RANGES_MAX = 2_000;
/** From this share of the bound, each append first deletes up to TRIM_ROWS followed rows. */
const TRIM_FROM = 0.9;
/** More than one append brings, so that trimming keeps up; few enough not to stall it. */
const TRIM_ROWS = 1_000;

export type NewBatch = {
  readonly terminal: string;
  readonly batch: Pick<Batch, 'epoch' | 'stream' | 'seq'>;
  /** The encoded `Batch`, as it came. */
  readonly bytes: Uint8Array;
};
/** `crowded`: not taken, because its lane has too many holes, or its terminal too many lanes. */
export type AppendResult = 'new' | 'duplicate' | 'crowded';

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
  /** Rows deleted for room since the start; all of them had been followed. */
  readonly trimmed: number;
};

export type { LedgerRow } from './ledger-reader.ts';
export { READ_BYTES_MAX } from './ledger-reader.ts';

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
   * Rows up to `id` were applied by this follower. What all followers have applied may be deleted when room is
   * needed; whoever called this once is a follower until the ledger closes.
   */
  readonly setFollowed: (follower: string, id: number) => void;
  /** Called soon after (not within) commits that brought something new. @returns an undo. */
  readonly onCommit: (listener: () => void) => () => void;
  readonly stats: () => LedgerStats;
  readonly close: () => void;
};

export type LedgerOptions = {
  readonly path: string;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly bytesMax?: number;
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
export function openLedger({ path, clock, bytesMax = LEDGER_BYTES_MAX }: LedgerOptions): Ledger {
  const { db, generation, edges } = openLedgerFile(
    path,
    bytesMax,
    () => new Uint8Array(randomBytes(16)),
  );
  const lanes = openLanes(db);
  const bytesUsed = openGauge(db);
  const notice = createNotice();
  const insertAll = openWriter(db, lanes, clock);
  const remove = db.prepare('DELETE FROM batch WHERE id <= ?');
  let newestId = edges?.newest ?? 0;
  let oldestId = edges?.oldest ?? 1;
  const counts = { commits: 0, commitsFailed: 0, trimmed: 0 };
  const followers = new Map<string, number>();
  const followedId = (): number => Math.min(...followers.values(), newestId);
  let failing: string | undefined;

  /** A transaction of its own: what it freed stays free when the append after it fails. */
  function makeRoom(): Result<unknown> {
    // The newest row stays: ids continue from it after a restart, and none may be used twice.
    const until = Math.min(
      followers.size === 0 ? 0 : followedId(),
      newestId - 1,
      oldestId + TRIM_ROWS - 1,
    );
    if (until < oldestId) return ok(undefined);
    const removed = transact(db, () => {
      if (bytesUsed() < bytesMax * TRIM_FROM) return 0;
      return Number(remove.run(until).changes);
    });
    if (!removed.ok || removed.value === 0) return removed;
    counts.trimmed += removed.value;
    oldestId = until + 1;
    return removed;
  }

  const ledger: Ledger = {
    path,
    generation,
    appendOwn: (stream, body) => ledger.append([ownBatch(ledger, clock, stream, body)]),
    append: (batches) => {
      const room = makeRoom();
      const done = room.ok ? transact(db, () => insertAll(batches, newestId)) : room;
      if (!done.ok) {
        lanes.forget();
        counts.commitsFailed += 1;
        failing = done.reason;
        return done;
      }
      lanes.keep();
      counts.commits += 1;
      failing = undefined;
      if (done.value.lastId > newestId) notice.tell();
      newestId = done.value.lastId;
      return ok(done.value.results);
    },
    ranges: (terminal, epochHex, stream) => lanes.ranges(terminal, epochHex, stream),
    readAfter: openReader(db),
    setFollowed: (follower, id) => {
      const reached = Math.min(id, newestId);
      followers.set(follower, Math.max(followers.get(follower) ?? 0, reached));
    },
    onCommit: notice.add,
    stats: () => ({
      ...counts,
      failing,
      bytes: bytesUsed(),
      bytesMax,
      rows: newestId === 0 ? 0 : newestId - oldestId + 1,
      newestId,
      followedId: followers.size === 0 ? 0 : followedId(),
    }),
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

/** @returns a function that writes batches behind row `newestId`, within the open transaction. */
function openWriter(db: DatabaseSync, lanes: Lanes, clock: LedgerOptions['clock']) {
  const insert = db.prepare(
    'INSERT INTO batch (id, lane, seq, received_ms, body) VALUES (?, ?, ?, ?, ?)',
  );
  return (batches: readonly NewBatch[], newestId: number) => {
    const receivedMs = clock.wallMs();
    let lastId = newestId;
    const results = batches.map(({ terminal, batch, bytes }): AppendResult => {
      const lane = lanes.take(terminal, Buffer.from(batch.epoch).toString('hex'), batch.stream);
      if (lane === undefined) return 'crowded';
      if (hasSeq(lane.ranges, batch.seq)) return 'duplicate';
      const ranges = addSeq(lane.ranges, batch.seq);
      if (ranges.length > LANE_RANGES_MAX) return 'crowded';
      lane.ranges = ranges;
      lastId += 1;
      insert.run(lastId, lane.id, batch.seq, receivedMs, bytes);
      return 'new';
    });
    lanes.write();
    return { results, lastId };
  };
}
