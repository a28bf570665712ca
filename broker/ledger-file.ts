// Opens the ledger's file with every setting that its promises rest on, and makes its tables when it
// is new. A file that is damaged, foreign or of a newer schema is refused with a sentence, never
// replaced: its ranges are the only memory of what was received, and a person must decide.

import { DatabaseSync } from 'node:sqlite';

export const PAGE_BYTES = 4096;
const SCHEMA_VERSION = 1;
/** The write-ahead log is cut back to this after a checkpoint [sqlite.org/pragma journal_size_limit]. */
const WAL_BYTES_KEPT = 16 * 1024 * 1024;

const SETTINGS = `
  PRAGMA page_size = ${PAGE_BYTES};
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA wal_autocheckpoint = 1000;
  PRAGMA journal_size_limit = ${WAL_BYTES_KEPT};
  PRAGMA foreign_keys = OFF;
`;

const TABLES = `
  CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    body BLOB NOT NULL
  ) STRICT;
  CREATE TABLE lane (
    id INTEGER PRIMARY KEY,
    terminal TEXT NOT NULL,
    epoch TEXT NOT NULL,
    stream TEXT NOT NULL,
    ranges TEXT NOT NULL,
    UNIQUE (terminal, epoch, stream)
  ) STRICT;
  CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;
`;

function readGeneration(db: DatabaseSync, make: () => Uint8Array): Uint8Array {
  const known = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get();
  if (known === undefined) {
    const generation = make();
    db.exec(`BEGIN IMMEDIATE; ${TABLES}`);
    const insert = db.prepare('INSERT INTO meta (key, value) VALUES (?, ?)');
    insert.run('schema', SCHEMA_VERSION);
    insert.run('generation', generation);
    db.exec('COMMIT');
    return generation;
  }
  const read = db.prepare('SELECT value FROM meta WHERE key = ?');
  const schema = Number(read.get('schema')?.['value']);
  if (schema !== SCHEMA_VERSION) {
    throw new Error(`its schema is ${schema} and this program reads ${SCHEMA_VERSION}`);
  }
  const generation = read.get('generation')?.['value'];
  if (!(generation instanceof Uint8Array) || generation.length !== 16) {
    throw new Error('it has no generation');
  }
  return generation;
}

/** @throws Error with a sentence that names the file. */
export function openLedgerFile(
  path: string,
  bytesMax: number,
  makeGeneration: () => Uint8Array,
): { readonly db: DatabaseSync; readonly generation: Uint8Array } {
  let db: DatabaseSync | undefined;
  try {
    // `timeout`: a copy made with the sqlite3 shell holds the lock for a moment only.
    db = new DatabaseSync(path, { timeout: 2_000 });
    db.exec(SETTINGS);
    const generation = readGeneration(db, makeGeneration);
    db.exec(`PRAGMA max_page_count = ${Math.ceil(bytesMax / PAGE_BYTES)}`);
    return { db, generation };
  } catch (cause) {
    if (db?.isOpen) db.close();
    throw new Error(`the ledger ${path} cannot be used: ${(cause as Error).message}`, { cause });
  }
}
