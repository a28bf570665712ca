// The broker's own records in one SQLite file: registry, events, commands, audit. One file, because
// what a batch changes in several of them must become true together, and with the cursor that says so.
// Effects outside the file (counters, messages) wait in `afterCommit` until it is on disk, and are
// forgotten when it is not.

import type { DatabaseSync } from 'node:sqlite';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { OPERATOR_TABLES } from '../operators/tables.ts';
import { openFile } from '../sqlite.ts';

/** Written as user_version; a file with a higher one is from a newer broker and is not touched. */
const SCHEMA_VERSION = 3;
const TABLES = `
  CREATE TABLE cursor (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation BLOB NOT NULL,
    ledger_id INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE terminals (
    id TEXT PRIMARY KEY,
    store TEXT NOT NULL,
    planned INTEGER NOT NULL,
    presence TEXT NOT NULL,
    last_seen_ms INTEGER,
    model TEXT NOT NULL
  ) STRICT;
  CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    terminal TEXT NOT NULL,
    store TEXT NOT NULL,
    epoch BLOB NOT NULL,
    seq INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    component TEXT NOT NULL,
    fields TEXT NOT NULL,
    UNIQUE (terminal, epoch, seq, idx)
  ) STRICT;
  CREATE INDEX events_terminal ON events (terminal, id);
  CREATE INDEX events_kind ON events (kind, id);
  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ledger_id INTEGER NOT NULL,
    terminal TEXT NOT NULL,
    epoch TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    class TEXT NOT NULL,
    reason TEXT NOT NULL
  ) STRICT;
  CREATE TABLE commands (
    id TEXT PRIMARY KEY,
    terminal TEXT NOT NULL,
    open INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    model TEXT NOT NULL
  ) STRICT;
  CREATE INDEX commands_open ON commands (terminal) WHERE open = 1;
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ms INTEGER NOT NULL,
    operator TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
`;
/** Since version 2: what else events are asked by (events.ts). */
const INDEXES = `
  CREATE INDEX events_store ON events (store, id);
  CREATE INDEX events_component ON events (component, id);
  CREATE INDEX events_time ON events (time_ms);
`;
/** Since version 3: where terminals stand that the configuration does not say, and who they are. */
const IDENTITIES = `
  CREATE TABLE IF NOT EXISTS plans (
    terminal TEXT PRIMARY KEY,
    store TEXT NOT NULL,
    configured TEXT NOT NULL,
    retired INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS identities (
    terminal TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    model TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY,
    terminal TEXT NOT NULL,
    store TEXT NOT NULL,
    secret BLOB NOT NULL,
    made_by TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    request BLOB,
    serial TEXT,
    certificate TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS tokens_terminal ON tokens (terminal);
  CREATE INDEX IF NOT EXISTS tokens_expires ON tokens (expires_ms);
`;
/** What a file of an older version lacks: each step makes the next one of it. */
const STEPS = [TABLES, INDEXES, IDENTITIES + OPERATOR_TABLES];

export type Database = {
  readonly db: DatabaseSync;
  /** All or nothing, on disk when it returns ok; inside a transaction it joins that one. */
  readonly transact: <T>(work: () => T) => Result<T>;
  /** Runs once the open transaction is on disk, at once when there is none. */
  readonly afterCommit: (effect: () => void) => void;
  readonly close: () => void;
};

/** Whether SQLite could not (a full disk, a damaged file), as against a bug of ours. */
export const isDatabaseError = (cause: unknown): cause is Error =>
  cause instanceof Error && 'code' in cause && cause.code === 'ERR_SQLITE_ERROR';

function prepareSchema(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > SCHEMA_VERSION) {
    throw new Error(`its schema is ${version} and this program reads ${SCHEMA_VERSION}`);
  }
  if (version === SCHEMA_VERSION) return;
  const missing = STEPS.slice(version).join('');
  db.exec(`BEGIN IMMEDIATE; ${missing} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
}

/** @param read takes what is needed from it; a record that it cannot read refuses the file. */
export function openDatabase<T>(path: string, read: (database: Database) => T): Result<T> {
  try {
    return openFile('registry', path, (db) => {
      // Without it, INSERT OR REPLACE would delete audit entries past their trigger [lang_conflict].
      db.exec('PRAGMA recursive_triggers = ON');
      prepareSchema(db);
      return ok(read(wrap(db)));
    });
  } catch (cause) {
    return fail((cause as Error).message);
  }
}

function wrap(db: DatabaseSync): Database {
  let effects: (() => void)[] = [];
  function outermost<T>(work: () => T): Result<T> {
    try {
      db.exec('BEGIN IMMEDIATE');
      const value = work();
      db.exec('COMMIT');
      return ok(value);
    } catch (cause) {
      effects = [];
      // SQLite rolls back by itself after some failures (a full disk at COMMIT), but not after all.
      if (db.isTransaction) db.exec('ROLLBACK');
      if (!isDatabaseError(cause)) throw cause;
      return fail(`the registry could not be written: ${cause.message}`);
    }
  }
  return {
    db,
    transact: (work) => {
      if (db.isTransaction) return ok(work());
      const done = outermost(work);
      const due = effects;
      effects = [];
      for (const effect of due) effect();
      return done;
    },
    afterCommit: (effect) => {
      if (db.isTransaction) effects.push(effect);
      else effect();
    },
    close: () => db.close(),
  };
}
