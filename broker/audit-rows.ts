// Rows of the audit table as the bytes that lie in the file. SQLite hands out text that was changed into no text at
// all as if it were some, with a mark in place of what it could not read; so the columns are read as blobs, and what
// is not exactly one text is an entry that cannot be read. `tillwatch audit verify --file` reads the same way.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { AuditGone, AuditHead, AuditLink } from '../protocol/audit.ts';

const TEXTS = ['operator', 'action', 'subject', 'reason', 'outcome', 'detail', 'hash'] as const;
const BLOBS = TEXTS.map((name) => `CAST(${name} AS BLOB) AS ${name}`).join(', ');
export const SELECT_ROWS = `SELECT id, time_ms AS timeMs, ${BLOBS} FROM audit`;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A row that cannot be read says so by having no link. */
export type ReadRow = { readonly id: number; readonly link: AuditLink | undefined };

function readRow(row: Record<string, unknown>): ReadRow {
  // Beyond 2^53 a number is not exact, and so not the one that was hashed.
  const id = Number(row['id']);
  const timeMs = Number(row['timeMs']);
  try {
    const texts = TEXTS.map((name) => [name, decoder.decode(row[name] as Uint8Array)]);
    return { id, link: { id, timeMs, ...Object.fromEntries(texts) } as AuditLink };
  } catch {
    return { id, link: undefined };
  }
}

export function* readRows(statement: StatementSync, ...at: number[]): Generator<ReadRow> {
  // Else a number above 2^53, which somebody may have written, would be an exception.
  statement.setReadBigInts(true);
  for (const row of statement.iterate(...at)) yield readRow(row);
}

const HEAD_COLUMNS = 'id, hash, time_ms AS timeMs, count, key, signature';
export const SELECT_HEADS = `SELECT ${HEAD_COLUMNS} FROM audit_heads ORDER BY id DESC, count`;

export function readHeads(statement: StatementSync, ...at: number[]): AuditHead[] {
  statement.setReadBigInts(true);
  return statement.all(...at).map((row) => ({
    id: Number(row['id']),
    hash: String(row['hash']),
    timeMs: Number(row['timeMs']),
    count: Number(row['count']),
    key: String(row['key']),
    signature: String(row['signature']),
  }));
}

export function openGone(db: DatabaseSync): () => AuditGone {
  const gone = db.prepare('SELECT until, hash FROM audit_gone');
  gone.setReadBigInts(true);
  return () => {
    const row = gone.get();
    return { until: Number(row?.['until'] ?? 0), hash: String(row?.['hash'] ?? '') };
  };
}
