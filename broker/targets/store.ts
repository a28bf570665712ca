// Targets on disk: one row for each component and whom it means, so that setting one again replaces it and the table
// itself knows no two of the same.

import type { Database } from '../fleet/database.ts';
import type { Target } from './model.ts';

const TABLE = `
  CREATE TABLE IF NOT EXISTS targets (
    component TEXT NOT NULL,
    rank TEXT NOT NULL,
    value TEXT NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (component, rank, value)
  ) STRICT, WITHOUT ROWID;
`;

export type TargetStore = ReturnType<typeof openTargetStore>;

export function openTargetStore({ db }: Pick<Database, 'db'>) {
  db.exec(TABLE);
  const all = db.prepare('SELECT model FROM targets ORDER BY component, rank, value');
  const upsert = db.prepare(
    `INSERT INTO targets (component, rank, value, model) VALUES (?, ?, ?, ?)
     ON CONFLICT (component, rank, value) DO UPDATE SET model = excluded.model`,
  );
  const remove = db.prepare('DELETE FROM targets WHERE component = ? AND rank = ? AND value = ?');
  return {
    all: (): readonly Target[] =>
      all.all().map((row) => JSON.parse(String(row['model'])) as Target),
    save: (target: Target): void => {
      upsert.run(target.component, target.rank, target.value, JSON.stringify(target));
    },
    remove: ({ component, rank, value }: Pick<Target, 'component' | 'rank' | 'value'>): void => {
      remove.run(component, rank, value);
    },
  };
}
