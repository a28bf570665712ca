// Opens the ledger's file with every setting that its promises rest on, and makes its tables when it
// is new. A file that is damaged, foreign or of a newer schema is refused with a sentence, never
// replaced: its ranges are the only memory of what was received, and a person must decide.

import type { DatabaseSync } from 'node:sqlite';
import { openEdges, openFile, pageBytesOf } from './sqlite.ts';

const SCHEMA_VERSION = 2;
/**
 * A batch has a kilobyte or two: on pages of 4 KB a third of each would be empty, and a commit of 500
 * batches costs half as much again (3.3 µs of processor a batch against 4.8, measured).
 */
const LEDGER_PAGE_BYTES = 16 * 1024;

const TABLES = `
  CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    prev INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL
  ) STRICT;
  CREATE TABLE lane (
    id INTEGER PRIMARY KEY,
    terminal TEXT NOT NULL,
    epoch TEXT NOT NULL,
    stream TEXT NOT NULL,
    ranges TEXT NOT NULL,
    newest INTEGER NOT NULL DEFAULT 0,
    UNIQUE (terminal, epoch, stream)
  ) STRICT;
  CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;
`;

/**
 * Schema 1 had no chain of rows (ledger-chain.ts). What it committed stays readable and known; only, a
 * number of its that comes again is not compared with its bytes.
 */
const FROM_1 = `
  BEGIN IMMEDIATE;
  ALTER TABLE batch ADD COLUMN prev INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE lane ADD COLUMN newest INTEGER NOT NULL DEFAULT 0;
  UPDATE meta SET value = 2 WHERE key = 'schema';
  COMMIT;
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
  if (read.get('schema')?.['value'] === 1) db.exec(FROM_1);
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

/** Lanes that say less than was received would let a batch in twice; bodies are read as they are needed. */
function checkLanes(db: DatabaseSync): void {
  const found = db.prepare('PRAGMA integrity_check(lane)').get()?.['integrity_check'];
  if (found !== 'ok') throw new Error(`what it remembers of lanes is damaged: ${found}`);
}

export type LedgerFile = {
  readonly db: DatabaseSync;
  readonly generation: Uint8Array;
  /** The oldest and the newest row, of which there may be none. */
  readonly edges: { readonly oldest: number; readonly newest: number } | undefined;
};

/** @throws Error with a sentence that names the file. */
export function openLedgerFile(
  path: string,
  bytesMax: number,
  makeGeneration: () => Uint8Array,
): LedgerFile {
  const prepare = (db: DatabaseSync): LedgerFile => {
    const generation = readGeneration(db, makeGeneration);
    checkLanes(db);
    db.exec(`PRAGMA max_page_count = ${Math.ceil(bytesMax / pageBytesOf(db))}`);
    return { db, generation, edges: openEdges(db, 'batch')() };
  };
  return openFile('ledger', path, prepare, LEDGER_PAGE_BYTES);
}
