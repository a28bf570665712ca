// The command table: the database is the queue (research/mqtt.md section 8), so a broker that was killed
// goes on where it was. A command is one JSON record, because nothing asks for parts of it; open ones
// have a small index of their own. Beside it stands which key of a caller became which command.

import type { SQLInputValue } from 'node:sqlite';
import type { Command } from '../../protocol/commands.ts';
import type { Database } from '../fleet/database.ts';
import { isOpen, type QueuedCommand, type QueueState } from './queue.ts';
import { toldArguments } from './view.ts';

/** Finished commands kept; who asked for what stays in the audit log for ever. */
export const COMMANDS_KEPT_MAX = 10_000;
/** More than one new command can leave behind, so that a lowered bound is reached in time. */
const TRIM_ROWS = 10;
/** Keys of callers; who repeats a request does so within minutes. */
export const KEYS_KEPT_MAX = 10_000;

const KEYS = `
  CREATE TABLE IF NOT EXISTS command_keys (
    operator TEXT NOT NULL,
    key TEXT NOT NULL,
    command TEXT NOT NULL,
    asked TEXT NOT NULL,
    UNIQUE (operator, key)
  ) STRICT;
`;

/**
 * The document of an open `apply`, apart from its command: open ones are read each second, and a thousand documents
 * with them would be work for nothing.
 */
const CONTENTS = `
  CREATE TABLE IF NOT EXISTS command_contents (
    command TEXT PRIMARY KEY,
    packed TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

export type CommandFilter = {
  readonly terminal?: string | undefined;
  readonly state?: QueueState | undefined;
  readonly bulk?: string | undefined;
  readonly limit: number;
};
export type KeptKey = {
  readonly operator: string;
  readonly key: string;
  readonly command: string;
  /** Digest of what was asked for under it. */
  readonly asked: string;
};

export type CommandStore = ReturnType<typeof openCommandStore>;

const read = (row: Record<string, unknown>): QueuedCommand =>
  JSON.parse(String(row['model'])) as QueuedCommand;

function openKeys({ db }: Database) {
  db.exec(KEYS);
  const find = db.prepare(
    'SELECT operator, key, command, asked FROM command_keys WHERE operator = ? AND key = ?',
  );
  const insert = db.prepare(
    'INSERT OR REPLACE INTO command_keys (operator, key, command, asked) VALUES (?, ?, ?, ?)',
  );
  const trim = db.prepare(
    `DELETE FROM command_keys WHERE rowid IN
       (SELECT rowid FROM command_keys ORDER BY rowid DESC LIMIT ${TRIM_ROWS} OFFSET ?)`,
  );
  return {
    keyOf: (operator: string, key: string): KeptKey | undefined =>
      find.get(operator, key) as KeptKey | undefined,
    keepKey: ({ operator, key, command, asked }: KeptKey): void => {
      insert.run(operator, key, command, asked);
      trim.run(KEYS_KEPT_MAX);
    },
  };
}

const withoutPacked = (queued: QueuedCommand): QueuedCommand => {
  const { command } = queued;
  if (command.kind !== 'apply') return queued;
  const told = { ...command, arguments: toldArguments(command.arguments) };
  return { ...queued, command: told as typeof command };
};

function openContents({ db }: Database) {
  db.exec(CONTENTS);
  const insert = db.prepare(
    'INSERT OR IGNORE INTO command_contents (command, packed) VALUES (?, ?)',
  );
  const find = db.prepare('SELECT packed FROM command_contents WHERE command = ?');
  const remove = db.prepare('DELETE FROM command_contents WHERE command = ?');
  return {
    keep: ({ id, arguments: args }: Command): void => {
      const packed: unknown = Reflect.get(args, 'packed');
      if (typeof packed === 'string') insert.run(id, packed);
    },
    remove: ({ id }: Command): void => {
      remove.run(id);
    },
    /** As it travels. */
    whole: (command: Command): Command => {
      if (command.kind !== 'apply' || Object.hasOwn(command.arguments, 'packed')) return command;
      const packed = find.get(command.id)?.['packed'];
      return { ...command, arguments: { ...command.arguments, packed: String(packed ?? '') } };
    },
  };
}

/** Newest first. The state is read out of the record: such a question is a person's, and rare. */
function listFrom({ db }: Database, filter: CommandFilter): readonly QueuedCommand[] {
  const where: string[] = [];
  const values: SQLInputValue[] = [];
  const only = (text: string, value: string | undefined): void => {
    if (value === undefined) return;
    where.push(text);
    values.push(value);
  };
  only('terminal = ?', filter.terminal);
  only("json_extract(model, '$.state') = ?", filter.state);
  only("json_extract(model, '$.bulk') = ?", filter.bulk);
  const fitting = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
  const sql = `SELECT model FROM commands ${fitting} ORDER BY rowid DESC LIMIT ?`;
  return db
    .prepare(sql)
    .all(...values, filter.limit)
    .map(read);
}

/** So many may be there beyond the bound. */
const trimEvery = (keptMax: number): number => Math.max(1, Math.min(TRIM_ROWS, keptMax / 100));

/** @param keptMax finished ones. */
export function openCommandStore(database: Database, keptMax = COMMANDS_KEPT_MAX) {
  const { db } = database;
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
  const contents = openContents(database);
  let untrimmed = 0;
  return {
    ...openKeys(database),
    whole: contents.whole,
    get: (id: string): QueuedCommand | undefined => {
      const row = byId.get(id);
      return row && read(row);
    },
    list: (filter: CommandFilter): readonly QueuedCommand[] => listFrom(database, filter),
    open: (): readonly QueuedCommand[] => open.all().map(read),
    openOf: (terminal: string): readonly QueuedCommand[] => openOf.all(terminal).map(read),
    /** Finished, and their spans are not known to be in the ledger. */
    untraced: (sinceMs: number, limit: number): readonly QueuedCommand[] =>
      untraced.all(sinceMs, limit).map(read),
    countOpen: (): number => Number(countOpen.get()?.['count']),
    save: (queued: QueuedCommand): void => {
      const { id, terminal, issuedMs } = queued.command;
      const open = isOpen(queued);
      if (queued.command.kind === 'apply') {
        if (open) contents.keep(queued.command);
        else contents.remove(queued.command);
      }
      upsert.run(id, terminal, open ? 1 : 0, issuedMs, JSON.stringify(withoutPacked(queued)));
    },
    /**
     * To be called with each new one. Now and then: to find the oldest, all that are kept are gone through, which would be
     * most of the work of a wave of thousands.
     * @returns how many old finished commands went.
     */
    trim: (): number => {
      untrimmed += 1;
      if (untrimmed < trimEvery(keptMax)) return 0;
      untrimmed = 0;
      return Number(trim.run(keptMax).changes);
    },
  };
}
