// Who watches gets what lies behind its place: page by page from the database while that is older, then
// from the rows that were committed just now, which are read and written out once for all. One page a
// turn for all who are behind together, so that terminals are answered in between.

import type { Readable } from 'node:stream';
import { isDatabaseError } from '../fleet/database.ts';
import type { EventRow } from '../fleet/events.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Log } from '../ports.ts';

/** Rows of one page from the database, and of the newest ones kept for all. */
export const REPLAY_ROWS = 100;
export const RECENT_ROWS_MAX = 256;

export type LiveFilter = {
  readonly terminal?: string | undefined;
  readonly store?: string | undefined;
  readonly kind?: string | undefined;
};

export type Client = {
  readonly filter: LiveFilter;
  readonly stream: Readable;
  readonly who: string | undefined;
  /** All rows up to here have been looked at for it. */
  cursor: number;
  /** Whether there is room in its queue. */
  wants: boolean;
  ticksStuck: number;
};

export type LiveFleet = Pick<Fleet, 'eventPage' | 'eventEdges' | 'onEvents'>;

const textOf = (row: EventRow): string => `id: ${row.id}\ndata: ${JSON.stringify(row)}\n\n`;
/** Rows that the registry removed for room before this client had them. */
const gapText = (after: number, oldest: number): string =>
  `event: gap\ndata: ${JSON.stringify({ after, oldest })}\n\n`;

const fits = ({ terminal, store, kind }: LiveFilter, row: EventRow): boolean =>
  (terminal === undefined || row.terminal === terminal) &&
  (store === undefined || row.store === store) &&
  (kind === undefined || row.kind === kind);

export function push(client: Client, text: string): void {
  client.wants = client.stream.push(text);
}

/** Everything after `from` up to the newest, if it is little enough to be kept. */
type Recent = {
  readonly from: number;
  readonly rows: readonly { readonly row: EventRow; readonly text: string }[];
};

/** How far the registry is, for all clients. */
function createPlaces(fleet: LiveFleet) {
  let newest = 0;
  let recent: Recent = { from: 0, rows: [] };
  return {
    newest: () => newest,
    recent: () => recent,
    /** Takes in what was committed since. */
    advance: (): void => {
      const { newest: until } = fleet.eventEdges();
      if (until <= newest) return;
      const { events } = fleet.eventPage({ afterId: newest, limit: RECENT_ROWS_MAX });
      // Too many at once are read by each client itself; so is what was removed before it was read.
      const [first] = events.at(-1)?.id === until ? events : [];
      const rows = first === undefined ? [] : events.map((row) => ({ row, text: textOf(row) }));
      recent = { from: first === undefined ? until : first.id - 1, rows };
      newest = until;
    },
  };
}

export type ServeOptions = {
  readonly fleet: LiveFleet;
  readonly clients: ReadonlySet<Client>;
  readonly log: Log;
  /** The rows of this client could not be read. */
  readonly fail: (client: Client) => void;
};

export function createServing({ fleet, clients, log, fail }: ServeOptions) {
  const places = createPlaces(fleet);
  const behind = new Set<Client>();
  let turnDue: NodeJS.Immediate | undefined;

  function serve(client: Client): void {
    if (!client.wants || client.cursor >= places.newest()) return;
    const { from, rows } = places.recent();
    if (client.cursor < from) {
      behind.add(client);
      turnDue ??= setImmediate(turn);
      return;
    }
    for (const { row, text } of rows) {
      if (row.id <= client.cursor) continue;
      if (!client.wants) return;
      client.cursor = row.id;
      if (fits(client.filter, row)) push(client, text);
    }
  }

  function replay(client: Client): void {
    const { oldest } = fleet.eventEdges();
    if (client.cursor + 1 < oldest) {
      const gap = gapText(client.cursor, oldest);
      client.cursor = oldest - 1;
      push(client, gap);
    }
    const place = { afterId: client.cursor, limit: REPLAY_ROWS };
    const page = fleet.eventPage({ ...client.filter, ...place });
    for (const row of page.events) {
      if (!client.wants) return;
      client.cursor = row.id;
      push(client, textOf(row));
    }
    client.cursor = page.more ? page.next : Math.max(client.cursor, places.newest());
  }

  /** A disk that fails ends the stream, not the broker. */
  function turn(): void {
    turnDue = undefined;
    const [client] = behind;
    if (client === undefined) return;
    behind.delete(client);
    try {
      if (client.wants) replay(client);
    } catch (cause) {
      if (!isDatabaseError(cause)) throw cause;
      log.error('events could not be read for a stream', { reason: cause.message });
      fail(client);
    }
    if (behind.size > 0) turnDue ??= setImmediate(turn);
    if (clients.has(client)) serve(client);
  }

  return {
    serve,
    /** Looks what was committed, and gives it to everybody. */
    refresh: (): void => {
      try {
        places.advance();
      } catch (cause) {
        // The next commit tries again, from the same place.
        if (!isDatabaseError(cause)) throw cause;
        log.error('events could not be read for the streams', { reason: cause.message });
      }
      for (const client of clients) serve(client);
    },
    newest: places.newest,
    forget: (client: Client): void => {
      behind.delete(client);
    },
    close: (): void => {
      if (turnDue !== undefined) clearImmediate(turnDue);
      behind.clear();
    },
  };
}
