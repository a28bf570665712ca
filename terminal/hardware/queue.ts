// Print jobs on disk, so that a restart neither loses a receipt nor prints it twice. A job that was being
// sent when the process ended becomes `unknown` and is not sent again: bytes that left may well have been
// printed (research/pos.md 0.3), and a second receipt is worse than a question. Each job has a time to live;
// an old receipt must not burst out after a paper change.

import { join } from 'node:path';
import { type Database, num, openDatabase, type Row, text } from '../shared/database.ts';
import type { Log } from '../shared/log.ts';

export type JobState = 'waiting' | 'printing' | 'done' | 'failed' | 'unknown';
export type Job = {
  readonly id: string;
  readonly text: string;
  readonly state: JobState;
  readonly untilMs: number;
  readonly reason: string;
};

export const WAITING_MAX = 200;
const KEEP_ENDED_MS = 24 * 3_600_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    text TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'printing', 'done', 'failed', 'unknown')),
    until_ms INTEGER NOT NULL,
    reason TEXT NOT NULL DEFAULT ''
  ) STRICT;
  CREATE INDEX IF NOT EXISTS undone ON jobs (number) WHERE state IN ('waiting', 'printing')`;

const readJob = (row: Row): Job => ({
  id: text(row['id']),
  text: text(row['text']),
  state: text(row['state']) as JobState,
  untilMs: num(row['until_ms']),
  reason: text(row['reason']),
});

export class PrintQueue {
  readonly #db: Database;

  constructor(dataDir: string, log: Log, nowMs: number) {
    this.#db = openDatabase({ path: join(dataDir, 'hardware.db'), schema: SCHEMA, log, nowMs });
  }

  /** @returns how many jobs' outcome the last process took with it, and when the last one's time is over. */
  recover(): { readonly count: number; readonly untilMs: number | undefined } {
    const reason = 'the hardware component ended while it printed';
    const begun = "SELECT max(until_ms) AS until FROM jobs WHERE state = 'printing'";
    const until = this.#db.get(begun)?.['until'];
    const sql = "UPDATE jobs SET state = 'unknown', reason = ?, text = '' WHERE state = 'printing'";
    const count = this.#db.run(sql, reason).changes;
    return { count, untilMs: typeof until === 'number' ? until : undefined };
  }

  /** The same id again changes nothing. @returns undefined when the queue is full. */
  add(id: string, content: string, untilMs: number): { job: Job; isNew: boolean } | undefined {
    const known = this.find(id);
    if (known) return { job: known, isNew: false };
    if (this.depth() >= WAITING_MAX) return undefined;
    const sql = "INSERT INTO jobs (id, text, state, until_ms) VALUES (?, ?, 'waiting', ?)";
    this.#db.run(sql, id, content, untilMs);
    const job: Job = { id, text: content, state: 'waiting', untilMs, reason: '' };
    return { job, isNew: true };
  }

  find(id: string): Job | undefined {
    const row = this.#db.get('SELECT * FROM jobs WHERE id = ?', id);
    return row && readJob(row);
  }

  next(): Job | undefined {
    const sql = "SELECT * FROM jobs WHERE state = 'waiting' ORDER BY number LIMIT 1";
    const row = this.#db.get(sql);
    return row && readJob(row);
  }

  /** The text of an ended job is not needed again and is not kept. */
  set(id: string, state: JobState, reason = ''): void {
    const ended = state !== 'waiting' && state !== 'printing';
    const sql = `UPDATE jobs SET state = ?, reason = ?, text = iif(?, '', text) WHERE id = ?`;
    this.#db.run(sql, state, reason, ended ? 1 : 0, id);
  }

  /** @returns how many jobs' time was over before they were begun. */
  expire(nowMs: number): number {
    const sql = `UPDATE jobs SET state = 'failed', reason = 'its time was over', text = ''
      WHERE state = 'waiting' AND until_ms <= ?`;
    return this.#db.run(sql, nowMs).changes;
  }

  purge(nowMs: number): void {
    const sql = "DELETE FROM jobs WHERE state NOT IN ('waiting', 'printing') AND until_ms < ?";
    this.#db.run(sql, nowMs - KEEP_ENDED_MS);
  }

  depth(): number {
    const sql = "SELECT count(*) AS n FROM jobs WHERE state IN ('waiting', 'printing')";
    return num(this.#db.get(sql)?.['n']);
  }

  close(): void {
    this.#db.close();
  }
}
