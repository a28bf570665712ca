// Who did what to which terminal, and why: an append-only table with this one writer. Triggers refuse
// every UPDATE and DELETE, and each entry carries a hash over itself and the one before, so that an
// entry that was changed or removed behind SQLite's back breaks the chain at that place. What is older than
// it must be kept goes from the beginning only, and the hash of the last one that went is written down, so
// that the rest can still be checked (audit-trim.ts).

import { createHash } from 'node:crypto';
import type { Result } from '../protocol/result.ts';
import { openTrim } from './audit-trim.ts';
import type { Clock } from './clock.ts';
import type { Database } from './fleet/database.ts';
import type { Metrics } from './metrics.ts';

/** No entry is larger than these, whoever makes it. */
const WORD_CHARS_MAX = 128;
const REASON_CHARS_MAX = 500;
const DETAIL_CHARS_MAX = 4_096;
/** Refusals are written by whoever knocks: more than these in a minute are only counted. */
export const REFUSALS_PER_MINUTE_MAX = 60;

export type AuditEntry = {
  readonly operator: string;
  /** `command.create`, `command.finish`, `broker.start` ... */
  readonly action: string;
  /** What it was done to: a terminal, a command, the broker. */
  readonly subject: string;
  readonly reason: string;
  readonly outcome: string;
  readonly detail?: Readonly<Record<string, unknown>>;
};

export type AuditRow = Required<AuditEntry> & {
  readonly id: number;
  readonly timeMs: number;
  readonly hash: string;
};

export type Audit = {
  /** On disk when it returns ok; within a transaction it shares that one's fate. */
  readonly write: (entry: AuditEntry) => Result<void>;
  /** For what anybody can cause without a key; bounded by REFUSALS_PER_MINUTE_MAX. */
  readonly refuse: (entry: AuditEntry) => void;
  /** Newest first. */
  readonly list: (limit: number) => readonly AuditRow[];
  /** @returns the id of the first entry that does not fit the one before it. */
  readonly verify: () => number | undefined;
  /** Deletes the oldest entries, at most `limit`, within a transaction. @returns how many. */
  readonly trim: (beforeMs: number, limit: number) => number;
  /** About what its entries take on disk. */
  readonly bytes: () => number;
};

type Stored = Omit<AuditRow, 'detail' | 'hash'> & { readonly detail: string };

const hashOf = (before: string, row: Omit<Stored, 'id'>): string =>
  createHash('sha256')
    .update(
      JSON.stringify([
        before,
        row.timeMs,
        row.operator,
        row.action,
        row.subject,
        row.reason,
        row.outcome,
        row.detail,
      ]),
    )
    .digest('hex');

function detailText(detail: Readonly<Record<string, unknown>>): string {
  const json = JSON.stringify(detail);
  return json.length <= DETAIL_CHARS_MAX ? json : JSON.stringify({ cut: json.slice(0, 1_000) });
}

const SELECT =
  'SELECT id, time_ms AS timeMs, operator, action, subject, reason, outcome, detail, hash FROM audit';

function openReaders({ db }: Database, goneHash: () => string): Pick<Audit, 'list' | 'verify'> {
  const newest = db.prepare(`${SELECT} ORDER BY id DESC LIMIT ?`);
  const all = db.prepare(`${SELECT} ORDER BY id`);
  return {
    list: (limit) =>
      newest.all(limit).map((raw) => {
        const row = raw as Stored & { hash: string };
        return { ...row, detail: JSON.parse(row.detail) as Record<string, unknown> };
      }),
    verify: () => {
      let before = goneHash();
      for (const raw of all.iterate()) {
        const row = raw as Stored & { hash: string };
        if (row.hash !== hashOf(before, row)) return row.id;
        before = row.hash;
      }
      return undefined;
    },
  };
}

export function openAudit(
  database: Database,
  clock: Pick<Clock, 'wallMs' | 'monotonicMs'>,
  metrics: Pick<Metrics, 'auditEntries'>,
): Audit {
  const { goneHash, trim, bytes } = openTrim(database);
  const last = database.db.prepare('SELECT hash FROM audit ORDER BY id DESC LIMIT 1');
  const insert = database.db.prepare(
    `INSERT INTO audit (time_ms, operator, action, subject, reason, outcome, detail, hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );

  function write(entry: AuditEntry): Result<void> {
    return database.transact(() => {
      const row = {
        timeMs: clock.wallMs(),
        operator: entry.operator.slice(0, WORD_CHARS_MAX),
        action: entry.action.slice(0, WORD_CHARS_MAX),
        subject: entry.subject.slice(0, WORD_CHARS_MAX),
        reason: entry.reason.slice(0, REASON_CHARS_MAX),
        outcome: entry.outcome.slice(0, REASON_CHARS_MAX),
        detail: detailText(entry.detail ?? {}),
      };
      const hash = hashOf(String(last.get()?.['hash'] ?? goneHash()), row);
      insert.run(...Object.values(row), hash);
      database.afterCommit(metrics.auditEntries);
    });
  }

  let minuteStartMs = Number.NEGATIVE_INFINITY;
  let inMinute = 0;
  let suppressed = 0;
  return {
    ...openReaders(database, goneHash),
    write,
    trim,
    bytes,
    refuse: (entry) => {
      const now = clock.monotonicMs();
      if (now - minuteStartMs >= 60_000) {
        minuteStartMs = now;
        inMinute = 0;
      }
      inMinute += 1;
      if (inMinute > REFUSALS_PER_MINUTE_MAX) {
        suppressed += 1;
        return;
      }
      // How many were left out before this one stands in it: a flood must be visible.
      const detail = suppressed === 0 ? entry.detail : { ...entry.detail, suppressed };
      const written = write({ ...entry, ...(detail && { detail }) });
      if (written.ok) suppressed = 0;
    },
  };
}
