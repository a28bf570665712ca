// What the forwarding of logs must not forget: of each sink and request how many bytes are done with, and what the
// request was when its first bytes came, because a replay has to say the same. A file of its own beside sinks.db, since
// another thread writes it.

import type { DatabaseSync } from 'node:sqlite';
import { fail, ok, type Result } from '../../protocol/result.ts';
import { openFile } from '../sqlite.ts';
import { DEAD_LETTERS_TABLE, type DeadLetterLimits, openDeadLetters } from './dead-letters.ts';
import type { Origin } from './loki-entries.ts';
import type { Buried } from './types.ts';

const TABLES = `
  CREATE TABLE IF NOT EXISTS forwarded (
    sink TEXT NOT NULL,
    request TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (sink, request)
  ) STRICT, WITHOUT ROWID;
  ${DEAD_LETTERS_TABLE}
`;

export type Forwarded = { readonly bytes: number; readonly origin: Origin };

export type LokiStore = {
  readonly read: (sink: string) => ReadonlyMap<string, Forwarded>;
  /** All or nothing, on disk when it returns ok. */
  readonly move: (
    sink: string,
    forwarded: Forwarded,
    buried: readonly Buried[],
    nowMs: number,
  ) => Result<unknown>;
  /** Of a request that nobody knows any more. */
  readonly forget: (request: string) => void;
  readonly close: () => void;
};

export function openLokiStore(path: string, limits: DeadLetterLimits): LokiStore {
  const db: DatabaseSync = openFile('file of forwarded logs', path, (opened) => {
    opened.exec(TABLES);
    return opened;
  });
  const select = db.prepare('SELECT request, bytes, origin FROM forwarded WHERE sink = ?');
  const upsert = db.prepare(
    `INSERT INTO forwarded (sink, request, bytes, origin) VALUES (?, ?, ?, ?)
     ON CONFLICT (sink, request) DO UPDATE SET bytes = excluded.bytes`,
  );
  const remove = db.prepare('DELETE FROM forwarded WHERE request = ?');
  const bury = openDeadLetters(db, limits);
  return {
    read: (sink) =>
      new Map(
        select
          .all(sink)
          .map((row) => [
            String(row['request']),
            { bytes: Number(row['bytes']), origin: JSON.parse(String(row['origin'])) as Origin },
          ]),
      ),
    move: (sink, { bytes, origin }, buried, nowMs) => {
      try {
        db.exec('BEGIN IMMEDIATE');
        upsert.run(sink, origin.request, bytes, JSON.stringify(origin));
        bury(sink, buried, nowMs);
        db.exec('COMMIT');
        return ok(undefined);
      } catch (cause) {
        if (db.isTransaction) db.exec('ROLLBACK');
        return fail(`how far the logs are could not be written: ${(cause as Error).message}`);
      }
    },
    forget: (request) => {
      try {
        remove.run(request);
      } catch {
        // A disk in trouble: the row is a few bytes, and goes with the next start.
      }
    },
    close: () => db.close(),
  };
}
