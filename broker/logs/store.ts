// The table of requests for logs, in the registry's file, so that a request, its command and its audit entry
// become true together, and what was received counts from the same moment as what it led to. Made when it
// is missing; an older broker does not mind it.

import type { Database } from '../fleet/database.ts';
import type { LogRecord } from './model.ts';

const TABLE = `
  CREATE TABLE IF NOT EXISTS log_requests (
    id TEXT PRIMARY KEY,
    terminal TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    model TEXT NOT NULL
  ) STRICT;
`;

export type NewestFilter = {
  readonly terminal?: string | undefined;
  readonly group?: string | undefined;
  readonly what?: string | undefined;
};

export type LogStore = ReturnType<typeof openLogStore>;

export function openLogStore({ db }: Database) {
  db.exec(TABLE);
  const read = (row: Record<string, unknown>): LogRecord =>
    JSON.parse(String(row['model'])) as LogRecord;
  const byId = db.prepare('SELECT model FROM log_requests WHERE id = ?');
  const newest = db.prepare(
    `SELECT model FROM log_requests
     WHERE (?1 IS NULL OR terminal = ?1)
       AND (?2 IS NULL OR json_extract(model, '$.group') = ?2)
       AND (?3 IS NULL OR coalesce(json_extract(model, '$.what'), 'lines') = ?3)
     ORDER BY rowid DESC`,
  );
  const open = db.prepare(
    "SELECT model FROM log_requests WHERE json_extract(model, '$.state') = 'open'",
  );
  const oldest = db.prepare('SELECT model FROM log_requests ORDER BY rowid');
  const upsert = db.prepare(
    `INSERT INTO log_requests (id, terminal, created_ms, model) VALUES (?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET model = excluded.model`,
  );
  const remove = db.prepare('DELETE FROM log_requests WHERE id = ?');
  return {
    get: (id: string): LogRecord | undefined => {
      const row = byId.get(id);
      return row && read(row);
    },
    /** Newest first, one after the other. */
    newest: function* ({ terminal, group, what }: NewestFilter = {}): Generator<LogRecord> {
      const of = [terminal ?? null, group ?? null, what ?? null];
      for (const row of newest.all(...of)) yield read(row);
    },
    open: (): readonly LogRecord[] => open.all().map(read),
    oldestFirst: (): readonly LogRecord[] => oldest.all().map(read),
    save: (record: LogRecord): void => {
      upsert.run(record.id, record.terminal, record.createdMs, JSON.stringify(record));
    },
    remove: (id: string): void => {
      remove.run(id);
    },
  };
}
