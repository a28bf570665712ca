// Sync's own small file: sales that the head office refused for good, with its reason, and the count of
// confirmed ones. The sale itself stays with the sale component, unconfirmed, so nothing is lost; this only
// remembers not to ask again until a human says so.

import { join } from 'node:path';
import { num, openDatabase, text } from '../shared/database.ts';
import type { Log } from '../shared/log.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS dead_letters (
    sale TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    status INTEGER NOT NULL,
    reason TEXT NOT NULL,
    refused_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS counters (
    version TEXT PRIMARY KEY, acked INTEGER NOT NULL, last_ms INTEGER NOT NULL
  ) STRICT`;

const VERSIONS_SHOWN = 3;
const LISTED_MAX = 200;

export type DeadLetter = {
  readonly sale: string;
  readonly sequence: number;
  readonly status: number;
  readonly reason: string;
  readonly refusedMs: number;
};
export type DeadLetters = ReturnType<typeof openDeadLetters>;

export function openDeadLetters(dataDir: string, log: Log, now: () => number) {
  const db = openDatabase({ path: join(dataDir, 'sync.db'), schema: SCHEMA, log, nowMs: now() });
  return {
    has: (sale: string): boolean =>
      db.get('SELECT 1 FROM dead_letters WHERE sale = ?', sale) !== undefined,
    add: (letter: DeadLetter): void => {
      const { sale, sequence, status, reason, refusedMs } = letter;
      const sql = 'INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING';
      db.run(sql, sale, sequence, status, reason, refusedMs);
    },
    count: (): number => num(db.get('SELECT count(*) AS n FROM dead_letters')?.['n']),
    list: (): DeadLetter[] =>
      db.all('SELECT * FROM dead_letters ORDER BY sequence LIMIT ?', LISTED_MAX).map((row) => ({
        sale: text(row['sale']),
        sequence: num(row['sequence']),
        status: num(row['status']),
        reason: text(row['reason']),
        refusedMs: num(row['refused_ms']),
      })),
    /** A human repaired the cause: all are sent again. @returns how many. */
    retry: (): number => db.run('DELETE FROM dead_letters').changes,
    addAcked: (version: string, acked: number): void => {
      const sql = `INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT (version)
        DO UPDATE SET acked = acked + excluded.acked, last_ms = excluded.last_ms`;
      db.run(sql, version, acked, now());
    },
    acked: (): { labels: { version: string }; value: number }[] =>
      db
        .all('SELECT * FROM counters ORDER BY last_ms DESC LIMIT ?', VERSIONS_SHOWN)
        .map((row) => ({ labels: { version: text(row['version']) }, value: num(row['acked']) })),
    close: () => db.close(),
  };
}
