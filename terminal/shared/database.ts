// Opens a component's SQLite file: WAL with synchronous=FULL, because a committed sale must survive a
// power cut (research/pos.md 6: NORMAL may lose the last commits). A file that SQLite calls damaged is set
// aside, never deleted - it may hold sales - and a new one begins, because a till must sell; any other
// failure (full disk, no permission) is thrown.

import { mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Log } from './log.ts';
import { saying } from './result.ts';

/** SQLITE_CORRUPT and SQLITE_NOTADB [sqlite.org/rescode.html]. */
const DAMAGED = [11, 26];
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

function openOnce(path: string, schema: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_MS, enableForeignKeyConstraints: true });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    const verdict = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (verdict !== 'ok') throw new DamagedFile(String(verdict));
    db.exec(schema);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Expected of a till's disk (full, read-only, busy), in contrast to a bug. */
export const isDiskTrouble = (error: unknown): boolean =>
  error instanceof Error && (error as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR';

const isDamage = (error: unknown): boolean =>
  error instanceof DamagedFile ||
  // The low byte is the primary code [sqlite.org/rescode.html#pve].
  DAMAGED.includes(Number((error as { errcode?: unknown }).errcode) & 0xff);

function setAside(path: string, suffix: string): void {
  for (const part of ['', '-wal', '-shm']) {
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
  mkdirSync(dirname(path), { recursive: true });
  let db: DatabaseSync;
  try {
    db = openOnce(path, schema);
  } catch (error) {
    if (!isDamage(error)) throw error;
    const suffix = `damaged-${nowMs}`;
    log.error('the database is damaged: set aside, a new one begins', {
      reason: saying(error),
      suffix,
    });
    setAside(path, suffix);
    db = openOnce(path, schema);
  }
  return wrap(db);
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
