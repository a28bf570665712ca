// The only way in which entries of the audit log end: from the oldest on, once they are older than they must be
// kept. The trigger that refuses every deletion is lifted within the transaction of this one and nowhere else,
// and the hash of the last entry that went stays, because the next one was made from it.

import { openGone } from './audit-rows.ts';
import type { Database } from './fleet/database.ts';
import { openEdges } from './sqlite.ts';

const TABLE = `
  CREATE TABLE IF NOT EXISTS audit_gone (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    until INTEGER NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
`;
const LIFT = 'DROP TRIGGER audit_no_delete';
const LOWER = `
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
`;
/** Lifting the trigger changes the schema, so a day's entries go together. */
const SLACK_MS = 86_400_000;
/** Entries whose size stands for that of all. */
const WEIGHED_ROWS = 200;
/** Numbers, lengths and the hash, beside the texts of an entry. */
const ROW_BYTES = 100;

export function openTrim({ db }: Database) {
  db.exec(TABLE);
  const edgesOf = openEdges(db, 'audit');
  const gone = openGone(db);
  const rows = db.prepare('SELECT id, time_ms AS timeMs, hash FROM audit ORDER BY id LIMIT ?');
  const remove = db.prepare('DELETE FROM audit WHERE id <= ?');
  const note = db.prepare('INSERT OR REPLACE INTO audit_gone VALUES (1, ?, ?)');
  const weigh = db.prepare(
    `SELECT avg(length(operator) + length(action) + length(subject) + length(reason) +
       length(outcome) + length(detail)) AS bytes
     FROM (SELECT * FROM audit ORDER BY id DESC LIMIT ${WEIGHED_ROWS})`,
  );
  return {
    /** What the first entry that is left was made from; no hash when none ever went. */
    gone,
    trim: (beforeMs: number, limit: number): number => {
      let last: { readonly id: number; readonly hash: string } | undefined;
      if (Number(rows.get(1)?.['timeMs'] ?? beforeMs) >= beforeMs - SLACK_MS) return 0;
      for (const { id, timeMs, hash } of rows.all(limit)) {
        if (Number(timeMs) >= beforeMs) break;
        last = { id: Number(id), hash: String(hash) };
      }
      if (last === undefined) return 0;
      db.exec(LIFT);
      const { changes } = remove.run(last.id);
      db.exec(LOWER);
      note.run(last.id, last.hash);
      return Number(changes);
    },
    bytes: (): number => {
      const edges = edgesOf();
      if (edges === undefined) return 0;
      const each = Number(weigh.get()?.['bytes'] ?? 0) + ROW_BYTES;
      return Math.round((edges.newest - edges.oldest + 1) * each);
    },
  };
}
