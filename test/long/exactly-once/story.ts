// What a complaint needs to be understood from its words alone, because a machine that ran the
// tests keeps nothing else: when each database and the broker were away, what the broker's log says
// of its sinks and of its ledger meanwhile, and how far each has come at the end.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** `againMs`: when it was ready again; Infinity: not yet. */
export type Away = { readonly atMs: number; againMs: number };

/** The ends of a log are worth more than all of it. */
const LINES_MAX = 40;
/** Of a day, as in the complaints. */
export const clockOf = (ms: number): string =>
  Number.isFinite(ms) ? new Date(ms).toISOString().slice(11, 21) : 'now';

/** 1,2,3,5 as `1-3,5`. */
export function rangesOf(numbers: readonly number[]): string {
  const ranges: { first: number; last: number }[] = [];
  for (const n of numbers) {
    const open = ranges.at(-1);
    if (open !== undefined && open.last === n - 1) open.last = n;
    else ranges.push({ first: n, last: n });
  }
  return ranges
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    .join(',');
}

const awayLine = (name: string, away: readonly Away[]): string => {
  const times = away.map(({ atMs, againMs }) => `${clockOf(atMs)}-${clockOf(againMs)}`);
  return `${name} away: ${times.join(' ') || 'never'}`;
};

/** What the broker says of connections of tills is too much, and of other things not asked for. */
const TOLD = /sink|acknowledged|commits succeed|broker ready|ledger/;

function logLine(line: string): string[] {
  try {
    const { timestamp, message, sink = '', reason = '', sentence = '' } = JSON.parse(line);
    if (!TOLD.test(message)) return [];
    const words = [timestamp.slice(11, 21), message, sink, reason, sentence];
    return [words.filter((word) => word !== '').join(' ')];
  } catch {
    // The last words of a broker that was killed.
    return [];
  }
}

function rowsOf(path: string, query: string): string {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 });
  try {
    return JSON.stringify(db.prepare(query).all());
  } finally {
    db.close();
  }
}

/** @param data the broker's folder. */
export function tell(away: Readonly<Record<string, readonly Away[]>>, data: string): string[] {
  const cursors = rowsOf(join(data, 'sinks.db'), 'SELECT sink, ledger_id AS upTo FROM cursor');
  const query = 'SELECT min(id) AS oldest, max(id) AS newest FROM batch';
  const ledger = rowsOf(join(data, 'ledger.db'), query);
  return [
    ...Object.entries(away).map(([name, times]) => awayLine(name, times)),
    `now ${clockOf(Date.now())}, cursors ${cursors}, ledger ${ledger}`,
    ...readFileSync(join(data, 'broker.log'), 'utf8')
      .split('\n')
      .flatMap(logLine)
      .slice(-LINES_MAX),
  ];
}
