// Writes the whole audit log as lines, some hundred entries at a time, so that whoever reads it slowly holds up nobody
// and no statement stays open between. What is added meanwhile is not in it: it ends with the entry that the newest head
// named when it began.

import type { AuditGone, AuditHead } from '../protocol/audit.ts';
import { exportBegin, exportEnd, exportEntry } from '../protocol/audit-export.ts';
import { readRows, SELECT_ROWS } from './audit-rows.ts';
import type { Database } from './fleet/database.ts';

/** About 3 ms of the loop. */
const PAGE_ROWS = 300;

export type ExportParts = {
  readonly gone: () => AuditGone;
  readonly heads: () => readonly AuditHead[];
};

export function openExport({ db }: Database, parts: ExportParts): () => Generator<string> {
  const page = db.prepare(`${SELECT_ROWS} WHERE id > ? AND id <= ? ORDER BY id LIMIT ${PAGE_ROWS}`);
  const newest = db.prepare('SELECT max(id) AS id FROM audit');
  return function* exportLines() {
    const gone = parts.gone();
    const last = Number(newest.get()?.['id'] ?? gone.until);
    yield exportBegin(gone, parts.heads());
    let [at, entries] = [Number.MIN_SAFE_INTEGER, 0];
    for (;;) {
      const rows = [...readRows(page, at, last)];
      if (rows.length === 0) break;
      yield rows
        // A damaged one is left out, and missed where the export is checked.
        .map(({ link }) => (link === undefined ? '' : exportEntry(link)))
        .join('');
      entries += rows.filter(({ link }) => link !== undefined).length;
      at = rows.at(-1)?.id ?? last;
    }
    yield exportEnd(entries);
  };
}
