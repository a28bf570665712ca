// What the head office remembers: each sale once, under its id, with a digest of its content. The same
// sale again is the same answer again; another content under a known id is a conflict and never
// overwrites what was booked. The digest is over JSON with sorted keys, so that the order in which a
// sender happens to write its fields means nothing.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { num, openDatabase } from '../shared/database.ts';
import type { Log } from '../shared/log.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS sales (
    id TEXT PRIMARY KEY,
    terminal TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    total_minor INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS by_terminal ON sales (terminal);
  CREATE TABLE IF NOT EXISTS prices (
    store TEXT PRIMARY KEY, revision INTEGER NOT NULL
  ) STRICT`;

export type BookedSale = {
  readonly id: string;
  readonly terminal: string;
  readonly sequence: number;
  readonly totalMinor: number;
};

export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`)}}`;
}

export type CentreStore = ReturnType<typeof openCentreStore>;

export function openCentreStore(dataDir: string, log: Log, now: () => number) {
  const db = openDatabase({ path: join(dataDir, 'centre.db'), schema: SCHEMA, log, nowMs: now() });
  return {
    book: (sale: BookedSale, content: unknown): 'new' | 'known' | 'other' => {
      const body = canonicalJson(content);
      const digest = createHash('sha256').update(body).digest('hex');
      return db.transaction(() => {
        const known = db.get('SELECT digest FROM sales WHERE id = ?', sale.id);
        if (known) return known['digest'] === digest ? 'known' : 'other';
        const { id, terminal, sequence, totalMinor } = sale;
        const sql = 'INSERT INTO sales VALUES (?, ?, ?, ?, ?, ?, ?)';
        db.run(sql, id, terminal, sequence, totalMinor, now(), digest, body);
        return 'new';
      });
    },
    /** @param terminal all terminals when empty. */
    count: (terminal: string): { count: number; totalMinor: number } => {
      const sql = `SELECT count(*) AS n, sum(total_minor) AS total FROM sales
        WHERE ? = '' OR terminal = ?`;
      const row = db.get(sql, terminal, terminal);
      return { count: num(row?.['n']), totalMinor: num(row?.['total']) };
    },
    revision: (store: string): number =>
      num(db.get('SELECT revision FROM prices WHERE store = ?', store)?.['revision'] ?? 1),
    setRevision: (store: string, revision: number): void => {
      const sql = `INSERT INTO prices VALUES (?, ?)
        ON CONFLICT (store) DO UPDATE SET revision = excluded.revision`;
      db.run(sql, store, revision);
    },
    close: () => db.close(),
  };
}
