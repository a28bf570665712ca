// What a sink will never take, one row for each terminal, sink and reason, in whichever file the sink keeps its place:
// the rows and the place move in one transaction, which is the caller's. The same table in each, so that all are read
// alike.

import { DatabaseSync } from 'node:sqlite';
import type { Buried } from './types.ts';
import { systemWords } from './words.ts';

/** The oldest rows go (config-retention.ts). */
export type DeadLetterLimits = { readonly days: number; readonly rowsMax: number };
const DAY_MS = 86_400_000;

export type DeadLetter = Buried & {
  readonly sink: string;
  readonly firstMs: number;
  readonly lastMs: number;
};

export const DEAD_LETTERS_TABLE = `
  CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY,
    sink TEXT NOT NULL,
    terminal TEXT NOT NULL,
    reason TEXT NOT NULL,
    sentence TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    sample TEXT NOT NULL,
    UNIQUE (sink, terminal, reason)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS dead_letters_last ON dead_letters (last_ms);
`;

/** @returns writes them down, and lets go of what is too old or too much. Within a transaction. */
export function openDeadLetters(
  db: DatabaseSync,
  limits: DeadLetterLimits,
): (sink: string, buried: readonly Buried[], nowMs: number) => void {
  const add = db.prepare(
    `INSERT INTO dead_letters
       (sink, terminal, reason, sentence, count, first_ms, last_ms, sample)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sink, terminal, reason)
     DO UPDATE SET count = count + excluded.count, last_ms = excluded.last_ms,
       sentence = excluded.sentence, sample = excluded.sample`,
  );
  const trim = db.prepare(
    `DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters ORDER BY last_ms
     LIMIT max(0, (SELECT count(*) FROM dead_letters) - ?))`,
  );
  const expire = db.prepare('DELETE FROM dead_letters WHERE last_ms < ?');
  return (sink, buried, nowMs) => {
    for (const { terminal, reason, sentence, count, sample = '' } of buried) {
      const words = [systemWords(sentence), count, nowMs, nowMs, systemWords(sample)] as const;
      add.run(sink, terminal, reason, ...words);
    }
    if (buried.length === 0) return;
    trim.run(limits.rowsMax);
    expire.run(nowMs - limits.days * DAY_MS);
  };
}

/** Newest first, over a connection of its own; none while there is no file. */
export function readDeadLetters(path: string, limit: number, sink = ''): readonly DeadLetter[] {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 500 });
    return db
      .prepare(
        `SELECT sink, terminal, reason, sentence, count, first_ms AS firstMs, last_ms AS lastMs, sample
         FROM dead_letters WHERE ? IN ('', sink) ORDER BY last_ms DESC, id DESC LIMIT ?`,
      )
      .all(sink, limit) as unknown as DeadLetter[];
  } catch {
    return [];
  } finally {
    db?.close();
  }
}
