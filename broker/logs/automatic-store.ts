// Which incident's last lines were asked for, or why not, in the registry's file: an incident, its row and its request
// become true together with the cursor that says how far the ledger was read, so each is asked for exactly once.

import type { Database } from '../fleet/database.ts';

/** Incidents remembered; far more than a fleet has in the time in which an event may come again. */
const KEPT_MAX = 50_000;
const TRIM_ROWS = 10;

const TABLE = `
  CREATE TABLE IF NOT EXISTS log_incidents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    terminal TEXT NOT NULL,
    incident TEXT NOT NULL,
    component TEXT NOT NULL,
    cause TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    result TEXT NOT NULL,
    decided_ms INTEGER NOT NULL,
    request TEXT NOT NULL,
    UNIQUE (terminal, incident)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS log_incidents_due ON log_incidents (due_ms) WHERE result = 'due';
  CREATE INDEX IF NOT EXISTS log_incidents_whose ON log_incidents (terminal) WHERE result = 'due';
`;

export type Due = {
  readonly terminal: string;
  readonly incident: string;
  readonly component: string;
  readonly cause: string;
  readonly openedMs: number;
  readonly dueMs: number;
};

export function openAutomaticStore({ db }: Database) {
  db.exec(TABLE);
  const insert = db.prepare(
    `INSERT OR IGNORE INTO log_incidents
       (terminal, incident, component, cause, opened_ms, due_ms, result, decided_ms, request)
     VALUES (?, ?, ?, ?, ?, ?, 'due', 0, '')`,
  );
  const trim = db.prepare(
    `DELETE FROM log_incidents WHERE id IN
       (SELECT id FROM log_incidents ORDER BY id DESC LIMIT ${TRIM_ROWS} OFFSET ${KEPT_MAX})`,
  );
  const due = db.prepare(
    `SELECT terminal, incident, component, cause, opened_ms AS openedMs, due_ms AS dueMs
     FROM log_incidents WHERE result = 'due' AND due_ms <= ? ORDER BY due_ms LIMIT ?`,
  );
  const waiting = db.prepare(
    `SELECT count(*) AS count FROM log_incidents INDEXED BY log_incidents_whose
     WHERE terminal = ? AND result = 'due'`,
  );
  const decide = db.prepare(
    `UPDATE log_incidents SET result = ?, decided_ms = ?, request = ?
     WHERE terminal = ? AND incident = ?`,
  );
  const asked = db.prepare(
    `SELECT request FROM log_incidents
     WHERE terminal = ? AND result = 'asked' AND decided_ms > ?`,
  );
  const find = db.prepare(
    "SELECT request FROM log_incidents WHERE terminal = ? AND incident = ? AND result = 'asked'",
  );
  return {
    /** One that is known already changes nothing. */
    add: (one: Due): void => {
      const { terminal, incident, component, cause, openedMs, dueMs } = one;
      insert.run(terminal, incident, component, cause, openedMs, dueMs);
      trim.run();
    },
    /** Of one terminal, that nobody has decided about. */
    waiting: (terminal: string): number => Number(waiting.get(terminal)?.['count']),
    due: (nowMs: number, limit: number): readonly Due[] =>
      due.all(nowMs, limit) as unknown as readonly Due[],
    decide: ({ terminal, incident }: Due, result: string, nowMs: number, request = ''): void => {
      decide.run(result, nowMs, request, terminal, incident);
    },
    /** Ids of the requests that were made for a terminal since then. */
    askedSince: (terminal: string, sinceMs: number): readonly string[] =>
      asked.all(terminal, sinceMs).map(({ request }) => String(request)),
    requestOf: (terminal: string, incident: string): string | undefined => {
      const found = find.get(terminal, incident)?.['request'];
      return found === undefined ? undefined : String(found);
    },
  };
}
