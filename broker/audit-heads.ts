// Signed heads of the audit log: what its newest entry is and how many there are, signed with a key that does not lie
// in the database. Each write replaces the head of its day within its own transaction, so the newest head and the newest
// entry are of one moment, and the last head of each day stays. Who can write the file but has not the key cannot
// cut, change or add anything; who puts the whole file back to an older state can, and only a head that was kept
// elsewhere shows it (`tillwatch audit head`).

import type { KeyObject } from 'node:crypto';
import { type AuditGone, type AuditHead, newestHead, signHead } from '../protocol/audit.ts';
import { readHeads, SELECT_HEADS } from './audit-rows.ts';
import type { Clock } from './clock.ts';
import { DAY_MS } from './config-retention.ts';
import type { Database } from './fleet/database.ts';

const TABLE = `
  CREATE TABLE IF NOT EXISTS audit_heads (
    time_ms INTEGER PRIMARY KEY,
    id INTEGER NOT NULL,
    hash TEXT NOT NULL,
    count INTEGER NOT NULL,
    key TEXT NOT NULL,
    signature TEXT NOT NULL
  ) STRICT;
`;
/** More days than an audit log can be kept; the oldest heads go first. */
const HEADS_MAX = 4_000;

export type Heads = ReturnType<typeof openHeads>;

export function openHeads({ db }: Database, key: () => KeyObject, clock: Pick<Clock, 'wallMs'>) {
  db.exec(TABLE);
  const select = db.prepare(`${SELECT_HEADS} LIMIT ?`);
  const put = db.prepare(
    'INSERT OR REPLACE INTO audit_heads (time_ms, id, hash, count, key, signature) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const ofDay = db.prepare('DELETE FROM audit_heads WHERE time_ms >= ? AND time_ms < ?');
  const surplus = db.prepare(
    `DELETE FROM audit_heads WHERE id <= (SELECT id FROM audit_heads ORDER BY id DESC LIMIT 1 OFFSET ${HEADS_MAX})`,
  );
  const older = db.prepare('DELETE FROM audit_heads WHERE id < ?');
  const clear = db.prepare('DELETE FROM audit_heads');
  let signedDay: number | undefined;
  return {
    newest: (): AuditHead | undefined => newestHead(readHeads(select, 2)),
    all: (): readonly AuditHead[] => readHeads(select, HEADS_MAX + 1),
    sign: (id: number, hash: string, gone: AuditGone): void => {
      const timeMs = clock.wallMs();
      const head = signHead({ id, hash, timeMs, count: id - gone.until }, key());
      const day = Math.floor(timeMs / DAY_MS);
      ofDay.run(day * DAY_MS, (day + 1) * DAY_MS);
      put.run(timeMs, id, hash, head.count, head.key, head.signature);
      if (day !== signedDay) surplus.run();
      signedDay = day;
    },
    /** Heads of entries that are deleted prove nothing any more. */
    trim: (gone: AuditGone): void => {
      older.run(gone.until);
    },
    /** Those of a key that is not used any more. */
    clear: (): void => {
      clear.run();
    },
  };
}
