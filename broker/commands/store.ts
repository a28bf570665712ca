// The command table: the database is the queue (research/mqtt.md section 8), so a broker that was killed
// goes on where it was. A command is one JSON record, because nothing asks for parts of it; open ones
// have a small index of their own.

import type { Database } from '../fleet/database.ts';
import { isOpen, type QueuedCommand } from './queue.ts';

/** Finished commands kept; who asked for what stays in the audit log for ever. */
export const COMMANDS_KEPT_MAX = 10_000;
/** More than one new command can leave behind, so that a lowered bound is reached in time. */
const TRIM_ROWS = 10;

export type CommandStore = ReturnType<typeof openCommandStore>;

/** @param keptMax finished ones. */
export function openCommandStore({ db }: Database, keptMax = COMMANDS_KEPT_MAX) {
  const read = (row: Record<string, unknown>): QueuedCommand =>
    JSON.parse(String(row['model'])) as QueuedCommand;
  const byId = db.prepare('SELECT model FROM commands WHERE id = ?');
  const open = db.prepare('SELECT model FROM commands WHERE open = 1 ORDER BY rowid');
  const openOf = db.prepare(
    'SELECT model FROM commands WHERE open = 1 AND terminal = ? ORDER BY rowid',
  );
  const countOpen = db.prepare('SELECT count(*) AS count FROM commands WHERE open = 1');
  const untraced = db.prepare(
    `SELECT model FROM commands WHERE open = 0 AND created_ms >= ?
       AND json_extract(model, '$.traced') IS NULL ORDER BY rowid LIMIT ?`,
  );
  const upsert = db.prepare(
    `INSERT INTO commands (id, terminal, open, created_ms, model) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET open = excluded.open, model = excluded.model`,
  );
  const trim = db.prepare(
    `DELETE FROM commands WHERE rowid IN
       (SELECT rowid FROM commands WHERE open = 0 ORDER BY rowid DESC LIMIT ${TRIM_ROWS} OFFSET ?)`,
  );
  return {
    get: (id: string): QueuedCommand | undefined => {
      const row = byId.get(id);
      return row && read(row);
    },
    open: (): readonly QueuedCommand[] => open.all().map(read),
    openOf: (terminal: string): readonly QueuedCommand[] => openOf.all(terminal).map(read),
    /** Finished, and their spans are not known to be in the ledger. */
    untraced: (sinceMs: number, limit: number): readonly QueuedCommand[] =>
      untraced.all(sinceMs, limit).map(read),
    countOpen: (): number => Number(countOpen.get()?.['count']),
    save: (queued: QueuedCommand): void => {
      const { id, terminal, issuedMs } = queued.command;
      upsert.run(id, terminal, isOpen(queued) ? 1 : 0, issuedMs, JSON.stringify(queued));
    },
    /** @returns how many old finished commands went. */
    trim: (): number => Number(trim.run(keptMax).changes),
  };
}
