// Lets go of what was kept long enough: events, dead letters, finished commands, received logs and the audit log,
// by age and number as config-retention.ts says. The ledger and the history see to their own, and rows that
// arrive push the oldest out at once (fleet/store.ts). It works in steps of some hundred rows, each a
// transaction of its own, between which the loop is free: one deletion of a month's events would hold up
// every acknowledgement.

import type { Audit } from './audit.ts';
import type { Cancel, Clock, Timers } from './clock.ts';
import { DAY_MS, type Retention } from './config-retention.ts';
import type { Errors } from './errors/errors.ts';
import type { Database } from './fleet/database.ts';
import type { Logs } from './logs/logs.ts';
import type { Metrics } from './metrics.ts';
import type { Log } from './ports.ts';
import { openEdges } from './sqlite.ts';

const LOOK_MS = 60_000;
/** Rows deleted in one step: with their indexes a few milliseconds. */
export const STEP_ROWS = 200;
/** Pause between steps of one look. */
const STEP_PAUSE_MS = 20;

export type RetentionOptions = {
  readonly database: Database;
  readonly retention: Retention;
  readonly audit: Pick<Audit, 'trim' | 'bytes'>;
  readonly logs: Pick<Logs, 'expire'>;
  readonly errors?: Pick<Errors, 'expire'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly timers: Pick<Timers, 'after' | 'every'>;
  readonly metrics: Pick<Metrics, 'dropped' | 'watch'>;
  readonly log: Log;
};

/** Deletes at most STEP_ROWS. @returns how many; none: nothing is left to delete for now. */
type Step = () => number;

/** Rows are numbered in the order in which they came, so the oldest lie together at the beginning. */
function openOldest({ db }: Database, table: 'events' | 'dead_letters') {
  const edgesOf = openEdges(db, table);
  const young = db.prepare(
    `SELECT id FROM ${table} WHERE id BETWEEN ? AND ? AND received_ms >= ? ORDER BY id LIMIT 1`,
  );
  const remove = db.prepare(`DELETE FROM ${table} WHERE id <= ?`);
  return (beforeMs: number): number => {
    const edges = edgesOf();
    if (edges === undefined) return 0;
    const last = Math.min(edges.oldest + STEP_ROWS - 1, edges.newest);
    const first = young.get(edges.oldest, last, beforeMs)?.['id'];
    const until = first === undefined ? last : Number(first) - 1;
    return until < edges.oldest ? 0 : Number(remove.run(until).changes);
  };
}

/** Finished ones only: an open command is a promise. */
function openCommands({ db }: Database) {
  const old = db.prepare(
    'SELECT rowid AS row, created_ms AS createdMs FROM commands WHERE open = 0 ORDER BY rowid LIMIT ?',
  );
  const counts = db.prepare(
    `SELECT (SELECT count(*) FROM commands) AS total,
       (SELECT count(*) FROM commands WHERE open = 1) AS open`,
  );
  const remove = db.prepare('DELETE FROM commands WHERE rowid = ?');
  return (beforeMs: number, keptMax: number): number => {
    const { total = 0, open = 0 } = counts.get() ?? {};
    const surplus = Number(total) - Number(open) - keptMax;
    const gone = old
      .all(STEP_ROWS)
      .filter(({ createdMs }, index) => index < surplus || Number(createdMs) < beforeMs);
    for (const { row } of gone) remove.run(Number(row));
    return gone.length;
  };
}

/** The tables in the order in which they are looked at. */
function openSteps(options: RetentionOptions): readonly (readonly [table: string, step: Step])[] {
  const { database, retention, audit, logs, errors, clock } = options;
  const before = (days: number): number => clock.wallMs() - days * DAY_MS;
  const events = openOldest(database, 'events');
  const letters = openOldest(database, 'dead_letters');
  const commands = openCommands(database);
  const { commandDays, commandsMax } = retention.registry;
  return [
    ['events', () => events(before(retention.events.days))],
    // What follows from events goes with them.
    ['error_kinds', () => errors?.expire(before(retention.events.days)) ?? 0],
    ['dead_letters', () => letters(before(retention.deadLetters.days))],
    ['commands', () => commands(before(commandDays), commandsMax)],
    ['audit', () => audit.trim(before(retention.audit.days), STEP_ROWS)],
    ['log_answers', () => logs.expire(before(retention.logs.days), retention.logs.bytesMax)],
  ];
}

export type Keeper = {
  /** One step of each table at once. @returns how many rows went. */
  readonly step: () => number;
  readonly stop: () => void;
};

export function openRetention(options: RetentionOptions): Keeper {
  const { database, retention, audit, timers, metrics, log } = options;
  const steps = openSteps(options);
  let pause: Cancel | undefined;
  let toldOver = false;

  function step(): number {
    let gone = 0;
    for (const [table, run] of steps) {
      const done = database.transact(run);
      if (!done.ok)
        log.error('what is too old could not be deleted', { table, reason: done.reason });
      else if (done.value > 0) {
        metrics.dropped(table, done.value);
        gone += done.value;
      }
    }
    return gone;
  }

  /** An audit log that forgets is none: where it is too large, a person has to decide. */
  function isAuditOver(): boolean {
    const bytes = audit.bytes();
    const isOver = bytes > retention.audit.bytesMax;
    if (isOver && !toldOver) {
      const { bytesMax } = retention.audit;
      log.warn('the audit log is larger than its bound; nothing of it is deleted for that', {
        bytes,
        bytesMax,
      });
    }
    toldOver = isOver;
    return isOver;
  }

  function look(): void {
    pause = undefined;
    if (step() > 0) pause = timers.after(STEP_PAUSE_MS, look);
    else isAuditOver();
  }

  const cancel = timers.every(LOOK_MS, () => {
    if (pause === undefined) look();
  });
  metrics.watch({ overBound: () => [['audit', isAuditOver()]] });
  return {
    step,
    stop: () => {
      cancel();
      pause?.();
    },
  };
}
