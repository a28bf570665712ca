// The table of events as questions are asked of it. A page is in the order of the row ids, because only
// that order never changes under somebody who reads on: an event that a terminal delivers late has an old
// time and a new id. Each question is led by one index and looks at a bounded number of rows, since SQLite
// answers while the broker waits; what is left over is asked for with the page's `next`.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { openEdges } from '../sqlite.ts';

/** Rows that one page looks at, at most; few match a filter that no index serves. */
export const SCAN_ROWS_MAX = 20_000;
/** Fields of events in one page, at most; a page has at least one event whatever its size. */
const PAGE_CHARS_MAX = 4 * 1024 ** 2;
/** Beyond every row id. */
const ID_MAX = Number.MAX_SAFE_INTEGER;

export type EventRow = {
  readonly id: number;
  readonly terminal: string;
  readonly store: string;
  readonly timeMs: number;
  readonly receivedMs: number;
  readonly kind: string;
  readonly component: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Of an incident's beginning: id of the request for its last lines. */
  readonly logs?: string;
};

/** What an event must have; the times are the terminal's own, both included. */
export type EventFilter = {
  readonly terminal?: string | undefined;
  readonly store?: string | undefined;
  readonly kind?: string | undefined;
  readonly component?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
};

export type EventQuery = EventFilter & {
  /** Goes on behind this row, in the order asked for. */
  readonly afterId?: number | undefined;
  readonly order?: 'asc' | 'desc' | undefined;
  readonly limit: number;
};

export type EventPage = {
  readonly events: readonly EventRow[];
  /** The `afterId` of the next page; the same as before when nothing was looked at. */
  readonly next: number;
  /** False when everything there is was looked at. */
  readonly more: boolean;
};

export type EventTable = ReturnType<typeof openEventTable>;

/** Which index leads, the narrowest first: a store has few terminals, a component runs on all. */
const LEADERS = ['terminal', 'store', 'kind', 'component'] as const;
const COLUMNS = `id, terminal, store, time_ms AS timeMs, received_ms AS receivedMs, kind, component,
  fields`;

/** Ids in the order asked for: from where (not included) to where (included). */
type Span = { readonly from: number; readonly to: number };
type Shape = {
  readonly leader: (typeof LEADERS)[number] | undefined;
  readonly others: readonly (typeof LEADERS)[number][];
  readonly timed: boolean;
  readonly down: boolean;
};

function shapeOf(query: EventQuery): Shape {
  const [leader, ...others] = LEADERS.filter((column) => query[column] !== undefined);
  const timed = query.sinceMs !== undefined || query.untilMs !== undefined;
  return { leader, others, timed, down: query.order === 'desc' };
}

/** INDEXED BY makes a wrong plan an error when it is prepared, not a slow answer [lang_indexedby]. */
const tableOf = ({ leader }: Shape): string =>
  leader === undefined ? 'events NOT INDEXED' : `events INDEXED BY events_${leader}`;
const ledBy = ({ leader, down }: Shape): string =>
  `${leader === undefined ? '' : `${leader} = ? AND `}id ${down ? '<' : '>'} ?`;
const ordered = ({ down }: Shape): string => `ORDER BY id ${down ? 'DESC' : 'ASC'}`;

/** The row up to which a page looks, if there are more than it may look at. */
const boundSql = (shape: Shape): string =>
  `SELECT id FROM ${tableOf(shape)} WHERE ${ledBy(shape)} ${ordered(shape)}
     LIMIT 1 OFFSET ${SCAN_ROWS_MAX - 1}`;

function pageSql(shape: Shape): string {
  const { others, timed, down } = shape;
  const terms = [
    ledBy(shape),
    `id ${down ? '>=' : '<='} ?`,
    ...others.map((column) => `${column} = ?`),
    ...(timed ? ['time_ms BETWEEN ? AND ?'] : []),
  ];
  return `SELECT ${COLUMNS} FROM ${tableOf(shape)} WHERE ${terms.join(' AND ')}
     ${ordered(shape)} LIMIT ?`;
}

/** The ends, by id, of what happened within a time: answered from its index alone. */
const timesSql = ({ down }: Shape): string =>
  `SELECT min(id) AS first, max(id) AS last FROM events INDEXED BY events_time
     WHERE time_ms BETWEEN ? AND ? AND id ${down ? '<' : '>'} ?`;

/** Which statements a query runs; a test asks SQLite how it would answer them. */
export function sqlOf(query: EventQuery): readonly string[] {
  const shape = shapeOf(query);
  return [
    ...(shape.timed ? [timesSql(shape)] : []),
    ...(shape.timed || shape.others.length > 0 ? [boundSql(shape)] : []),
    pageSql(shape),
  ];
}

type Raw = Omit<EventRow, 'fields'> & { readonly fields: string };

/** @returns rows until there are enough, and whether the page was full before they were. */
function takeRows(rows: Iterable<unknown>): { events: EventRow[]; full: boolean } {
  const events: EventRow[] = [];
  let chars = 0;
  for (const raw of rows) {
    const { fields, ...rest } = raw as Raw;
    chars += fields.length;
    if (chars > PAGE_CHARS_MAX && events.length > 0) return { events, full: true };
    events.push({ ...rest, fields: JSON.parse(fields) as EventRow['fields'] });
  }
  return { events, full: false };
}

export function openEventTable(db: DatabaseSync) {
  const edgesOf = openEdges(db, 'events');
  // As many as there are shapes: 2^4 filters, timed or not, up or down.
  const prepared = new Map<string, StatementSync>();
  const statement = (sql: string): StatementSync => {
    const known = prepared.get(sql) ?? db.prepare(sql);
    prepared.set(sql, known);
    return known;
  };

  /** The part of the ids in which the times can match; undefined when none can. */
  function narrow(shape: Shape, times: readonly number[], { from, to }: Span): Span | undefined {
    const { first, last } = statement(timesSql(shape)).get(...times, from) ?? {};
    if (typeof first !== 'number' || typeof last !== 'number') return undefined;
    return shape.down
      ? { from: Math.min(from, last + 1), to: Math.max(to, first) }
      : { from: Math.max(from, first - 1), to: Math.min(to, last) };
  }

  /** One look at no more rows than it may; `cutAt` is where it ended if there are more. */
  function look(
    query: EventQuery,
    shape: Shape,
    times: readonly number[],
    span: Span,
    max: number,
  ) {
    const wanted = (column: (typeof LEADERS)[number]): SQLInputValue => query[column] ?? null;
    const lead: SQLInputValue[] = [...(shape.leader ? [wanted(shape.leader)] : []), span.from];
    const isFiltered = shape.timed || shape.others.length > 0;
    const found = isFiltered ? statement(boundSql(shape)).get(...lead)?.['id'] : undefined;
    const isCut = typeof found === 'number' && (shape.down ? found > span.to : found < span.to);
    const cutAt = isCut ? found : undefined;
    const filters = [...shape.others.map(wanted), ...(shape.timed ? times : [])];
    const select = statement(pageSql(shape));
    const { events, full } = takeRows(select.iterate(...lead, cutAt ?? span.to, ...filters, max));
    return { events, full: full || events.length >= max, cutAt };
  }

  function query(query: EventQuery): EventPage {
    const { limit, afterId, sinceMs, untilMs } = query;
    const shape = shapeOf(query);
    const times = [sinceMs ?? Number.MIN_SAFE_INTEGER, untilMs ?? ID_MAX];
    const end = shape.down ? 0 : ID_MAX;
    const first = look(query, shape, times, { from: afterId ?? ID_MAX - end, to: end }, limit);
    const { events, full, cutAt } = first;
    const lastOf = (rows: readonly EventRow[]): number => rows.at(-1)?.id ?? afterId ?? 0;
    if (full || cutAt === undefined) return { events, next: lastOf(events), more: full };
    if (!shape.timed) return { events, next: cutAt, more: true };
    // The times are elsewhere: their index, which costs more than a look, says where to go on.
    const span = narrow(shape, times, { from: cutAt, to: end });
    if (span === undefined) return { events, next: cutAt, more: false };
    const second = look(query, shape, times, span, limit - events.length);
    const all = [...events, ...second.events];
    const next = second.full ? lastOf(all) : (second.cutAt ?? span.to);
    return { events: all, next, more: second.full || second.cutAt !== undefined };
  }

  return {
    queryEvents: query,
    /** The ids of the oldest and the newest row; the newest is 0 when there is none. */
    eventEdges: (): { readonly oldest: number; readonly newest: number } =>
      edgesOf() ?? { oldest: 1, newest: 0 },
  };
}
