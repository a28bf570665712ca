// Who did what to which terminal, and why: an append-only table with this one writer. Triggers refuse
// every UPDATE and DELETE, each entry carries a hash over itself and the one before, and the newest one is signed
// (audit-heads.ts), so that an entry that was changed, removed, added or cut off behind SQLite's back is found. What
// is older than it must be kept goes from the beginning only, and the hash of the last one that went is written
// down, so that the rest can still be checked (audit-trim.ts).

import type { KeyObject } from 'node:crypto';
import {
  type AuditHead,
  type AuditProof,
  auditHash,
  BROKEN_ACTION,
  createAuditCheck,
  doubtHead,
  KEY_ACTION,
  UNSIGNED_ACTION,
} from '../protocol/audit.ts';
import { publicKeyText } from '../protocol/commands.ts';
import type { Result } from '../protocol/result.ts';
import { openExport } from './audit-export.ts';
import { type Heads, openHeads } from './audit-heads.ts';
import { readRows, SELECT_ROWS } from './audit-rows.ts';
import { type AuditFilter, type AuditPage, openSearch } from './audit-search.ts';
import { openTrim } from './audit-trim.ts';
import type { Clock } from './clock.ts';
import type { Database } from './fleet/database.ts';
import { masked } from './masked.ts';
import type { Metrics } from './metrics.ts';
import type { Log } from './ports.ts';

/** No entry is larger than these, whoever makes it. */
const WORD_CHARS_MAX = 128;
const REASON_CHARS_MAX = 500;
const DETAIL_CHARS_MAX = 4_096;
/**
 * Refusals are written by whoever knocks: more than these in a minute are only counted, for each kind of door (the
 * first word of the action), so that who knocks at one does not hide what is tried at another.
 */
export const REFUSALS_PER_MINUTE_MAX = 60;
const DOORS_MAX = 32;

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

export type AuditSigning = { readonly key: () => KeyObject; readonly log: Log };

export type Audit = {
  /** On disk when it returns ok; within a transaction it shares that one's fate. */
  readonly write: (entry: AuditEntry) => Result<void>;
  /** For what anybody can cause without a key; bounded by REFUSALS_PER_MINUTE_MAX. */
  readonly refuse: (entry: AuditEntry) => void;
  /** Newest first. */
  readonly list: (limit: number) => readonly AuditRow[];
  /** Newest first, those that fit. @param before only entries older than this id */
  readonly page: (filter: AuditFilter, before: number | undefined, limit: number) => AuditPage;
  /** Signed; undefined before the first entry, or where nothing is signed. */
  readonly head: () => AuditHead | undefined;
  /** Some lines of an export at a time, the oldest entry first (protocol/audit-export.ts). */
  readonly exportLines: () => Iterable<string>;
  /** Looks at every entry; for tests and tools, not for a loop that others wait for. */
  readonly verify: () => AuditProof;
  /** Deletes the oldest entries, at most `limit`, within a transaction. @returns how many. */
  readonly trim: (beforeMs: number, limit: number) => number;
  /** About what its entries take on disk. */
  readonly bytes: () => number;
};

function detailText(detail: Readonly<Record<string, unknown>>): string {
  const json = JSON.stringify(detail);
  return json.length <= DETAIL_CHARS_MAX ? json : JSON.stringify({ cut: json.slice(0, 1_000) });
}

/** The file holds UTF-8, which has no half characters: what is hashed must be what will be read. */
const cut = (text: string, charsMax: number): string => text.slice(0, charsMax).toWellFormed();

function toStored(entry: AuditEntry, timeMs: number) {
  return {
    timeMs,
    operator: cut(entry.operator, WORD_CHARS_MAX),
    action: cut(entry.action, WORD_CHARS_MAX),
    subject: cut(entry.subject, WORD_CHARS_MAX),
    reason: cut(entry.reason, REASON_CHARS_MAX),
    outcome: cut(entry.outcome, REASON_CHARS_MAX),
    detail: detailText(entry.detail ?? {}).toWellFormed(),
  };
}

type Link = { readonly id: number; readonly hash: string };
const BROKER = { operator: 'broker', subject: 'audit', reason: '' } as const;

/** What the newest entry is, and whether that is what was written last. */
function openChain({ db }: Database, gone: () => { until: number; hash: string }) {
  const last = db.prepare('SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1');
  const newest = (): Link => {
    const row = last.get();
    if (row !== undefined) return { id: Number(row['id']), hash: String(row['hash']) };
    const { until, hash } = gone();
    return { id: until, hash };
  };
  /** On disk, and within the open transaction, which may still be undone. */
  let known: Link | undefined;
  let pending: Link | undefined;
  return {
    newest,
    wrote: (link: Link): void => {
      pending = link;
    },
    kept: (link: Link): void => {
      known = link;
    },
    /** @returns a sentence when somebody else wrote the table since. */
    doubt: (found: Link): string | undefined => {
      if (known === undefined || found.hash === known.hash || found.hash === pending?.hash) return;
      return `the newest entry was ${known.id} and is now ${found.id}, which the broker did not write`;
    },
  };
}

type Found = Pick<AuditEntry, 'action' | 'outcome' | 'detail'>;

/** What a broker finds when it opens its log: @returns the entry that says so. */
function judgeOpened(
  head: AuditHead | undefined,
  newest: Link,
  key: string,
  followsOn: (head: AuditHead) => boolean,
): Found | undefined {
  // The first start with signed heads, or with nothing to sign yet.
  if (head === undefined) return undefined;
  const doubt = doubtHead(head, [head.key]);
  if (doubt !== undefined) return { action: BROKEN_ACTION, outcome: `the newest head ${doubt}` };
  if (newest.id > head.id && followsOn(head)) {
    const outcome = `entries ${head.id + 1} to ${newest.id} were written while no broker ran`;
    return { action: UNSIGNED_ACTION, outcome };
  }
  if (newest.id !== head.id || newest.hash !== head.hash) {
    const outcome = `the newest entry is ${newest.id}, the signed head is of another entry ${head.id}`;
    return { action: BROKEN_ACTION, outcome };
  }
  if (head.key === key) return undefined;
  const outcome = `heads were signed by ${head.key} up to ${head.id}`;
  return { action: KEY_ACTION, outcome, detail: { key: head.key } };
}

function createRefuser(clock: Pick<Clock, 'monotonicMs'>, write: Audit['write']): Audit['refuse'] {
  const doors = new Map<string, { startMs: number; inMinute: number; suppressed: number }>();
  return (entry) => {
    const now = clock.monotonicMs();
    const [word = ''] = entry.action.split('.', 1);
    // Actions are our own words; should they ever not be, the rest share one door.
    const name = doors.has(word) || doors.size < DOORS_MAX ? word : '';
    const door = doors.get(name) ?? { startMs: now, inMinute: 0, suppressed: 0 };
    doors.set(name, door);
    if (now - door.startMs >= 60_000) {
      door.startMs = now;
      door.inMinute = 0;
    }
    door.inMinute += 1;
    if (door.inMinute > REFUSALS_PER_MINUTE_MAX) {
      door.suppressed += 1;
      return;
    }
    // How many were left out before this one stands in it: a flood must be visible.
    const { suppressed } = door;
    const detail = suppressed === 0 ? entry.detail : { ...entry.detail, suppressed };
    // Who is refused chose what stands in it.
    const safe = masked({ ...entry, ...(detail && { detail }) });
    const written = write(safe);
    if (written.ok) door.suppressed = 0;
  };
}

/** @param signing without it nothing is signed: for tests of something else. */
export function openAudit(
  database: Database,
  clock: Pick<Clock, 'wallMs' | 'monotonicMs'>,
  metrics: Pick<Metrics, 'auditEntries'>,
  signing?: AuditSigning,
): Audit {
  const { db } = database;
  const trimming = openTrim(database);
  const { gone } = trimming;
  const heads = signing && openHeads(database, signing.key, clock);
  const keys = (): string[] => (signing ? [publicKeyText(signing.key())] : []);
  const chain = openChain(database, gone);
  const search = openSearch(database);
  const after = db.prepare(`${SELECT_ROWS} WHERE id > ? ORDER BY id`);
  const insert = db.prepare(
    `INSERT INTO audit (time_ms, operator, action, subject, reason, outcome, detail, hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );

  function add(entry: AuditEntry, before: Link): void {
    const row = toStored(entry, clock.wallMs());
    const hash = auditHash(before.hash, row);
    const id = Number(insert.run(...Object.values(row), hash).lastInsertRowid);
    heads?.sign(id, hash, gone());
    chain.wrote({ id, hash });
    database.afterCommit(() => {
      chain.kept({ id, hash });
      metrics.auditEntries();
    });
  }

  function note(said: Found): void {
    signing?.log.warn('the audit log', { action: said.action, what: said.outcome });
    add({ ...BROKER, ...said }, chain.newest());
  }

  const write = (entry: AuditEntry): Result<void> =>
    database.transact(() => {
      const doubt = chain.doubt(chain.newest());
      if (doubt !== undefined) note({ action: BROKEN_ACTION, outcome: doubt });
      add(entry, chain.newest());
    });

  function verify(): AuditProof {
    const check = createAuditCheck({ gone: gone(), heads: heads?.all() ?? [], keys: keys() });
    for (const { id, link } of readRows(after, Number.MIN_SAFE_INTEGER)) {
      if (link === undefined) check.unreadable(id);
      else check.take(link);
    }
    const proof = check.end();
    // Without a key there is no head to miss.
    return heads === undefined ? { ...proof, problems: proof.problems.filter((p) => p.id) } : proof;
  }

  function trim(beforeMs: number, limit: number): number {
    const count = trimming.trim(beforeMs, limit);
    if (count === 0 || heads === undefined) return count;
    heads.trim(gone());
    const { id, hash } = chain.newest();
    heads.sign(id, hash, gone());
    return count;
  }

  function open(known: Heads, log: Log): void {
    const [key = ''] = keys();
    const newest = known.newest();
    const found = judgeOpened(newest, chain.newest(), key, (head) => followsOn(after, head));
    database.transact(() => {
      // What another key signed cannot be told from what somebody else did.
      if (newest !== undefined && newest.key !== key) known.clear();
      if (found !== undefined) note(found);
    });
    const head = known.newest();
    if (head !== undefined) log.info('the head of the audit log', { ...head });
  }

  if (heads !== undefined && signing !== undefined) open(heads, signing.log);
  return {
    write,
    refuse: createRefuser(clock, write),
    list: (limit) => search({}, undefined, limit).entries,
    page: search,
    head: () => heads?.newest(),
    exportLines: openExport(database, { gone, heads: () => heads?.all() ?? [] }),
    verify,
    trim,
    bytes: trimming.bytes,
  };
}

/** Whether what stands behind a head was made from it. */
function followsOn(after: Parameters<typeof readRows>[0], head: AuditHead): boolean {
  let before = head.hash;
  for (const { link } of readRows(after, head.id)) {
    if (link === undefined || auditHash(before, link) !== link.hash) return false;
    before = link.hash;
  }
  return true;
}
