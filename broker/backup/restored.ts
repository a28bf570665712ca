// What a restore leaves behind for the broker that starts on its folder: it is this broker, with its keys, that writes
// it into the audit log, so that the log shows the gap and stays signed throughout. It also stays in a table, for rooms
// that must not do again what was done between the backup and the restore.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { RESTORE_ACTION } from '../../protocol/audit.ts';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Audit } from '../audit.ts';
import { SECRET_MODE, writeWhole } from '../files.ts';
import type { Database } from '../fleet/database.ts';

const FILE = 'restored.json';
/** There while a restore is under way: what is in the folder is not whole. */
export const UNFINISHED = 'restoring.json';

const TABLE = `
  CREATE TABLE IF NOT EXISTS restores (
    restored_ms INTEGER PRIMARY KEY,
    backup_ms INTEGER NOT NULL
  ) STRICT;
`;

const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const schema = v.object({
  /** Nothing of what happened from here on ... */
  backupMs: time,
  /** ... to here is known, but for what terminals tell again. */
  restoredMs: time,
  from: v.string(),
  /** The newest entry of the audit log that was in the backup. */
  newestAudit: time,
  without: v.array(v.string()),
  revoked: v.array(v.string()),
  bulksPaused: time,
  tokensEnded: time,
  /** Taken back, because they may have been done or cancelled since. */
  commandsEnded: v.optional(
    v.array(v.object({ command: v.string(), terminal: v.string(), kind: v.string() })),
    [],
  ),
});
export type Restored = v.InferInput<typeof schema>;
type Read = v.InferOutput<typeof schema>;
/** The detail of an entry is bounded; what is cut off nobody can read (audit verify looks at it). */
const NAMED_MAX = 20;

export const writeRestored = (dataDir: string, restored: Restored): void =>
  writeWhole(join(dataDir, FILE), `${JSON.stringify(restored)}\n`, SECRET_MODE);

function readRestored(path: string): Read | undefined {
  if (!existsSync(path)) return undefined;
  const read = v.safeParse(schema, JSON.parse(readFileSync(path, 'utf8')));
  if (!read.success) throw new Error(`${path} is damaged: restore once more`);
  return read.output;
}

function write(audit: Pick<Audit, 'write'>, restored: Read): void {
  const { revoked, commandsEnded } = restored;
  const operator = 'broker';
  const reason = `restored from a backup of ${new Date(restored.backupMs).toISOString()}`;
  const detail = {
    ...restored,
    ...{ revoked: revoked.slice(0, NAMED_MAX), revokedCount: revoked.length },
    commandsEnded: commandsEnded.length,
  };
  const said = { operator, action: RESTORE_ACTION, subject: 'broker', reason: '' };
  audit.write({ ...said, outcome: 'ok', detail });
  for (const subject of revoked) {
    audit.write({ operator, action: 'terminal.revoke', subject, reason, outcome: 'revoked' });
  }
  for (const { command, terminal: subject, kind } of commandsEnded) {
    const entry = { operator, action: `command.${kind}.cancel`, subject, reason };
    audit.write({ ...entry, outcome: 'cancelled', detail: { command } });
  }
}

/** Before the first word of this run in the audit log. */
export function tellRestored(
  dataDir: string,
  { db, transact }: Pick<Database, 'db' | 'transact'>,
  audit: Pick<Audit, 'write'>,
): Result<void> {
  const path = join(dataDir, FILE);
  const restored = readRestored(path);
  if (restored === undefined) return ok(undefined);
  const told = transact(() => {
    db.exec(TABLE);
    const insert = db.prepare('INSERT OR IGNORE INTO restores VALUES (?, ?)');
    // A broker that was killed before it could delete the file has told it already.
    if (insert.run(restored.restoredMs, restored.backupMs).changes === 0) return;
    write(audit, restored);
  });
  if (!told.ok) return told;
  rmSync(path, { force: true });
  return ok(undefined);
}

/** The newest restore: what was done within it is not known here. Undefined where there was none. */
export function lastRestore({
  db,
}: Pick<Database, 'db'>): Pick<Restored, 'backupMs' | 'restoredMs'> | undefined {
  db.exec(TABLE);
  const row = db.prepare('SELECT * FROM restores ORDER BY restored_ms DESC LIMIT 1').get();
  if (row === undefined) return undefined;
  return { backupMs: Number(row['backup_ms']), restoredMs: Number(row['restored_ms']) };
}

/** @returns a sentence when the folder must not be used. */
export function checkFinished(dataDir: string): Result<void> {
  if (!existsSync(join(dataDir, UNFINISHED))) return ok(undefined);
  return fail(
    `${dataDir} holds a restore that was not finished: run "tillwatch broker restore" once more`,
  );
}
