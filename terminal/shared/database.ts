// Opens a component's SQLite file: WAL with synchronous=FULL, because a committed sale must survive a
// power cut (research/pos.md 6: NORMAL may lose the last commits). A file that SQLite calls damaged is set
// aside, never deleted - it may hold sales - and a new one begins, because a till must sell; any other
// failure (full disk, no permission) is thrown.

import { renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from './files.ts';
import type { Log } from './log.ts';
import { saying } from './result.ts';

/** SQLITE_CORRUPT and SQLITE_NOTADB [sqlite.org/rescode.html]. */
const DAMAGED = [11, 26];
/** PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN: may be otherwise in a moment. */
const TROUBLE = [3, 5, 6, 7, 8, 10, 13, 14];
const BUSY_MS = 2_000;

export type Row = Readonly<Record<string, unknown>>;
export type Database = {
  readonly run: (sql: string, ...values: Value[]) => { changes: number };
  readonly get: (sql: string, ...values: Value[]) => Row | undefined;
  readonly all: (sql: string, ...values: Value[]) => Row[];
  /** All or nothing, on disk when it returns. Not to be nested. */
  readonly transaction: <T>(work: () => T) => T;
  readonly close: () => void;
};
type Value = string | number | null;

class DamagedFile extends Error {}

/** @param onDamage runs while the file is still open: closing it would delete its write-ahead log. */
function openOnce(path: string, schema: string, onDamage: (reason: string) => void): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_MS, enableForeignKeyConstraints: true });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    const verdict = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (verdict !== 'ok') throw new DamagedFile(String(verdict));
    db.exec(schema);
    return db;
  } catch (error) {
    if (isDamage(error)) onDamage(saying(error));
    db.close();
    throw error;
  }
}

/** The low byte is the primary code [sqlite.org/rescode.html#pve]. */
const codeOf = (error: unknown): number =>
  Number((error as { errcode?: unknown } | undefined)?.errcode) & 0xff;

/** Expected of a till's disk (full, read-only, busy), in contrast to damage and to a bug. */
export const isDiskTrouble = (error: unknown): boolean => TROUBLE.includes(codeOf(error));

/** The file is not what was written: only a new start, which sets it aside, helps. */
export const isDamage = (error: unknown): boolean =>
  error instanceof DamagedFile || DAMAGED.includes(codeOf(error));

/** The log goes first: a kill in between must not leave it to a new file, which would empty it. */
function setAside(path: string, suffix: string): void {
  for (const part of ['-wal', '-shm', '']) {
    try {
      renameSync(path + part, `${path}.${suffix}${part}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

export function openDatabase(options: {
  readonly path: string;
  /** CREATE ... IF NOT EXISTS statements. */
  readonly schema: string;
  readonly log: Log;
  readonly nowMs: number;
}): Database {
  const { path, schema, log, nowMs } = options;
  makeFolder(dirname(path));
  const onDamage = (reason: string): void => {
    const suffix = `damaged-${nowMs}`;
    log.error('the database is damaged: set aside, a new one begins', { reason, suffix });
    setAside(path, suffix);
  };
  try {
    return wrap(openOnce(path, schema, onDamage));
  } catch (error) {
    if (!isDamage(error)) throw error;
    return wrap(openOnce(path, schema, () => undefined));
  }
}

function wrap(db: DatabaseSync): Database {
  // Statements are few and constant texts, so the cache is bounded by the program.
  const prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  const statement = (sql: string) => {
    const known = prepared.get(sql) ?? db.prepare(sql);
    prepared.set(sql, known);
    return known;
  };
  return {
    run: (sql, ...values) => ({ changes: Number(statement(sql).run(...values).changes) }),
    get: (sql, ...values) => statement(sql).get(...values),
    all: (sql, ...values) => statement(sql).all(...values),
    transaction: (work) => {
      db.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        db.exec('COMMIT');
        return result;
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => db.close(),
  };
}

export const num = (value: unknown): number => Number(value ?? 0);
export const text = (value: unknown): string => (typeof value === 'string' ? value : '');
