// Stores on disk, one row each, as a file says them (shape.ts). One that cannot be read back, because a hand was at the
// database or this Node knows its time zone no longer, is left out and logged: then nothing is known of it, the next
// file brings it back, and the broker starts all the same.

import type { Database } from '../fleet/database.ts';
import type { Log } from '../ports.ts';
import { readStores, textOf } from './shape.ts';
import type { Store } from './types.ts';

const TABLES = `
  CREATE TABLE IF NOT EXISTS stores (
    id TEXT PRIMARY KEY,
    model TEXT NOT NULL
  ) STRICT;
`;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export type StoreTable = ReturnType<typeof openStoreTable>;

export function openStoreTable({ db }: Pick<Database, 'db'>, log: Pick<Log, 'error'>) {
  db.exec(TABLES);
  const select = db.prepare('SELECT model FROM stores ORDER BY id');
  const upsert = db.prepare(
    'INSERT INTO stores (id, model) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET model = excluded.model',
  );
  const remove = db.prepare('DELETE FROM stores WHERE id = ?');
  return {
    load: (): readonly Store[] => {
      const rows = select.all();
      const all = readStores({ stores: rows.map((row) => parse(String(row['model']))) });
      if (all.ok) return all.stores;
      return rows.flatMap((row) => {
        const read = readStores({ stores: [parse(String(row['model']))] });
        if (read.ok) return read.stores;
        const [first] = read.found;
        const reason = `${first?.path.slice(2).join('.')}: ${first?.sentence}`;
        log.error('a store cannot be read', { store: String(row['id']), reason });
        return [];
      });
    },
    save: (store: Store): void => {
      upsert.run(store.id, JSON.stringify(textOf(store)));
    },
    remove: (id: string): void => {
      remove.run(id);
    },
  };
}
