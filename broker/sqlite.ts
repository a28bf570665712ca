// What the broker's two databases, ledger and registry, have in common: a file for its owner only, the
// settings that their promises rest on, and questions about a table that cost no scan of it.

import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { SECRET_MODE } from './files.ts';

export const PAGE_BYTES = 4096;
/** The write-ahead log is written back when it holds this much. */
const CHECKPOINT_BYTES = 4 * 1024 * 1024;
/** The write-ahead log is cut back to this after a checkpoint [sqlite.org/pragma journal_size_limit]. */
const WAL_BYTES_KEPT = 16 * 1024 * 1024;

const settingsOf = (pageBytes: number): string => `
  PRAGMA page_size = ${pageBytes};
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA wal_autocheckpoint = ${Math.round(CHECKPOINT_BYTES / pageBytes)};
  PRAGMA journal_size_limit = ${WAL_BYTES_KEPT};
  PRAGMA foreign_keys = OFF;
`;

/**
 * Opens a file and prepares it; whatever `prepare` throws closes it again.
 * @param pageBytes of a file that is new; one that exists keeps its own.
 * @throws Error with a sentence that begins with `what` and names the file.
 */
export function openFile<T>(
  what: string,
  path: string,
  prepare: (db: DatabaseSync) => T,
  pageBytes = PAGE_BYTES,
): T {
  let db: DatabaseSync | undefined;
  try {
    // SQLite would make it for everybody; an empty file is a new database, and its log takes its mode.
    closeSync(openSync(path, 'a', SECRET_MODE));
    // `timeout`: who reads or copies it with the sqlite3 shell holds the lock for a moment only.
    db = new DatabaseSync(path, { timeout: 2_000 });
    db.exec(settingsOf(pageBytes));
    return prepare(db);
  } catch (cause) {
    if (db?.isOpen) db.close();
    throw new Error(`the ${what} ${path} cannot be used: ${(cause as Error).message}`, { cause });
  }
}

/** The ends of a table by id. Two questions, because asked for both at once SQLite reads all rows. */
export function openEdges(db: DatabaseSync, table: string) {
  const edges = db.prepare(
    `SELECT (SELECT min(id) FROM ${table}) AS oldest, (SELECT max(id) FROM ${table}) AS newest`,
  );
  return (): { readonly oldest: number; readonly newest: number } | undefined => {
    const { oldest, newest } = edges.get() ?? {};
    return typeof oldest === 'number' && typeof newest === 'number'
      ? { oldest, newest }
      : undefined;
  };
}

export const pageBytesOf = (db: DatabaseSync): number =>
  Number(db.prepare('PRAGMA page_size').get()?.['page_size']);

/** @returns a reader of the bytes in use; freed pages are used again and do not count. */
export function openGauge(db: DatabaseSync): () => number {
  const used = db.prepare(
    'SELECT (SELECT page_count FROM pragma_page_count) - ' +
      '(SELECT freelist_count FROM pragma_freelist_count) AS pages',
  );
  const pageBytes = pageBytesOf(db);
  return () => Number(used.get()?.['pages']) * pageBytes;
}
