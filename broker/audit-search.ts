// Questions to the audit log: the newest entries that fit a few filters, page by page. Each answer looks at a bounded
// number of rows and says where to go on, so that a filter that fits nothing costs no scan of ten years and the
// table needs no index for each column.

import type { AuditRow } from './audit.ts';
import type { Database } from './fleet/database.ts';

/** Rows looked at for one answer: about 10 ms. */
export const SCANNED_MAX = 10_000;

export type AuditFilter = {
  readonly operator?: string | undefined;
  /** Whole, or its first words: `command` finds `command.restart.create`. */
  readonly action?: string | undefined;
  readonly subject?: string | undefined;
  readonly outcome?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
};
export type AuditPage = {
  readonly entries: readonly AuditRow[];
  /** Entries older than this one have not been looked at; none: that was all. */
  readonly next?: number;
};

/** Damaged as it may be, the rest is shown. */
function readDetail(text: string): Record<string, unknown> {
  try {
    const detail: unknown = JSON.parse(text);
    return typeof detail === 'object' && detail !== null ? { ...detail } : {};
  } catch {
    return { damaged: true };
  }
}

export const toRow = (raw: Record<string, unknown>): AuditRow =>
  ({ ...raw, detail: readDetail(String(raw['detail'])) }) as AuditRow;

/** `refused` finds `refused 401`, `command` finds `command.restart.create`. */
const fits = (column: string, parameter: string, after: string): string =>
  `(:${parameter} IS NULL OR ${column} = :${parameter} OR ` +
  `substr(${column}, 1, length(:${parameter}) + 1) = :${parameter} || '${after}')`;

export function openSearch({ db }: Database) {
  const select = db.prepare(
    `SELECT id, time_ms AS timeMs, operator, action, subject, reason, outcome, detail, hash
     FROM audit WHERE id < :before AND id >= :floor
       AND (:operator IS NULL OR operator = :operator)
       AND (:subject IS NULL OR subject = :subject)
       AND ${fits('action', 'action', '.')} AND ${fits('outcome', 'outcome', ' ')}
       AND time_ms >= :sinceMs AND time_ms <= :untilMs
     ORDER BY id DESC LIMIT :limit`,
  );
  const ends = db.prepare('SELECT min(id) AS oldest FROM audit');
  const newest = db.prepare('SELECT max(id) AS newest FROM audit');
  return (filter: AuditFilter, before: number | undefined, limit: number): AuditPage => {
    const oldest = Number(ends.get()?.['oldest'] ?? 0);
    const from = before ?? Number(newest.get()?.['newest'] ?? 0) + 1;
    const floor = Math.max(oldest, from - SCANNED_MAX);
    const { operator = null, action = null, subject = null, outcome = null } = filter;
    const { sinceMs = 0, untilMs = Number.MAX_SAFE_INTEGER } = filter;
    const rows = select.all({
      ...{ ':operator': operator, ':action': action, ':subject': subject, ':outcome': outcome },
      ...{ ':sinceMs': sinceMs, ':untilMs': untilMs, ':before': from, ':floor': floor },
      ':limit': limit,
    });
    const entries = rows.map(toRow);
    const reached = entries.length === limit ? (entries.at(-1)?.id ?? floor) : floor;
    return reached <= oldest ? { entries } : { entries, next: reached };
  };
}
