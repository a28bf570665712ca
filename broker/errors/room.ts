// The bounds of the tables of error kinds (store.ts): so many kinds, so many rows of counts, and an age. The oldest hour
// goes first, a little at each event's transaction when there is no room, and in the steps of retention by age, so that
// no deletion holds up the broker. How many rows there are is counted along, because SQLite would scan for it.

import type { Database } from '../fleet/database.ts';

export const HOUR_MS = 3_600_000;
export type RoomLimits = {
  /** In the fleet; whoever was not seen for longest goes. */
  readonly kinds: number;
  /** Of counts; a kind of a version has one an hour. */
  readonly hourRows: number;
  /** 1 000 stores with 50 kinds each make 1.2 million a day, if all of them are in trouble all the time. */
  readonly storeRows: number;
};
export const ROOM: RoomLimits = { kinds: 20_000, hourRows: 200_000, storeRows: 2_000_000 };
/** Rows that go in one step of retention. */
const STEP_ROWS = 200;
/** Room is looked for once for so many events, of which each adds a row at most. */
const LOOK_EVENTS = 64;
const GONE_ROWS = LOOK_EVENTS * 2;

type Table = 'error_hours' | 'error_stores';
const KEYS: Readonly<Record<Table, string>> = {
  error_hours: 'hour, kind, version',
  error_stores: 'hour, store, kind, version',
};

/** A transaction that fails makes it wrong by a little until the next start. */
function createSize({ db }: Database, table: string) {
  let rows = Number(db.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.['count']);
  return {
    rows: (): number => rows,
    add: (count = 1): void => {
      rows += count;
    },
  };
}

function openTable(database: Database, table: Table) {
  const size = createSize(database, table);
  const remove = database.db.prepare(
    `DELETE FROM ${table} WHERE (${KEYS[table]}) IN
       (SELECT ${KEYS[table]} FROM ${table} WHERE hour < ? ORDER BY ${KEYS[table]} LIMIT ?)`,
  );
  return {
    ...size,
    /** @returns how many went, the oldest first. */
    remove: (beforeHour: number, max: number): number => {
      const gone = Number(remove.run(beforeHour, max).changes);
      size.add(-gone);
      return gone;
    },
  };
}

function openKinds(database: Database) {
  const size = createSize(database, 'error_kinds');
  const remove = database.db.prepare(
    `DELETE FROM error_kinds WHERE id IN
       (SELECT id FROM error_kinds WHERE last_ms < ? ORDER BY last_ms LIMIT ?)`,
  );
  return {
    ...size,
    remove: (beforeMs: number, max: number): number => {
      const gone = Number(remove.run(beforeMs, max).changes);
      size.add(-gone);
      return gone;
    },
  };
}

export function openRoom(database: Database, limits: RoomLimits = ROOM) {
  const kinds = openKinds(database);
  const hours = openTable(database, 'error_hours');
  const stores = openTable(database, 'error_stores');
  let events = 0;
  return {
    kinds,
    hours,
    stores,
    /** With each event, within its transaction. */
    look: (): void => {
      events += 1;
      if (events % LOOK_EVENTS !== 0) return;
      const all = Number.MAX_SAFE_INTEGER;
      if (kinds.rows() > limits.kinds) kinds.remove(all, kinds.rows() - limits.kinds);
      if (hours.rows() > limits.hourRows) hours.remove(all, GONE_ROWS);
      if (stores.rows() > limits.storeRows) stores.remove(all, GONE_ROWS);
    },
    /** A step of what is too old. @returns how many rows went; none: nothing is left of it. */
    expire: (beforeMs: number): number => {
      const hour = Math.floor(beforeMs / HOUR_MS);
      const rows = hours.remove(hour, STEP_ROWS) + stores.remove(hour, STEP_ROWS);
      return rows + kinds.remove(beforeMs, STEP_ROWS);
    },
  };
}
