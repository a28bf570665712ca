// Bulk actions on disk: what each is in one record, and its list in rows of their own, of which only those are written
// that changed. A terminal stands in a list once; the table itself refuses a second time.

import type { Database } from '../fleet/database.ts';
import { type BulkModel, isOver, type Target } from './model.ts';

/** Bulk actions kept; the oldest that are over go first. What was done stays in the audit log. */
export const BULKS_KEPT_MAX = 200;

const TABLES = `
  CREATE TABLE IF NOT EXISTS bulks (
    id TEXT PRIMARY KEY,
    over INTEGER NOT NULL,
    model TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS bulk_targets (
    bulk TEXT NOT NULL,
    place INTEGER NOT NULL,
    terminal TEXT NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (bulk, place),
    UNIQUE (bulk, terminal)
  ) STRICT, WITHOUT ROWID;
`;

type Row = Record<string, unknown>;

export type BulkStore = ReturnType<typeof openBulkStore>;

export function openBulkStore({ db }: Database, keptMax = BULKS_KEPT_MAX) {
  db.exec(TABLES);
  const byId = db.prepare('SELECT model FROM bulks WHERE id = ?');
  const running = db.prepare('SELECT id FROM bulks WHERE over = 0 ORDER BY rowid');
  const newest = db.prepare('SELECT id FROM bulks ORDER BY rowid DESC LIMIT ?');
  const targets = db.prepare('SELECT model FROM bulk_targets WHERE bulk = ? ORDER BY place');
  const upsert = db.prepare(
    `INSERT INTO bulks (id, over, model) VALUES (?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET over = excluded.over, model = excluded.model`,
  );
  const upsertTarget = db.prepare(
    `INSERT INTO bulk_targets (bulk, place, terminal, model) VALUES (?, ?, ?, ?)
     ON CONFLICT (bulk, place) DO UPDATE SET model = excluded.model`,
  );
  const surplus = db.prepare(
    'SELECT id FROM bulks WHERE over = 1 ORDER BY rowid DESC LIMIT 10 OFFSET ?',
  );
  const remove = db.prepare('DELETE FROM bulks WHERE id = ?');
  const removeTargets = db.prepare('DELETE FROM bulk_targets WHERE bulk = ?');
  const idOf = (row: Row): string => String(row['id']);

  function get(id: string): BulkModel | undefined {
    const row = byId.get(id);
    if (row === undefined) return undefined;
    const model = JSON.parse(String(row['model'])) as Omit<BulkModel, 'targets'>;
    const list = targets.all(id).map((one) => JSON.parse(String(one['model'])) as Target);
    return { ...model, targets: list };
  }

  return {
    get,
    /** All that can still change. */
    open: (): readonly BulkModel[] =>
      running.all().flatMap((row) => {
        const model = get(idOf(row));
        return model === undefined ? [] : [model];
      }),
    newest: (limit: number): readonly string[] => newest.all(limit).map(idOf),
    /** @param before as it is on disk; its list never changes in length or order. */
    save: (model: BulkModel, before: BulkModel | undefined): void => {
      const { targets: list, ...rest } = model;
      upsert.run(model.id, isOver(model) ? 1 : 0, JSON.stringify(rest));
      list.forEach((target, place) => {
        if (before?.targets[place] === target) return;
        upsertTarget.run(model.id, place, target.terminal, JSON.stringify(target));
      });
    },
    /** @returns how many went. */
    trim: (): number => {
      const gone = surplus.all(keptMax).map(idOf);
      for (const id of gone) {
        remove.run(id);
        removeTargets.run(id);
      }
      return gone.length;
    },
  };
}
