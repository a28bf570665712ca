// What all operators must know at once: somebody begins something that may stop many tills, or something stopped by
// itself. Kept in a table, so that who signs in later reads it too; told on the live stream, and named by its number in
// every answer of the API, so that a command line finds out without asking.

import type { Clock } from '../clock.ts';
import type { Database } from '../fleet/database.ts';

/** The oldest go first. */
export const NOTICES_KEPT_MAX = 1_000;

export type Notice = {
  readonly id: number;
  readonly timeMs: number;
  /** Who caused it; whoever that is knows already. */
  readonly operator: string;
  readonly text: string;
  readonly bulk: string;
};

export type Notices = {
  /** Within a transaction it shares that one's fate. */
  readonly add: (notice: Omit<Notice, 'id' | 'timeMs'>) => void;
  /** Oldest first, of those after an id. */
  readonly after: (id: number, limit: number) => readonly Notice[];
  /** Id of the newest; 0 before the first. */
  readonly newest: () => number;
  /** Called once it is on disk. */
  readonly onNotice: (listener: (notice: Notice) => void) => void;
};

const TABLE = `
  CREATE TABLE IF NOT EXISTS notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ms INTEGER NOT NULL,
    operator TEXT NOT NULL,
    text TEXT NOT NULL,
    bulk TEXT NOT NULL
  ) STRICT;
`;

export function openNotices(
  { db, afterCommit }: Database,
  clock: Pick<Clock, 'wallMs'>,
  keptMax = NOTICES_KEPT_MAX,
): Notices {
  db.exec(TABLE);
  const insert = db.prepare(
    'INSERT INTO notices (time_ms, operator, text, bulk) VALUES (?, ?, ?, ?)',
  );
  const trim = db.prepare('DELETE FROM notices WHERE id <= ?');
  const after = db.prepare(
    `SELECT id, time_ms AS timeMs, operator, text, bulk FROM notices
     WHERE id > ? ORDER BY id LIMIT ?`,
  );
  const listeners: ((notice: Notice) => void)[] = [];
  let newest = Number(db.prepare('SELECT max(id) AS id FROM notices').get()?.['id'] ?? 0);
  return {
    add: ({ operator, text, bulk }) => {
      const timeMs = clock.wallMs();
      const id = Number(insert.run(timeMs, operator, text, bulk).lastInsertRowid);
      trim.run(id - keptMax);
      afterCommit(() => {
        newest = id;
        for (const listener of listeners) listener({ id, timeMs, operator, text, bulk });
      });
    },
    after: (id, limit) => after.all(id, limit) as unknown as readonly Notice[],
    newest: () => newest,
    onNotice: (listener) => {
      listeners.push(listener);
    },
  };
}
