// Checks the audit log in a copy of the registry, or in that of a stopped broker, without changing a byte of it. A copy
// may lie where nothing can be written, and SQLite would want to make files beside one that was used with a
// write-ahead log; then it is opened as what it is, a file that nobody changes.

import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import {
  type AuditCheckOptions,
  type AuditHead,
  type AuditProof,
  createAuditCheck,
} from '../protocol/audit.ts';
import { fail, ok, type Result } from '../protocol/result.ts';
import { openGone, readHeads, readRows, SELECT_HEADS, SELECT_ROWS } from './audit-rows.ts';

/** Without a log beside it, everything stands in the file itself. */
function openCopy(path: string): DatabaseSync {
  if (existsSync(`${path}-wal`)) return new DatabaseSync(path, { readOnly: true });
  const url = pathToFileURL(path);
  url.searchParams.set('immutable', '1');
  return new DatabaseSync(url, { readOnly: true });
}

function check(db: DatabaseSync, options: Pick<AuditCheckOptions, 'keys' | 'kept'>): AuditProof {
  const heads: AuditHead[] = readHeads(db.prepare(SELECT_HEADS));
  const run = createAuditCheck({ ...options, gone: openGone(db)(), heads });
  for (const { id, link } of readRows(db.prepare(`${SELECT_ROWS} ORDER BY id`))) {
    if (link === undefined) run.unreadable(id);
    else run.take(link);
  }
  return run.end();
}

/** @returns a failure when there is nothing in it that could be checked. */
export function checkAuditFile(
  path: string,
  options: Pick<AuditCheckOptions, 'keys' | 'kept'>,
): Result<AuditProof> {
  if (!existsSync(path)) return fail(`${path} is not there`);
  let db: DatabaseSync | undefined;
  try {
    db = openCopy(path);
    return ok(check(db, options));
  } catch (cause) {
    return fail(`${path} cannot be read as the registry of a broker: ${(cause as Error).message}`);
  } finally {
    if (db?.isOpen) db.close();
  }
}
