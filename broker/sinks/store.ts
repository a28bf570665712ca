// What sinks must not forget: how far each has read the ledger, and what it will never take. One small
// file for all of them; a cursor and the dead letters that belong to it move in one transaction. A file
// that is damaged is set aside and a new one begun: the ledger is then read again from its oldest row,
// which databases that keep a sample once do not notice.

import { renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { openFile } from '../sqlite.ts';
import type { Buried } from './types.ts';
import { systemWords } from './words.ts';

/** One row for each terminal, sink and reason; the oldest go (config-retention.ts). */
export type DeadLetterLimits = { readonly days: number; readonly rowsMax: number };
const DAY_MS = 86_400_000;
const SCHEMA_VERSION = 1;

const TABLES = `
  CREATE TABLE cursor (
    sink TEXT PRIMARY KEY,
    generation BLOB NOT NULL,
    ledger_id INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY,
    sink TEXT NOT NULL,
    terminal TEXT NOT NULL,
    reason TEXT NOT NULL,
    sentence TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    sample TEXT NOT NULL,
    UNIQUE (sink, terminal, reason)
  ) STRICT;
  CREATE INDEX dead_letters_last ON dead_letters (last_ms);
`;

export type DeadLetter = Buried & {
  readonly sink: string;
  readonly firstMs: number;
  readonly lastMs: number;
};

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
  const add = db.prepare(
    `INSERT INTO dead_letters
       (sink, terminal, reason, sentence, count, first_ms, last_ms, sample)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sink, terminal, reason)
     DO UPDATE SET count = count + excluded.count, last_ms = excluded.last_ms,
       sentence = excluded.sentence, sample = excluded.sample`,
  );
  const trim = db.prepare(
    `DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters ORDER BY last_ms
     LIMIT max(0, (SELECT count(*) FROM dead_letters) - ?))`,
  );
  const expire = db.prepare('DELETE FROM dead_letters WHERE last_ms < ?');
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
        for (const { terminal, reason, sentence, count, sample = '' } of buried) {
          const words = [systemWords(sentence), count, atMs, atMs, systemWords(sample)] as const;
          add.run(sink, terminal, reason, ...words);
        }
        if (buried.length > 0) {
          trim.run(limits.rowsMax);
          expire.run(atMs - limits.days * DAY_MS);
        }
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

/** Newest first, over a connection of its own; none while there is no file. */
export function readDeadLetters(path: string, limit: number, sink = ''): readonly DeadLetter[] {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 500 });
    return db
      .prepare(
        `SELECT sink, terminal, reason, sentence, count, first_ms AS firstMs, last_ms AS lastMs, sample
         FROM dead_letters WHERE ? IN ('', sink) ORDER BY last_ms DESC, id DESC LIMIT ?`,
      )
      .all(sink, limit) as unknown as DeadLetter[];
  } catch {
    return [];
  } finally {
    db?.close();
  }
}
