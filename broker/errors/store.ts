// Kinds of errors in the fleet as tables: a row for each kind, and counts by hour, kind and version for the fleet and by
// store. An hour is what people ask by, and it keeps ten thousand terminals of fifty kinds at some thousand rows a day,
// because which terminals they were is one run of bytes a row (members.ts). Written within the transaction that applies
// an event, so each is counted exactly once. Everything has a bound, at which the oldest hour goes, and a share for each
// terminal (share.ts), beyond which it is counted without its words. When a kind was first seen is when the centre was
// told of it: terminals' clocks and words must not make a new kind look old.

import type { StatementSync } from 'node:sqlite';
import type { Database } from '../fleet/database.ts';
import { NO_MEMBERS, withMember } from './members.ts';
import { HOUR_MS, openRoom, type RoomLimits } from './room.ts';
import {
  type Added,
  createShares,
  KINDS_PER_TERMINAL_MAX,
  ROWS_PER_TERMINAL_MAX,
} from './share.ts';

/** Numbers of terminals are never used twice; more than these are counted and not told apart. */
export const TERMINALS_MAX = 100_000;
/** Of counts that are read at a time: some milliseconds. */
const PAGE_ROWS = 2_000;
const TABLES = `
  CREATE TABLE IF NOT EXISTS error_kinds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    signature TEXT NOT NULL,
    component TEXT NOT NULL,
    level TEXT NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    terminal TEXT NOT NULL,
    pattern TEXT NOT NULL,
    sample TEXT NOT NULL,
    UNIQUE (signature, component, level)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS error_kinds_last ON error_kinds (last_ms);
  CREATE TABLE IF NOT EXISTS error_hours (
    hour INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    version TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    terminals BLOB NOT NULL,
    PRIMARY KEY (hour, kind, version)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS error_stores (
    hour INTEGER NOT NULL,
    store TEXT NOT NULL,
    kind INTEGER NOT NULL,
    version TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (hour, store, kind, version)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS error_terminals (
    number INTEGER PRIMARY KEY,
    terminal TEXT NOT NULL UNIQUE
  ) STRICT;
`;

/** One event as it counts: all of it in one hour, that of its newest record. */
export type Counted = {
  readonly terminal: string;
  readonly store: string;
  readonly signature: string;
  readonly component: string;
  readonly level: string;
  readonly version: string;
  readonly pattern: string;
  readonly sample: string;
  readonly count: number;
  readonly lastMs: number;
};

/** What is over a terminal's share, or of kinds that it did not tell apart itself. */
export const OVER = { signature: '', component: '', level: 'error' } as const;
const NO_WORDS = { ...OVER, version: '', pattern: '', sample: '' } as const;

export type KindRow = {
  readonly id: number;
  readonly signature: string;
  readonly component: string;
  readonly level: 'error' | 'warn';
  readonly pattern: string;
  readonly sample: string;
  /** Whose the sample is. */
  readonly terminal: string;
  readonly firstMs: number;
  readonly lastMs: number;
};

export type KindHead = Pick<KindRow, 'id' | 'signature' | 'component' | 'level' | 'firstMs'>;

/** Where the fleet is asked, `terminals` is there; of a store it is not. */
export type HourRow = {
  readonly hour: number;
  readonly kind: number;
  readonly version: string;
  readonly count: number;
  readonly lastMs: number;
  readonly terminals?: Uint8Array;
};

/** Numbers are looked up in the file each time: one that was given in a transaction that failed was not given. */
function openTerminals({ db }: Database) {
  const names: (string | undefined)[] = [];
  const find = db.prepare('SELECT number FROM error_terminals WHERE terminal = ?');
  const insert = db.prepare('INSERT INTO error_terminals (terminal) VALUES (?)');
  const newer = db.prepare('SELECT number, terminal FROM error_terminals WHERE number >= ?');
  return {
    /** By number; not within a transaction. */
    names: (): readonly (string | undefined)[] => {
      for (const row of newer.iterate(names.length)) {
        names[Number(row['number'])] = String(row['terminal']);
      }
      return names;
    },
    numberOf: (terminal: string): number | undefined => {
      const known = find.get(terminal)?.['number'];
      const number = Number(known ?? insert.run(terminal).lastInsertRowid);
      return number < TERMINALS_MAX ? number : undefined;
    },
  };
}

const hourOf = ({ lastMs }: Counted): number => Math.floor(lastMs / HOUR_MS);

export type ErrorStore = ReturnType<typeof openErrorStore>;

const prepareKinds = (db: Database['db']) => ({
  findKind: db.prepare(
    'SELECT id FROM error_kinds WHERE signature = ? AND component = ? AND level = ?',
  ),
  addKind: db.prepare(
    `INSERT INTO error_kinds
       (signature, component, level, pattern, sample, terminal, first_ms, last_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  moveKind: db.prepare(
    `UPDATE error_kinds SET last_ms = max(last_ms, ?1),
       terminal = iif(?2 = '' OR ?1 < last_ms, terminal, ?3),
       sample = iif(?2 = '' OR ?1 < last_ms, sample, ?2)
     WHERE id = ?4`,
  ),
  findHour: db.prepare(
    'SELECT terminals FROM error_hours WHERE hour = ? AND kind = ? AND version = ?',
  ),
  addHour: db.prepare('INSERT INTO error_hours VALUES (?, ?, ?, ?, ?, ?)'),
  moveHour: db.prepare(
    `UPDATE error_hours SET count = count + ?, last_ms = max(last_ms, ?)
     WHERE hour = ? AND kind = ? AND version = ?`,
  ),
  setTerminals: db.prepare(
    'UPDATE error_hours SET terminals = ? WHERE hour = ? AND kind = ? AND version = ?',
  ),
  moveStore: db.prepare(
    `UPDATE error_stores SET count = count + ?, last_ms = max(last_ms, ?)
     WHERE hour = ? AND store = ? AND kind = ? AND version = ?`,
  ),
  findStore: db.prepare(
    'SELECT 1 FROM error_stores WHERE hour = ? AND store = ? AND kind = ? AND version = ?',
  ),
  addStore: db.prepare('INSERT INTO error_stores VALUES (?, ?, ?, ?, ?, ?)'),
});

export function openErrorStore(database: Database, wallMs: () => number, limits?: RoomLimits) {
  const { db } = database;
  db.exec(TABLES);
  const terminals = openTerminals(database);
  const room = openRoom(database, limits);
  const shares = createShares(wallMs);
  const { findKind, addKind, moveKind, ...of } = prepareKinds(db);
  const { findHour, addHour, moveHour, setTerminals, findStore, addStore, moveStore } = of;

  const idOf = ({ signature, component, level }: Counted): number | undefined => {
    const id = findKind.get(signature, component, level)?.['id'];
    return typeof id === 'number' ? id : undefined;
  };

  function isOver(one: Counted, { kinds, rows }: Added): boolean {
    const kind = idOf(one);
    if (kind === undefined) return kinds >= KINDS_PER_TERMINAL_MAX || rows >= ROWS_PER_TERMINAL_MAX;
    if (rows < ROWS_PER_TERMINAL_MAX) return false;
    const hour = hourOf(one);
    return (
      findHour.get(hour, kind, one.version) === undefined ||
      findStore.get(hour, one.store, kind, one.version) === undefined
    );
  }

  function kindOf(one: Counted, added: Added): number {
    const { signature, component, level, pattern, sample, terminal, lastMs } = one;
    const known = idOf(one);
    if (known !== undefined) {
      moveKind.run(lastMs, sample, terminal, known);
      return known;
    }
    room.kinds.add();
    added.kinds += 1;
    const words = [signature, component, level, pattern, sample, terminal] as const;
    return Number(addKind.run(...words, wallMs(), lastMs).lastInsertRowid);
  }

  function countHour(one: Counted, kind: number, added: Added): void {
    const { terminal, version, count, lastMs } = one;
    const hour = hourOf(one);
    const number = terminals.numberOf(terminal);
    const found = findHour.get(hour, kind, version)?.['terminals'];
    const before = found instanceof Uint8Array ? found : NO_MEMBERS;
    const after = number === undefined ? before : withMember(before, number);
    if (found === undefined) {
      addHour.run(hour, kind, version, count, lastMs, after);
      room.hours.add();
      added.rows += 1;
      return;
    }
    moveHour.run(count, lastMs, hour, kind, version);
    if (after !== before) setTerminals.run(after, hour, kind, version);
  }

  function countStore(one: Counted, kind: number, added: Added): void {
    const { store, version, count, lastMs } = one;
    const hour = hourOf(one);
    if (moveStore.run(count, lastMs, hour, store, kind, version).changes > 0) return;
    addStore.run(hour, store, kind, version, count, lastMs);
    room.stores.add();
    added.rows += 1;
  }

  return {
    ...openQuestions(database),
    terminalNames: terminals.names,
    kinds: room.kinds.rows,
    /** Within a transaction. */
    add: (told: Counted): void => {
      const added = shares.of(told.terminal);
      const one = isOver(told, added) ? { ...told, ...NO_WORDS, lastMs: wallMs() } : told;
      const kind = kindOf(one, added);
      countHour(one, kind, added);
      countStore(one, kind, added);
      room.look();
    },
    expire: room.expire,
  };
}

function openQuestions({ db }: Database) {
  const KIND = `id, signature, component, level, pattern, sample, terminal, first_ms AS firstMs,
    last_ms AS lastMs`;
  const kind = db.prepare(`SELECT ${KIND} FROM error_kinds WHERE id = ?`);
  const kindBy = db.prepare(
    `SELECT ${KIND} FROM error_kinds WHERE signature = ? AND component = ? AND level = ?`,
  );
  const ofFleet = db.prepare(
    `SELECT hour, kind, version, count, last_ms AS lastMs, terminals FROM error_hours
       WHERE (hour, kind, version) > (?, ?, ?) AND hour <= ?
       ORDER BY hour, kind, version LIMIT ${PAGE_ROWS}`,
  );
  const ofStore = db.prepare(
    `SELECT hour, kind, version, count, last_ms AS lastMs FROM error_stores
       WHERE hour = ? AND store = ?`,
  );
  const one = (statement: StatementSync, ...of: (string | number)[]): KindRow | undefined =>
    statement.get(...of) as KindRow | undefined;
  // Without the long words, which lie behind what is read here.
  const heads = db.prepare(
    'SELECT id, signature, component, level, first_ms AS firstMs FROM error_kinds',
  );
  return {
    kind: (id: number) => one(kind, id),
    heads: () => heads.iterate() as unknown as IterableIterator<KindHead>,
    kindBy: (signature: string, component: string, level: string) =>
      one(kindBy, signature, component, level),
    /** In pages, between which others may ask and write. */
    hours: function* (from: number, to: number): Generator<readonly HourRow[]> {
      let after: readonly [hour: number, kind: number, version: string] = [from, 0, ''];
      for (;;) {
        const page = ofFleet.all(...after, to) as unknown as readonly HourRow[];
        if (page.length > 0) yield page;
        const last = page.at(-1);
        if (last === undefined || page.length < PAGE_ROWS) return;
        after = [last.hour, last.kind, last.version];
      }
    },
    /** An hour at a time: the store is the second part of the key. */
    storeHours: (store: string, hour: number) =>
      ofStore.all(hour, store) as unknown as readonly HourRow[],
  };
}
