// Maintenances, what tills were told of them, recurring windows and what they did, on disk. A broker that was killed goes
// on with all of it; a row of a run is there before the run begins, and the table itself refuses a second one of the
// same window, store and date.

import type { Database } from '../fleet/database.ts';
import type { Maintenance } from './model.ts';
import type { Run, Window } from './windows.ts';

/** Those that are over; what was done stays in the audit log. */
export const MAINTENANCES_KEPT_MAX = 2_000;
/** Of one window and store: more dates than a clock is ever put back by. */
export const RUNS_KEPT_MAX = 8;

const TABLES = `
  CREATE TABLE IF NOT EXISTS maintenances (
    id TEXT PRIMARY KEY,
    over INTEGER NOT NULL,
    model TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS maintenances_over ON maintenances (over);
  CREATE TABLE IF NOT EXISTS maintenance_told (
    terminal TEXT PRIMARY KEY,
    maintenance TEXT NOT NULL,
    until_ms REAL NOT NULL,
    releasing INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS maintenance_windows (
    name TEXT PRIMARY KEY,
    model TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS maintenance_runs (
    window TEXT NOT NULL,
    store TEXT NOT NULL,
    date TEXT NOT NULL,
    at_ms REAL NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (window, store, date)
  ) STRICT, WITHOUT ROWID;
`;

export type KeptTold = {
  readonly terminal: string;
  readonly maintenance: string;
  readonly untilMs: number;
  readonly releasing: boolean;
};

type Row = Record<string, unknown>;
const modelOf = <T>(row: Row): T => JSON.parse(String(row['model'])) as T;

export type MaintenanceStore = ReturnType<typeof openMaintenanceStore>;

export function openMaintenanceStore({ db }: Pick<Database, 'db'>) {
  db.exec(TABLES);
  const running = db.prepare('SELECT model FROM maintenances WHERE over = 0 ORDER BY rowid');
  const over = db.prepare(
    'SELECT model FROM maintenances WHERE over = 1 ORDER BY rowid DESC LIMIT ?',
  );
  const upsert = db.prepare(
    `INSERT INTO maintenances (id, over, model) VALUES (?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET over = excluded.over, model = excluded.model`,
  );
  const trim = db.prepare(
    `DELETE FROM maintenances WHERE over = 1 AND id IN
       (SELECT id FROM maintenances WHERE over = 1 ORDER BY rowid DESC LIMIT 10 OFFSET ?)`,
  );
  const told = db.prepare('SELECT * FROM maintenance_told');
  const tell = db.prepare(
    `INSERT INTO maintenance_told (terminal, maintenance, until_ms, releasing) VALUES (?, ?, ?, ?)
     ON CONFLICT (terminal) DO UPDATE SET maintenance = excluded.maintenance,
       until_ms = excluded.until_ms, releasing = excluded.releasing`,
  );
  const forget = db.prepare('DELETE FROM maintenance_told WHERE terminal = ?');
  return {
    running: (): readonly Maintenance[] => running.all().map(modelOf<Maintenance>),
    over: (limit: number): readonly Maintenance[] => over.all(limit).map(modelOf<Maintenance>),
    /** @returns how many old ones went for it. */
    save: (maintenance: Maintenance): number => {
      const isOver = maintenance.ended !== undefined;
      upsert.run(maintenance.id, isOver ? 1 : 0, JSON.stringify(maintenance));
      return isOver ? Number(trim.run(MAINTENANCES_KEPT_MAX).changes) : 0;
    },
    told: (): readonly KeptTold[] =>
      told.all().map((row) => ({
        ...{ terminal: String(row['terminal']), maintenance: String(row['maintenance']) },
        ...{ untilMs: Number(row['until_ms']), releasing: row['releasing'] === 1 },
      })),
    tell: ({ terminal, maintenance, untilMs, releasing }: KeptTold): void => {
      tell.run(terminal, maintenance, untilMs, releasing ? 1 : 0);
    },
    forget: (terminal: string): void => {
      forget.run(terminal);
    },
    windows: openWindows({ db }),
  };
}

function openWindows({ db }: Pick<Database, 'db'>) {
  const all = db.prepare('SELECT model FROM maintenance_windows ORDER BY name');
  const insert = db.prepare('INSERT INTO maintenance_windows (name, model) VALUES (?, ?)');
  const remove = db.prepare('DELETE FROM maintenance_windows WHERE name = ?');
  const removeRuns = db.prepare('DELETE FROM maintenance_runs WHERE window = ?');
  const runs = db.prepare('SELECT model FROM maintenance_runs');
  const newest = db.prepare(
    'SELECT model FROM maintenance_runs WHERE window = ? ORDER BY at_ms DESC, store LIMIT ?',
  );
  const keys = db.prepare('SELECT window, store, date FROM maintenance_runs');
  const drop = db.prepare(
    'DELETE FROM maintenance_runs WHERE window = ? AND store = ? AND date = ?',
  );
  const upsert = db.prepare(
    `INSERT INTO maintenance_runs (window, store, date, at_ms, model) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (window, store, date) DO UPDATE SET model = excluded.model`,
  );
  const trim = db.prepare(
    `DELETE FROM maintenance_runs WHERE window = ?1 AND store = ?2 AND date IN
       (SELECT date FROM maintenance_runs WHERE window = ?1 AND store = ?2
        ORDER BY at_ms DESC, date DESC LIMIT 10 OFFSET ${RUNS_KEPT_MAX})`,
  );
  return {
    all: (): readonly Window[] => all.all().map(modelOf<Window>),
    add: (window: Window): void => {
      insert.run(window.name, JSON.stringify(window));
    },
    remove: (name: string): void => {
      remove.run(name);
      removeRuns.run(name);
    },
    runs: (): readonly Run[] => runs.all().map(modelOf<Run>),
    keys: (): readonly Pick<Run, 'window' | 'store' | 'date'>[] =>
      keys.all().map((row) => ({
        ...{
          window: String(row['window']),
          store: String(row['store']),
          date: String(row['date']),
        },
      })),
    drop: ({ window, store, date }: Run): void => {
      drop.run(window, store, date);
    },
    newest: (window: string, limit: number): readonly Run[] =>
      newest.all(window, limit).map(modelOf<Run>),
    keep: (run: Run): void => {
      upsert.run(run.window, run.store, run.date, run.atMs, JSON.stringify(run));
      trim.run(run.window, run.store);
    },
  };
}
