// The file of the history: a block for each terminal and hour, which rows of the ledger still wait to be folded,
// and how far it was read, all three changed in one transaction, so that a power cut loses no row and folds
// none twice. A block's id begins with its hour: the oldest lie together and go together, without an index
// that every block would have to be written into as well.

import { renameSync, rmSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { openEdges, openFile, openGauge } from '../sqlite.ts';
import type { PendingRow } from './plan.ts';

const SCHEMA_VERSION = 1;
/** Terminals that one file can tell apart; an id is hour * this + the terminal's number. */
const TERMINALS_MAX = 2 ** 20;

const TABLES = `
  CREATE TABLE terminal (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE block (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
  CREATE TABLE pending (
    id INTEGER PRIMARY KEY,
    terminal INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE cursor (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation BLOB NOT NULL,
    ledger_id INTEGER NOT NULL
  ) STRICT;
`;

export type NewPending = PendingRow & { readonly terminal: string };
export type NewBlock = {
  readonly terminal: string;
  readonly hour: number;
  readonly body: Uint8Array;
};
export type Change = {
  /** Rows of the ledger that wait from now on. */
  readonly seen: readonly NewPending[];
  /** Ids of rows that wait no longer. */
  readonly folded: readonly number[];
  readonly blocks: readonly NewBlock[];
  /** The ledger was read up to here. */
  readonly cursor: number;
};

export type HistoryStore = {
  readonly cursor: () => number;
  readonly pending: () => readonly NewPending[];
  readonly block: (terminal: string, hour: number) => Uint8Array | undefined;
  /** All or nothing, on disk when it returns. @throws what a disk throws. */
  readonly commit: (change: Change) => void;
  /** Deletes the oldest blocks, at most `limit`. @param beforeHour only older ones. @returns how many. */
  readonly trim: (beforeHour: number, limit: number) => number;
  readonly bytes: () => number;
  readonly blocks: () => number;
  readonly close: () => void;
};

function openTables(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version === SCHEMA_VERSION) return;
  if (version !== 0) {
    throw new Error(`its schema is ${version} and this program reads ${SCHEMA_VERSION}`);
  }
  db.exec(`BEGIN IMMEDIATE; ${TABLES} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
}

/** A history that cannot be read is set aside and made anew from what the ledger still holds: it is a copy. */
function openOrRenew(path: string, warn: (sentence: string) => void): DatabaseSync {
  const open = (): DatabaseSync =>
    openFile('history', path, (db) => {
      openTables(db);
      // Blocks are looked at when they are read: checking gigabytes would keep the thread from its work.
      const found = db.prepare('PRAGMA quick_check(pending)').get()?.['quick_check'];
      if (found !== 'ok') throw new Error(`it is damaged: ${found}`);
      return db;
    });
  try {
    return open();
  } catch (cause) {
    warn(`${(cause as Error).message}; it is set aside and made anew`);
    renameSync(path, `${path}.damaged`);
    for (const part of ['-wal', '-shm']) rmSync(`${path}${part}`, { force: true });
    return open();
  }
}

/** Numbers of terminals, given when first needed. */
function openTerminals(db: DatabaseSync) {
  const select = db.prepare('SELECT id FROM terminal WHERE name = ?');
  const insert = db.prepare('INSERT INTO terminal (name) VALUES (?)');
  return {
    known: (name: string): number | undefined => {
      const id = select.get(name)?.['id'];
      return typeof id === 'number' ? id : undefined;
    },
    take: (name: string): number => {
      const known = select.get(name)?.['id'];
      const id = typeof known === 'number' ? known : Number(insert.run(name).lastInsertRowid);
      if (id >= TERMINALS_MAX) throw new Error('the history has no number left for a terminal');
      return id;
    },
  };
}

function openChanges(db: DatabaseSync, generation: Uint8Array) {
  const terminals = openTerminals(db);
  const wait = db.prepare('INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?)');
  const fold = db.prepare('DELETE FROM pending WHERE id = ?');
  const write = db.prepare('INSERT OR REPLACE INTO block (id, body) VALUES (?, ?)');
  const move = db.prepare('INSERT OR REPLACE INTO cursor VALUES (1, ?, ?)');
  return ({ seen, folded, blocks, cursor }: Change): void => {
    try {
      db.exec('BEGIN IMMEDIATE');
      for (const { id, terminal, lastMs, receivedMs } of seen) {
        wait.run(id, terminals.take(terminal), lastMs, receivedMs);
      }
      for (const id of folded) fold.run(id);
      for (const { terminal, hour, body } of blocks) {
        write.run(hour * TERMINALS_MAX + terminals.take(terminal), body);
      }
      move.run(generation, cursor);
      db.exec('COMMIT');
    } finally {
      // SQLite rolls back by itself after some failures (a full disk at COMMIT), but not after all.
      if (db.isTransaction) db.exec('ROLLBACK');
    }
  };
}

/** @param generation of the ledger: what waited in another one will never come. */
export function openHistoryStore(
  path: string,
  generation: Uint8Array,
  warn: (sentence: string) => void,
): HistoryStore {
  const db = openOrRenew(path, warn);
  const followed = db.prepare('SELECT generation FROM cursor').get()?.['generation'];
  const isSame = followed instanceof Uint8Array && Buffer.from(followed).equals(generation);
  if (!isSame) db.exec('DELETE FROM pending; DELETE FROM cursor');
  const terminals = openTerminals(db);
  const cursor = db.prepare('SELECT ledger_id AS id FROM cursor');
  const waiting = db.prepare(
    `SELECT pending.id, name AS terminal, last_ms AS lastMs, received_ms AS receivedMs
     FROM pending JOIN terminal ON terminal.id = pending.terminal ORDER BY pending.id`,
  );
  const read = db.prepare('SELECT body FROM block WHERE id = ?');
  const remove = db.prepare(
    'DELETE FROM block WHERE id IN (SELECT id FROM block WHERE id < ? ORDER BY id LIMIT ?)',
  );
  const edges = openEdges(db, 'block');
  const count = db.prepare('SELECT count(*) AS count FROM block');
  return {
    cursor: () => Number(cursor.get()?.['id'] ?? 0),
    pending: () => waiting.all() as NewPending[],
    block: (terminal, hour) => {
      const number = terminals.known(terminal);
      if (number === undefined) return undefined;
      const body = read.get(hour * TERMINALS_MAX + number)?.['body'];
      return body instanceof Uint8Array ? body : undefined;
    },
    commit: openChanges(db, generation),
    trim: (beforeHour, limit) => {
      const oldest = edges()?.oldest;
      const until = beforeHour * TERMINALS_MAX;
      if (oldest === undefined || oldest >= until) return 0;
      return Number(remove.run(until, limit).changes);
    },
    bytes: openGauge(db),
    blocks: () => Number(count.get()?.['count']),
    close: () => db.close(),
  };
}
