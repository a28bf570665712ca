// The outbox's file: opening, checking, transactions, and what an error of the disk means. WAL with
// synchronous=FULL: one fsync for a commit and each page written once, where a rollback journal takes
// three and writes pages twice (flash wears out), and a commit survives a power cut, which DELETE with
// FULL does not promise (its journal can reappear) [sqlite.org/pragma.html#pragma_synchronous].
// locking_mode=EXCLUSIVE keeps the WAL index in memory: no mapped -shm file that turns a full disk into
// SIGBUS, and no second process in the same outbox. What cannot be opened never stops the agent: a
// damaged file is set aside, and where nothing can be written the outbox lives in memory.

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { EPOCH_BYTES } from '../../protocol/wire.ts';
import type { Log } from '../ports.ts';
import {
  type Damage,
  examine,
  inTheWay,
  isReadOnly,
  looksEmptied,
  setAside,
} from './store-damage.ts';
import { ADDED, check, forgetAnchors, SCHEMA, SCHEMA_VERSION, single } from './store-schema.ts';

export type Trouble = 'full' | 'disk' | 'damaged';
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly trouble: Trouble; readonly reason: string };

export type Store = {
  readonly epoch: Uint8Array;
  /** Openings of this file, this one included. */
  readonly starts: number;
  /** False when nothing outlives the process. */
  readonly durable: boolean;
  readonly sql: (text: string) => StatementSync;
  /** All or nothing. Errors of the disk are values; a wrong statement is a bug and throws. */
  readonly transact: <T>(run: () => T) => Outcome<T>;
  /** Transactions that wrote something, since the file was made; part of each of them. */
  readonly commits: () => number;
  /** Within a transaction: it is counted as this one. */
  readonly countFrom: (commits: number) => void;
  readonly usedBytes: () => number;
  readonly bytesMax: number;
  /** Gives so much of what is free in the file back to the disk; what it cannot do now it does later. */
  readonly compact: (bytesMax: number) => void;
  readonly close: () => void;
};

export type Opened = { readonly store: Store; readonly damage: Damage | undefined };
export type OpenOptions = {
  readonly path: string;
  readonly bytesMax: number;
  readonly wallMs: () => number;
  readonly log: Log;
  readonly busyMsMax?: number;
  /** Of the machine; anchors of another boot mean nothing. Empty: each process is one of its own. */
  readonly bootId?: string;
};

/**
 * The smallest that SQLite has: a commit writes each page that it touched as a whole, and most of ours touch half
 * a dozen for a kilobyte or two. At 4096 an agent at rest wrote 127 MB a day to its log, at 512 half of that.
 * Pages that share a block of the disk are safe: it is written anew with what it held [sqlite.org/psow.html].
 * A file keeps the size it was made with.
 */
const PAGE_BYTES = 512;
/** Without a disk, this much of the machine's memory at most. */
export const MEMORY_BYTES_MAX = 8 * 1024 * 1024;
/** The log is folded into the file when it holds so much, so that both together stay near the quota. */
const WAL_BYTES = 1024 * 1024;
/** How long an agent that is just ending may still hold the file. */
const BUSY_MS_MAX = 1_000;

/** What a header field of SQLite holds; at ten a minute it lasts for four hundred years. */
const COMMITS_MAX = 2 ** 31 - 1;

/** SQLite's primary result codes [sqlite.org/rescode.html]. */
const FULL = 13;
const DAMAGED_CODES: readonly number[] = [11 /* CORRUPT */, 26 /* NOTADB */];
const BUSY_CODES: readonly number[] = [5 /* BUSY */, 6 /* LOCKED */];
const DISK_CODES: readonly number[] = [
  ...BUSY_CODES,
  3 /* PERM */,
  8 /* READONLY */,
  10 /* IOERR */,
  14 /* CANTOPEN */,
  22 /* NOLFS */,
];

const codeOf = (error: unknown): number =>
  error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function troubleOf(error: unknown): Trouble | undefined {
  const code = codeOf(error);
  if (code === FULL) return 'full';
  if (DAMAGED_CODES.includes(code)) return 'damaged';
  return DISK_CODES.includes(code) ? 'disk' : undefined;
}

type Head = Pick<Store, 'epoch' | 'starts'> & { readonly pageBytes: number };

function prepare(db: DatabaseSync, bytesMax: number, bootId: string): Head {
  db.exec(`
    pragma page_size = ${PAGE_BYTES};
    pragma auto_vacuum = incremental;
    pragma locking_mode = exclusive;
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma journal_size_limit = ${WAL_BYTES};
    pragma cache_size = -512;
    pragma temp_store = memory;
  `);
  const pageBytes = Number(single(db, 'page_size'));
  db.exec(`
    pragma wal_autocheckpoint = ${Math.floor(WAL_BYTES / pageBytes)};
    pragma max_page_count = ${Math.floor(bytesMax / pageBytes)};
  `);
  const fresh = single(db, 'page_count') === 0 || single(db, 'schema_version') === 0;
  db.exec('begin immediate');
  if (fresh) {
    db.exec(`${SCHEMA} pragma user_version = ${SCHEMA_VERSION};`);
    db.prepare("insert into meta values ('epoch', ?), ('starts', 0)").run(randomBytes(EPOCH_BYTES));
  }
  check(db);
  db.exec("update meta set value = value + 1 where key = 'starts'");
  db.exec(ADDED);
  forgetAnchors(db, bootId);
  const read = db.prepare('select value from meta where key = ?');
  const epoch = read.get('epoch')?.['value'];
  const starts = read.get('starts')?.['value'];
  if (!(epoch instanceof Uint8Array) || epoch.length !== EPOCH_BYTES) {
    throw new Error('outbox holds no valid epoch');
  }
  db.exec('commit');
  return { epoch, starts: Number(starts), pageBytes };
}

function wrap(db: DatabaseSync, options: OpenOptions, durable: boolean): Store {
  const { bytesMax, bootId = '' } = options;
  const { pageBytes, ...head } = prepare(db, bytesMax, bootId);
  const statements = new Map<string, StatementSync>();
  const sql = (text: string): StatementSync => {
    const known = statements.get(text);
    if (known !== undefined) return known;
    const made = db.prepare(text);
    statements.set(text, made);
    return made;
  };
  // Asked at each sample: made once.
  const pageCount = db.prepare('pragma page_count');
  const freePages = db.prepare('pragma freelist_count');
  const count = (asked: StatementSync): number => Number(Object.values(asked.get() ?? {})[0]);
  // In the file's header, which most commits write anyway: a row of its own would be a page more.
  let commits = Number(single(db, 'application_id'));
  const changes = db.prepare('select total_changes() as changes');
  const changed = (): number => count(changes);
  const transact = <T>(run: () => T): Outcome<T> => {
    const before = commits;
    try {
      db.exec('begin immediate');
      const from = changed();
      const value = run();
      if (changed() !== from) {
        commits = (commits + 1) % COMMITS_MAX;
        db.exec(`pragma application_id = ${commits}`);
      }
      db.exec('commit');
      return { ok: true, value };
    } catch (error) {
      commits = before;
      // SQLite may have rolled back by itself already [sqlite.org/lang_transaction.html].
      if (db.isTransaction) db.exec('rollback');
      const trouble = troubleOf(error);
      if (trouble === undefined) throw error;
      return { ok: false, trouble, reason: textOf(error) };
    }
  };
  return {
    ...head,
    durable,
    sql,
    transact,
    commits: () => commits,
    countFrom: (from) => {
      commits = from;
    },
    usedBytes: () => (count(pageCount) - count(freePages)) * pageBytes,
    bytesMax,
    compact: (bytesMost) => {
      try {
        // Files of earlier versions have no map of their pages: nothing happens, their free pages are used again.
        db.exec(`pragma incremental_vacuum(${Math.ceil(bytesMost / pageBytes)})`);
        db.exec('pragma wal_checkpoint(truncate)');
      } catch (error) {
        if (troubleOf(error) === undefined) throw error;
      }
    },
    close: () => {
      // Closing folds the log into the file; when the disk refuses, the log stays and nothing is lost.
      if (db.isOpen) db.close();
    },
  };
}

function openFile(options: OpenOptions): Store {
  const { path, busyMsMax = BUSY_MS_MAX } = options;
  const db = new DatabaseSync(path, { timeout: busyMsMax });
  try {
    return wrap(db, options, true);
  } catch (error) {
    db.close();
    throw error;
  }
}

function inMemory(options: OpenOptions, damage: Damage | undefined, error: unknown): Opened {
  const reason = `the outbox lives in memory only: ${textOf(error)}`;
  options.log.error(reason, { path: options.path });
  const bytesMax = Math.min(options.bytesMax, MEMORY_BYTES_MAX);
  const store = wrap(new DatabaseSync(':memory:'), { ...options, bytesMax }, false);
  return { store, damage: damage ?? { reason, epoch: '', sealed: {} } };
}

/** Sets aside what is there (its store must be closed) and begins a new epoch. */
export function replaceStore(options: OpenOptions, why: string): Opened {
  const { path, log } = options;
  const damage = examine(path, `outbox file is damaged: ${why}`);
  try {
    const aside = setAside(path, options.wallMs());
    log.error(damage.reason, { aside });
    return { store: openFile(options), damage };
  } catch (error) {
    return inMemory(options, damage, error);
  }
}

/** @returns always a working store; `damage` says what of an earlier one was lost, and why. */
export function openStore(options: OpenOptions): Opened {
  const { path } = options;
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (looksEmptied(path)) return replaceStore(options, 'the file was emptied');
    return { store: openFile(options), damage: undefined };
  } catch (error) {
    // A file that somebody else holds, a full or a read-only disk is no damage.
    const busy = BUSY_CODES.includes(codeOf(error));
    if (busy || troubleOf(error) === 'full' || isReadOnly(path) || !inTheWay(path)) {
      return inMemory(options, undefined, error);
    }
    return replaceStore(options, textOf(error));
  }
}
