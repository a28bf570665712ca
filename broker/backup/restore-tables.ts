// What changes in databases that come from a backup before a broker may use them. The ledger becomes another one: tills
// see its new generation and send again what they keep, and everything that follows the ledger stands where it stood,
// in the new one, so that nothing is applied twice or skipped. What must not go on by itself (bulk actions, sessions,
// enrolment tokens that somebody may have used since) ends or waits for a person.

import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { catalogue, isKind } from '../../protocol/catalogue.ts';
import { isUnanswered, type QueuedCommand, step as stepCommand } from '../commands/queue.ts';
import { type IdentityModel, newIdentity, step } from '../identity/machine.ts';

export type EndedCommand = {
  readonly command: string;
  readonly terminal: string;
  readonly kind: string;
};
export type Changes = {
  readonly bulksPaused: number;
  readonly tokensEnded: number;
  readonly sessionsEnded: number;
  readonly commandsOpen: number;
  readonly commandsEnded: readonly EndedCommand[];
  /** Of those that were named, who was not revoked before. */
  readonly revoked: readonly string[];
};

export type ChangeOptions = {
  /** Of a database that is not in its place yet. */
  readonly pathOf: (name: string) => string;
  readonly logsDir: string;
  readonly revoked: readonly string[];
  /** Also those go out again that a till may have done, or an operator cancelled, since. */
  readonly resumeCommands: boolean;
  readonly nowMs: number;
  readonly backupMs: number;
};

function within<T>(path: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path);
  try {
    db.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
    const value = work(db);
    db.exec('COMMIT');
    return value;
  } finally {
    db.close();
  }
}

const has = (db: DatabaseSync, table: string): boolean =>
  db.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(table) !== undefined;

function run(db: DatabaseSync, table: string, sql: string, ...of: (string | Uint8Array)[]): number {
  return has(db, table) ? Number(db.prepare(sql).run(...of).changes) : 0;
}

const MOVE = 'UPDATE cursor SET generation = ?1 WHERE generation = ?2';

/** @returns both generations. */
function renewLedger(path: string): { before: Uint8Array; after: Uint8Array } {
  const after = new Uint8Array(randomBytes(16));
  return within(path, (db) => {
    const row = db.prepare("SELECT value FROM meta WHERE key = 'generation'").get();
    const before = row?.['value'];
    if (!(before instanceof Uint8Array)) throw new Error('the ledger in it has no generation');
    db.prepare("UPDATE meta SET value = ? WHERE key = 'generation'").run(after);
    return { before, after };
  });
}

/** Which terminals a wave did after the backup is not known: a person looks before it goes on. */
function pauseBulks(db: DatabaseSync, why: string): number {
  return run(
    ...([db, 'bulks'] as const),
    `UPDATE bulks SET model = json_set(model, '$.state', 'paused', '$.why', ?)
     WHERE over = 0 AND json_extract(model, '$.state') = 'running'`,
    why,
  );
}

/** What changes trust goes on: a till takes no older version than it has. */
const isHarmful = ({ command: { kind } }: QueuedCommand): boolean =>
  !isKind(kind) ||
  (kind !== 'trust' && (catalogue[kind].stopsSelling || catalogue[kind].role === 'admin'));

/** Nobody knows whether they were done or cancelled since; whoever still wants one asks again. */
function endCommands(db: DatabaseSync, reason: string, nowMs: number): readonly EndedCommand[] {
  if (!has(db, 'commands')) return [];
  const ended: EndedCommand[] = [];
  const save = db.prepare('UPDATE commands SET open = 0, model = ? WHERE id = ?');
  for (const row of db.prepare('SELECT model FROM commands WHERE open = 1').all()) {
    const queued = JSON.parse(String(row['model'])) as QueuedCommand;
    if (!isUnanswered(queued) || !isHarmful(queued)) continue;
    const { id, terminal, kind } = queued.command;
    const next = stepCommand(queued, { kind: 'restored', reason }, nowMs).queued;
    save.run(JSON.stringify(next), id);
    ended.push({ command: id, terminal, kind });
  }
  return ended;
}

function revoke(db: DatabaseSync, terminal: string, nowMs: number): boolean {
  if (!has(db, 'identities')) return false;
  const row = db.prepare('SELECT model FROM identities WHERE terminal = ?').get(terminal);
  if (row === undefined) return false;
  const saved = JSON.parse(String(row['model'])) as IdentityModel;
  if (saved.state === 'revoked' || saved.state === 'retired') return false;
  const act = { operator: 'broker', reason: 'named as revoked when the broker was restored' };
  const model = step({ ...newIdentity(terminal), ...saved }, { kind: 'revoke', act }, nowMs);
  db.prepare('UPDATE identities SET state = ?, model = ? WHERE terminal = ?').run(
    model.state,
    JSON.stringify(model),
    terminal,
  );
  return true;
}

/** Answers whose bytes are not here are gone, as those that were too old are. */
function forgetLogs(db: DatabaseSync, logsDir: string, nowMs: number): void {
  if (!has(db, 'log_requests')) return;
  const all = db
    .prepare(
      `SELECT id, json_extract(model, '$.bytes') AS bytes, json_extract(model, '$.state') AS state
       FROM log_requests WHERE json_extract(model, '$.bytes') > 0
         AND json_extract(model, '$.goneMs') IS NULL`,
    )
    .all();
  const gone = db.prepare(
    "UPDATE log_requests SET model = json_set(model, '$.goneMs', ?) WHERE id = ?",
  );
  const failed = db.prepare(
    `UPDATE log_requests SET model = json_set(model, '$.state', 'failed', '$.error', ?)
     WHERE id = ?`,
  );
  for (const { id, bytes, state } of all) {
    const path = join(logsDir, `${String(id)}.log`);
    if (existsSync(path) && statSync(path).size >= Number(bytes)) continue;
    gone.run(nowMs, String(id));
    if (state === 'open') failed.run('what had come of it was not in the backup', String(id));
  }
}

function changeRegistry(options: ChangeOptions, before: Uint8Array, after: Uint8Array): Changes {
  const { pathOf, logsDir, nowMs, backupMs } = options;
  return within(pathOf('registry'), (db) => {
    run(db, 'cursor', MOVE, after, before);
    forgetLogs(db, logsDir, nowMs);
    const restored = `restored from a backup of ${new Date(backupMs).toISOString()}`;
    const again = `${restored}: it may have been done or cancelled since; who still wants it asks for it again`;
    const commandsEnded = options.resumeCommands ? [] : endCommands(db, again, nowMs);
    const open = has(db, 'commands')
      ? db.prepare('SELECT count(*) AS count FROM commands WHERE open = 1').get()?.['count']
      : 0;
    return {
      commandsEnded,
      bulksPaused: pauseBulks(db, `${restored}: look what was done since`),
      sessionsEnded: run(db, 'sessions', 'DELETE FROM sessions'),
      tokensEnded: run(db, 'tokens', 'DELETE FROM tokens WHERE request IS NULL'),
      commandsOpen: Number(open ?? 0),
      revoked: options.revoked.filter((terminal) => revoke(db, terminal, nowMs)),
    };
  });
}

export function changeTables(options: ChangeOptions): Changes {
  const { pathOf } = options;
  const { before, after } = renewLedger(pathOf('ledger'));
  for (const name of ['sinks', 'history']) {
    if (!existsSync(pathOf(name))) continue;
    within(pathOf(name), (db) => run(db, 'cursor', MOVE, after, before));
  }
  return changeRegistry(options, before, after);
}
