// All databases of a broker as they were at one moment, while it goes on writing them. Each is looked at within a read
// transaction, which a write-ahead log gives for nothing; they begin within a millisecond of each other, the ledger last,
// so that nothing follows rows which it does not have. Were rows deleted in that millisecond, it is tried again. Then
// each is copied page by page into the data folder: `VACUUM INTO` would take a moment of its own for each, and to read
// the files behind SQLite's back would miss what is in the log. The two that every acknowledgement writes go first,
// because their logs grow while somebody looks.

import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { pageBytesOf } from '../sqlite.ts';
import { DATABASES, type DatabaseName } from './contents.ts';

const TRIES_MAX = 40;
const TRY_AGAIN_MS = 25;
/** Copied in one go: a few milliseconds of the disk, then others have it. */
const COPY_BYTES = 4 * 1024 * 1024;
/** A disk is left that much, as agents leave it. */
const FREE_BYTES_MIN = 64 * 1024 * 1024;

export type Snapshot = {
  readonly has: (name: DatabaseName) => boolean;
  /** A question about one of them, as it was. */
  readonly all: (name: DatabaseName, sql: string) => readonly Record<string, unknown>[];
  /** What all of them take. */
  readonly bytes: (name: DatabaseName) => number;
  /** Copies one, and looks at it no longer. */
  readonly copy: (name: DatabaseName, to: string) => Promise<void>;
  readonly close: () => void;
};

type Held = Map<DatabaseName, DatabaseSync>;

function openAll(dataDir: string, wanted: readonly DatabaseName[]): Held {
  const held: Held = new Map();
  try {
    for (const name of DATABASES.filter((one) => wanted.includes(one))) {
      const path = join(dataDir, `${name}.db`);
      if (!existsSync(path)) continue;
      held.set(name, new DatabaseSync(path, { readOnly: true, timeout: 5_000 }));
    }
    return held;
  } catch (cause) {
    for (const db of held.values()) db.close();
    throw cause;
  }
}

const oldestOf = (ledger: DatabaseSync): number =>
  Number(ledger.prepare('SELECT min(id) AS id FROM batch').get()?.['id'] ?? 0);

/** @returns whether nothing went between the first look and the last. */
function lookAtAll(held: Held, ledger: DatabaseSync): boolean {
  const before = oldestOf(ledger);
  for (const db of held.values()) {
    db.exec('BEGIN');
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
  }
  return oldestOf(ledger) === before;
}

export async function takeSnapshot(
  dataDir: string,
  wanted: readonly DatabaseName[],
  nowMs: () => number,
): Promise<Result<{ snapshot: Snapshot; atMs: number }>> {
  const held = openAll(dataDir, wanted);
  const close = (): void => {
    for (const db of held.values()) db.close();
    held.clear();
  };
  const ledger = held.get('ledger');
  if (ledger === undefined || !held.has('registry')) {
    close();
    return fail(`${dataDir} holds no registry and no ledger of a broker`);
  }
  try {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const atMs = nowMs();
      if (lookAtAll(held, ledger)) return ok({ snapshot: snapshotOf(held, close), atMs });
      for (const db of held.values()) db.exec('ROLLBACK');
      await sleep(TRY_AGAIN_MS);
    }
  } catch (cause) {
    close();
    throw cause;
  }
  close();
  return fail('the ledger lets go of rows all the time: try again when it is less busy');
}

function snapshotOf(held: Held, close: () => void): Snapshot {
  const at = (name: DatabaseName): DatabaseSync => {
    const db = held.get(name);
    if (db === undefined) throw new Error(`bug: ${name} is not looked at`);
    return db;
  };
  return {
    has: (name) => held.has(name),
    all: (name, sql) => at(name).prepare(sql).all(),
    bytes: (name) => {
      const pages = Number(at(name).prepare('PRAGMA page_count').get()?.['page_count']);
      return pages * pageBytesOf(at(name));
    },
    copy: async (name, to) => {
      const db = at(name);
      await backup(db, to, { rate: Math.ceil(COPY_BYTES / pageBytesOf(db)) });
      held.delete(name);
      db.close();
    },
    close,
  };
}

/** @returns a sentence where the copies would fill the disk. */
export function lackOfRoom(dataDir: string, bytes: number): string | undefined {
  const { bavail, bsize } = statfsSync(dataDir);
  const free = bavail * bsize;
  if (free >= bytes + FREE_BYTES_MIN) return undefined;
  const mb = (size: number): number => Math.ceil(size / 1024 ** 2);
  return (
    `a backup needs ${mb(bytes + FREE_BYTES_MIN)} MB in ${dataDir} while it is made, and ` +
    `${mb(free)} MB are free there: make room, or leave the history out (--without-history)`
  );
}
