// What a broker's files grow by. A database is asked for its pages in use, because its file and its log grow in steps that
// a minute does not show. The history writes an hour of a terminal when the hour is over: that is computed from a
// day of a simulated till, through the code that writes it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { addColumns, encodeHour, type Hour, hourOf } from '../../../broker/history/hours.ts';
import { encodeMetricBody } from '../../../protocol/metric-body.ts';
import { decodeMetricColumns } from '../../../protocol/metric-columns.ts';
import { inBatches, tillSnapshots } from '../wire-till.ts';

/** A minute's samples make a batch. */
const SNAPSHOTS_PER_BATCH = 4;
const BATCHES_PER_DAY = 1_440;
/** Key, lengths and the share of its page that a row of the history costs. */
const ROW_BYTES = 24;

export type Sizes = Readonly<Record<'ledger' | 'registry', number>>;

function reading(file: string, read: (numberOf: (sql: string) => number) => number): number {
  if (!existsSync(file)) return 0;
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return read((sql) => Number(Object.values(db.prepare(sql).get() ?? {})[0]));
  } finally {
    db.close();
  }
}

/** Bytes in use; 0 where there is no such file. */
const usedBytes = (file: string): number =>
  reading(file, (numberOf) => {
    const pages = numberOf('PRAGMA page_count') - numberOf('PRAGMA freelist_count');
    return pages * numberOf('PRAGMA page_size');
  });

/** Of one event with its indexes: what the registry grows by, and its retention counts. */
export const eventBytes = (dataDir: string): number =>
  reading(join(dataDir, 'registry.db'), (numberOf) => {
    const where = "name LIKE 'events%' OR name LIKE 'sqlite_autoindex_events%'";
    const bytes = numberOf(`SELECT sum(pgsize) FROM dbstat WHERE ${where}`);
    return Math.round(bytes / Math.max(1, numberOf('SELECT count(*) FROM events')));
  });

export const sizesOf = (dataDir: string): Sizes => ({
  ledger: usedBytes(join(dataDir, 'ledger.db')),
  registry: usedBytes(join(dataDir, 'registry.db')),
});

/** Of one terminal and day. */
export function historyBytesPerDay(seed: number): number {
  const hours = new Map<number, Hour>();
  const hourAt = (number: number): Hour => {
    const known = hours.get(number) ?? new Map();
    hours.set(number, known);
    return known;
  };
  const snapshots = tillSnapshots({ seed, count: BATCHES_PER_DAY * SNAPSHOTS_PER_BATCH });
  for (const batch of inBatches(snapshots, SNAPSHOTS_PER_BATCH)) {
    const columns = decodeMetricColumns(encodeMetricBody(batch));
    if (!columns.ok) throw new Error(columns.reason);
    addColumns(columns.value, hourAt);
  }
  const first = Math.min(...hours.keys());
  const day = [...hours].filter(([number]) => number < first + 24);
  if (day.length !== 24 || hourOf(0) !== 0) throw new Error('a day has 24 hours');
  return day.reduce((sum, [, hour]) => sum + encodeHour(hour).length + ROW_BYTES, 0);
}
