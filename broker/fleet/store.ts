// The registry's tables: terminals, events, dead letters and the cursor. Events are appended and go
// oldest first when there are more than wanted; the row id is what API clients page by, so it is never
// used twice. (terminal, epoch, seq, index) is unique, so a batch that is read again adds nothing.

import { COMPONENT_STATES } from '../../protocol/events.ts';
import type { LedgerRow } from '../ledger.ts';
import { openEdges, openGauge } from '../sqlite.ts';
import type { Database } from './database.ts';
import { openEventTable } from './events.ts';
import { newTerminal, type PlacedEvent, type TerminalModel } from './model.ts';
import { openPlanTable } from './plans.ts';
import { NO_RUN } from './presence.ts';

/** Events kept unless configured otherwise. */
export const EVENTS_MAX = 1_000_000;
export const DEAD_LETTERS_MAX = 10_000;
/** What the registry may take on disk unless configured otherwise; only events grow without an end. */
export const REGISTRY_BYTES_MAX = 2 * 1024 ** 3;
/** Rows that one turn removes at most: more than it can add, few enough not to stall the broker. */
const TRIM_ROWS = 4_000;
/** Of events that are too large altogether, so that only as many go as must. */
const TRIM_LARGE_ROWS = 100;
const COMPONENT_CHARS_MAX = 64;

export type RegistryLimits = {
  readonly eventsMax: number;
  readonly lettersMax?: number | undefined;
  readonly bytesMax: number;
};

export type FleetStore = ReturnType<typeof openFleetStore>;

/**
 * @param max rows; the oldest beyond it go.
 * @param isFull whether some must go although they are not that many.
 */
function openBound(
  { db }: Database,
  table: 'events' | 'dead_letters',
  max: number,
  isFull: () => boolean = () => false,
) {
  const remove = db.prepare(`DELETE FROM ${table} WHERE id <= ?`);
  const edgesOf = openEdges(db, table);
  return (): number => {
    const edges = edgesOf();
    if (edges === undefined) return 0;
    const { oldest, newest } = edges;
    const large = isFull() ? Math.min(oldest + TRIM_LARGE_ROWS, newest) - 1 : 0;
    const until = Math.max(Math.min(newest - max, oldest + TRIM_ROWS), large);
    return until < oldest ? 0 : Number(remove.run(until).changes);
  };
}

function openEvents(database: Database, { eventsMax, bytesMax }: RegistryLimits) {
  const { db } = database;
  const bytesUsed = openGauge(db);
  const insert = db.prepare(
    `INSERT OR IGNORE INTO events
       (terminal, store, epoch, seq, idx, time_ms, received_ms, kind, component, fields)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const trimmed = openBound(database, 'events', eventsMax, () => bytesUsed() > bytesMax * 0.9);
  return {
    /** @returns whether it was new. */
    addEvent: (row: LedgerRow, store: string, event: PlacedEvent): boolean =>
      Number(
        insert.run(
          row.terminal,
          store,
          Buffer.from(row.epoch, 'hex'),
          row.seq,
          event.index,
          event.timeMs,
          row.receivedMs,
          event.kind,
          event.component.slice(0, COMPONENT_CHARS_MAX),
          JSON.stringify(event.fields),
        ).changes,
      ) === 1,
    trimEvents: trimmed,
  };
}

function openDeadLetters(database: Database, { lettersMax = DEAD_LETTERS_MAX }: RegistryLimits) {
  const insert = database.db.prepare(
    `INSERT INTO dead_letters
       (ledger_id, terminal, epoch, stream, seq, received_ms, class, reason)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const count = database.db.prepare('SELECT count(*) AS count FROM dead_letters');
  return {
    addDeadLetter: (row: LedgerRow, kind: string, reason: string): void => {
      const { id, terminal, epoch, stream, seq, receivedMs } = row;
      insert.run(id, terminal, epoch, stream, seq, receivedMs, kind, reason.slice(0, 500));
    },
    countDeadLetters: (): number => Number(count.get()?.['count']),
    trimDeadLetters: openBound(database, 'dead_letters', lettersMax),
  };
}

/** A model from an older broker may lack fields that were added since. */
function revive(id: string, store: string, json: string): TerminalModel {
  const saved = JSON.parse(json) as Partial<TerminalModel>;
  const fresh = newTerminal(id, store, false);
  const model = {
    ...fresh,
    ...saved,
    id,
    sessions: 0,
    closed: undefined,
    planned: false,
    retired: undefined,
    run: NO_RUN,
  };
  // A state that a newer broker knew and this one does not would break its types.
  const known = Object.entries(model.components).filter(
    ([, { state }]) => state === 'unknown' || COMPONENT_STATES.includes(state),
  );
  // Brokers before 0.2 kept the bare names of incidents that are over.
  const closed = model.closedIncidents.filter((one) => typeof one === 'object');
  return { ...model, closedIncidents: closed, components: Object.fromEntries(known) };
}

function openTerminals({ db }: Database) {
  const select = db.prepare('SELECT id, store, model FROM terminals');
  const upsert = db.prepare(
    `INSERT INTO terminals (id, store, planned, presence, last_seen_ms, model)
     VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET store = excluded.store, planned = excluded.planned,
       presence = excluded.presence, last_seen_ms = excluded.last_seen_ms, model = excluded.model`,
  );
  return {
    loadTerminals: (): readonly TerminalModel[] =>
      select
        .all()
        .map((row) => revive(String(row['id']), String(row['store']), String(row['model']))),
    saveTerminal: (model: TerminalModel): void => {
      const { id, store, planned, presence, lastSeenMs } = model;
      const seen = lastSeenMs ?? null;
      upsert.run(id, store, planned ? 1 : 0, presence, seen, JSON.stringify(model));
    },
  };
}

function openCursor({ db }: Database, generation: Uint8Array) {
  const select = db.prepare('SELECT generation, ledger_id FROM cursor');
  const upsert = db.prepare(
    `INSERT INTO cursor (id, generation, ledger_id) VALUES (1, ?, ?)
     ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, ledger_id = excluded.ledger_id`,
  );
  return {
    /** @returns the last row applied; 0 when the ledger is another one than was followed. */
    readCursor: (): number => {
      const row = select.get();
      const followed = row?.['generation'];
      if (!(followed instanceof Uint8Array) || !Buffer.from(followed).equals(generation)) return 0;
      return Number(row?.['ledger_id']);
    },
    moveCursor: (id: number): void => {
      upsert.run(generation, id);
    },
  };
}

export function openFleetStore(database: Database, generation: Uint8Array, limits: RegistryLimits) {
  return {
    ...openTerminals(database),
    ...openEvents(database, limits),
    ...openEventTable(database.db),
    ...openDeadLetters(database, limits),
    ...openCursor(database, generation),
    ...openPlanTable(database),
  };
}
