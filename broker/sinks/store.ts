// What sinks must not forget: how far each has read the ledger, and what it will never take. One small
// file for all of them; a cursor and the dead letters that belong to it move in one transaction. A file
// that is damaged is set aside and a new one begun: the ledger is then read again from its oldest row,
// which databases that keep a sample once do not notice.

import { renameSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { openFile } from '../sqlite.ts';
import { DEAD_LETTERS_TABLE, type DeadLetterLimits, openDeadLetters } from './dead-letters.ts';
import type { Buried } from './types.ts';

const SCHEMA_VERSION = 1;

const TABLES = `
  CREATE TABLE cursor (
    sink TEXT PRIMARY KEY,
    generation BLOB NOT NULL,
    ledger_id INTEGER NOT NULL
  ) STRICT;
  ${DEAD_LETTERS_TABLE}
`;

export type SinkStore = {
  /** @returns 0 for a sink that is new, or whose ledger was another one. */
  readonly readCursor: (sink: string, generation: Uint8Array) => number;
  /** All or nothing, on disk when it returns ok. */
  readonly move: (move: Move) => Result<unknown>;
  readonly close: () => void;
};
export type Move = {
  readonly sink: string;
  readonly generation: Uint8Array;
  readonly cursor: number;
  readonly buried: readonly Buried[];
  readonly nowMs: number;
};

function prepareSchema(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > SCHEMA_VERSION) {
    throw new Error(`its schema is ${version} and this program reads ${SCHEMA_VERSION}`);
  }
  if (version === SCHEMA_VERSION) return;
  db.exec(`BEGIN IMMEDIATE; ${TABLES} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
}

/** SQLITE_CORRUPT and SQLITE_NOTADB [sqlite.org/rescode]; a full disk is no damage. */
const isDamaged = (error: unknown): boolean =>
  [11, 26].includes((error as { cause?: { errcode?: number } }).cause?.errcode ?? 0);

const checked = (path: string): DatabaseSync =>
  openFile('file of the sinks', path, (db) => {
    prepareSchema(db);
    const found = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (found !== 'ok') {
      throw Object.assign(new Error(`it is damaged: ${found}`), { errcode: 11 });
    }
    return db;
  });

/** @param onDamage is told where a damaged file was put. @throws Error when the file cannot be used. */
function openOrReplace(path: string, nowMs: number, onDamage: (aside: string) => void) {
  try {
    return checked(path);
  } catch (error) {
    if (!isDamaged(error)) throw error;
    const aside = `${path}.damaged-${nowMs}`;
    renameSync(path, aside);
    for (const tail of ['-wal', '-shm']) {
      try {
        renameSync(`${path}${tail}`, `${aside}${tail}`);
      } catch {
        // It is not always there.
      }
    }
    onDamage(aside);
    return checked(path);
  }
}

export function openSinkStore(
  path: string,
  nowMs: number,
  onDamage: (aside: string) => void,
  limits: DeadLetterLimits,
): SinkStore {
  const db = openOrReplace(path, nowMs, onDamage);
  const select = db.prepare('SELECT generation, ledger_id FROM cursor WHERE sink = ?');
  const upsert = db.prepare(
    `INSERT INTO cursor (sink, generation, ledger_id) VALUES (?, ?, ?) ON CONFLICT (sink)
     DO UPDATE SET generation = excluded.generation, ledger_id = excluded.ledger_id`,
  );
  const bury = openDeadLetters(db, limits);
  return {
    readCursor: (sink, generation) => {
      const row = select.get(sink);
      const same = row !== undefined && Buffer.from(generation).equals(row['generation'] as Buffer);
      return same ? Number(row['ledger_id']) : 0;
    },
    move: ({ sink, generation, cursor, buried, nowMs: atMs }) => {
      try {
        db.exec('BEGIN IMMEDIATE');
        upsert.run(sink, generation, cursor);
        bury(sink, buried, atMs);
        db.exec('COMMIT');
        return ok(undefined);
      } catch (cause) {
        if (db.isTransaction) db.exec('ROLLBACK');
        return fail(`the cursor could not be written: ${(cause as Error).message}`);
      }
    },
    close: () => db.close(),
  };
}
