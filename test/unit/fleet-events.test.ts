import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../broker/fleet/database.ts';
import {
  type EventQuery,
  type EventRow,
  openEventTable,
  SCAN_ROWS_MAX,
  sqlOf,
} from '../../broker/fleet/events.ts';
import { folder, must } from './fleet-rig.ts';

/** A registry with so many events: times go up by 10, but each tenth event came an hour late. */
function filled(count: number) {
  const dir = mkdtempSync(join(tmpdir(), 'tillwatch-'));
  const { db, close } = must(openDatabase(join(dir, 'registry.db'), (database) => database));
  afterAll(() => {
    close();
    rmSync(dir, { recursive: true });
  });
  db.exec(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     INSERT INTO events
       (terminal, store, epoch, seq, idx, time_ms, received_ms, kind, component, fields)
     SELECT 't-' || (i % 7), 's-' || (i % 7 % 3), x'00', i, 0,
       1000000 + i * 10 - CASE i % 10 WHEN 0 THEN 360000 ELSE 0 END, 2000000 + i,
       CASE WHEN i % 997 = 0 THEN 'gap' WHEN i % 3 = 0 THEN 'inventory' ELSE 'component_state' END,
       CASE i % 4 WHEN 0 THEN '' WHEN 1 THEN 'sale' ELSE 'sync' END, '{"n":' || i || '}' FROM n`,
  );
  return { db, table: openEventTable(db) };
}

const { db, table } = filled(SCAN_ROWS_MAX * 2 + 1_501);
const everything = db
  .prepare(
    `SELECT id, terminal, store, time_ms AS timeMs, received_ms AS receivedMs, kind, component, fields
       FROM events ORDER BY id`,
  )
  .all()
  .map((row) => ({ ...row, fields: JSON.parse(String(row['fields'])) })) as unknown as EventRow[];

function expected(query: Omit<EventQuery, 'limit'>): number[] {
  const { terminal, store, kind, component, sinceMs = 0, untilMs = Infinity } = query;
  const ids = everything
    .filter((row) => terminal === undefined || row.terminal === terminal)
    .filter((row) => store === undefined || row.store === store)
    .filter((row) => kind === undefined || row.kind === kind)
    .filter((row) => component === undefined || row.component === component)
    .filter((row) => row.timeMs >= sinceMs && row.timeMs <= untilMs)
    .map(({ id }) => id);
  return query.order === 'desc' ? ids.reverse() : ids;
}

function readAll(query: Omit<EventQuery, 'limit'>, limit: number): number[] {
  const ids: number[] = [];
  let afterId: number | undefined;
  for (let pages = 0; pages < 200; pages += 1) {
    const page = table.queryEvents({ ...query, limit, afterId });
    ids.push(...page.events.map(({ id }) => id));
    expect(page.events.length).toBeLessThanOrEqual(limit);
    // The rule for those who page: it is over when `next` stays what it was.
    if (page.next === (afterId ?? 0)) return ids;
    afterId = page.next;
  }
  throw new Error('paging has no end');
}

const late = 1_000_000 + everything.length * 10;
const queries: readonly Omit<EventQuery, 'limit'>[] = [
  {},
  { terminal: 't-3' },
  { terminal: 't-3', kind: 'gap' },
  { store: 's-1', component: 'sale' },
  { kind: 'gap' },
  { kind: 'component_state', component: 'nothing' },
  { kind: 'inventory', store: 's-2', component: 'sync', terminal: 't-2' },
  { component: '' },
  { component: 'nobody' },
  { sinceMs: late - 500 },
  { untilMs: 1_000_200 },
  { sinceMs: 1_100_000, untilMs: 1_100_300 },
  { sinceMs: 1_250_000, untilMs: 1_250_900, kind: 'gap' },
  { sinceMs: 1_100_000, terminal: 't-5', kind: 'inventory' },
  { sinceMs: 9_000_000 },
];

describe('a page of events', () => {
  it.each(queries)('%o: all pages together are what fits, up and down', (query) => {
    for (const order of ['asc', 'desc'] as const) {
      expect(readAll({ ...query, order }, 1_000)).toEqual(expected({ ...query, order }));
    }
  });

  it('of any size has each event once', () => {
    const query = { terminal: 't-1', kind: 'gap' };
    for (const limit of [1, 2, 7]) expect(readAll(query, limit)).toEqual(expected(query));
  });

  it('has the event as it was written', () => {
    expect(table.queryEvents({ afterId: 41, limit: 1 }).events).toEqual([everything[41]]);
  });

  it('looks at a bounded number of rows, and says that there are more', () => {
    const page = table.queryEvents({ kind: 'component_state', component: 'nothing', limit: 10 });
    expect(page).toMatchObject({ events: [], more: true });
    expect(page.next).toBeGreaterThan(SCAN_ROWS_MAX);
  });

  it('finds a time far away at once, by its index', () => {
    const page = table.queryEvents({ sinceMs: late - 5, limit: 10 });
    expect(page.events.map(({ id }) => id)).toEqual([everything.length]);
    expect(table.queryEvents({ sinceMs: late + 1, limit: 10 })).toMatchObject({ more: false });
  });

  it('begins before the first or after the last without harm', () => {
    expect(table.queryEvents({ afterId: 10 ** 14, limit: 10 })).toEqual({
      events: [],
      next: 10 ** 14,
      more: false,
    });
    expect(table.queryEvents({ afterId: 0, order: 'desc', limit: 10 }).events).toEqual([]);
  });
});

describe('the plan of SQLite', () => {
  const subsets = ['terminal', 'store', 'kind', 'component', 'sinceMs', 'order'].reduce<string[][]>(
    (sets, name) => sets.flatMap((set) => [set, [...set, name]]),
    [[]],
  );
  const value: Record<string, unknown> = { sinceMs: 1_000, order: 'desc' };
  it.each(subsets.map((set) => [set.join(' + ') || 'no filter', set] as const))(
    'reads no whole table and sorts nothing for %s',
    (_name, set) => {
      const filter = Object.fromEntries(set.map((name) => [name, value[name] ?? 'x']));
      for (const sql of sqlOf({ ...filter, limit: 10 })) {
        const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
        const steps = plan.map(({ detail }) => String(detail));
        expect(steps).toHaveLength(1);
        expect(steps[0]).toMatch(/^SEARCH events USING (COVERING INDEX|INDEX|INTEGER PRIMARY KEY)/);
        const [leader] = set.filter((name) => !['sinceMs', 'order'].includes(name));
        // The first statement of a timed one asks the index of times alone.
        if (!/min\(id\)/.test(sql) && leader) expect(steps[0]).toContain(`${leader}=? AND `);
      }
    },
  );
});

it('a registry of the first version gets its indexes', () => {
  const path = `${folder()}/registry.db`;
  const first = must(openDatabase(path, (database) => database));
  first.db.exec(
    `DROP INDEX events_store; DROP INDEX events_component; DROP INDEX events_time;
     PRAGMA user_version = 1`,
  );
  first.close();
  const again = must(openDatabase(path, (database) => database));
  const { queryEvents } = openEventTable(again.db);
  expect(queryEvents({ store: 's', sinceMs: 1, limit: 1 }).events).toEqual([]);
  expect(again.db.prepare('PRAGMA user_version').get()).toEqual({ user_version: 3 });
  again.close();
});
