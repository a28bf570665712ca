// The stream of events for those who watch, as server-sent events [HTML 9.2]. Each client has a place in
// the registry's table of events and is given what lies behind it (live-serve.ts), before and after it
// has caught up: there is no seam between old and new at which one could be missed or told twice, and a
// client that reads slowly holds a place in a table instead of a queue in memory.

import { Readable } from 'node:stream';
import type { Timers } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import { type Client, createServing, type LiveFilter, type LiveFleet, push } from './live-serve.ts';

export const LIVE_CLIENTS_MAX = 50;
/** Of them, of one operator. */
export const LIVE_EACH_MAX = 10;
/** Of one client, in this process; the operating system holds some more. */
const QUEUE_BYTES_MAX = 64 * 1024;
export const TICK_MS = 5_000;
/** A comment each 15 s, before somebody on the way takes the line for dead. */
export const HEARTBEAT_TICKS = 3;
/** Who takes nothing for so many ticks, with something to take, is too slow. */
export const SLOW_TICKS = 4;
/** After a broken connection, an EventSource comes back after so long. */
const RETRY_MS = 2_000;

/** `too_many` was not let in; `failed`: its rows could not be read. */
export type LiveDrop = 'slow' | 'too_many' | 'failed';

export type LiveOptions = {
  readonly fleet: LiveFleet;
  readonly timers: Pick<Timers, 'every'>;
  readonly metrics: Pick<Metrics, 'liveDropped'>;
  readonly log: Log;
};

export type LiveRefusal = {
  readonly ok: false;
  readonly status: 400 | 503;
  readonly reason: string;
};
export type Live = {
  /**
   * @param after the row it has already; undefined for only what comes from now on
   * @param who whose streams are counted together
   */
  readonly open: (
    filter: LiveFilter,
    after: number | undefined,
    who?: string,
  ) => { readonly ok: true; readonly stream: Readable } | LiveRefusal;
  readonly clients: () => number;
  /** Tells everybody who watches, whatever they filter; who is not there finds it in a table. */
  readonly announce: (event: string, data: unknown) => void;
  /** Ends every stream in good order and lets nobody in any more. */
  readonly close: () => void;
};

/** An id without data tells nobody anything, but is where an EventSource begins again. */
const placeOf = (cursor: number): string => `id: ${cursor}\n\n`;
const refuse = (status: LiveRefusal['status'], reason: string): LiveRefusal => ({
  ok: false,
  status,
  reason,
});

type Leave = (client: Client) => void;

type NewClient = Pick<Client, 'filter' | 'cursor' | 'who'>;
function newClient({ filter, cursor, who }: NewClient, wants: Leave, leave: Leave): Client {
  const stream = new Readable({
    highWaterMark: QUEUE_BYTES_MAX,
    read: () => {
      client.wants = true;
      client.ticksStuck = 0;
      wants(client);
    },
    destroy: (error, done) => {
      leave(client);
      done(error);
    },
  });
  const client: Client = { filter, stream, cursor, who, wants: true, ticksStuck: 0 };
  push(client, `retry: ${RETRY_MS}\n${placeOf(cursor)}`);
  return client;
}

export function createLive({ fleet, timers, metrics, log }: LiveOptions): Live {
  const clients = new Set<Client>();
  let closed = false;
  const drop = (client: Client, reason: LiveDrop): void => {
    metrics.liveDropped(reason);
    client.stream.destroy();
  };
  const serving = createServing({ fleet, clients, log, fail: (client) => drop(client, 'failed') });
  const leave: Leave = (client) => {
    clients.delete(client);
    serving.forget(client);
  };

  let ticks = 0;
  const cancelTick = timers.every(TICK_MS, () => {
    ticks += 1;
    for (const client of clients) {
      client.ticksStuck = client.wants ? 0 : client.ticksStuck + 1;
      if (client.ticksStuck >= SLOW_TICKS) drop(client, 'slow');
      else if (client.wants && ticks % HEARTBEAT_TICKS === 0) {
        push(client, `: still here\n${placeOf(client.cursor)}`);
      }
    }
  });
  const forget = fleet.onEvents(() => {
    if (clients.size > 0) serving.refresh();
  });

  return {
    open: (filter, after, who) => {
      if (closed) return refuse(503, 'the broker is stopping; try again');
      if (clients.size >= LIVE_CLIENTS_MAX) {
        metrics.liveDropped('too_many');
        const others = `${LIVE_CLIENTS_MAX} clients watch already`;
        return refuse(503, `${others}; try again, or ask GET /api/v1/events`);
      }
      const own = who === undefined ? [] : [...clients].filter((client) => client.who === who);
      if (own.length >= LIVE_EACH_MAX) {
        metrics.liveDropped('too_many');
        return refuse(503, `you watch ${LIVE_EACH_MAX} times already; end one of them`);
      }
      // Read each time: the hub does not follow while nobody watches.
      serving.refresh();
      const newest = serving.newest();
      if (after !== undefined && after > newest) {
        const reason = `after: ${after} is beyond the newest event, ${newest}; begin again without`;
        return refuse(400, reason);
      }
      const client = newClient({ filter, cursor: after ?? newest, who }, serving.serve, leave);
      clients.add(client);
      return { ok: true, stream: client.stream };
    },
    clients: () => clients.size,
    announce: (event, data) => {
      // Without an id: it is no row of events, and nobody's place moves by it.
      const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
      for (const client of clients) push(client, text);
    },
    close: () => {
      closed = true;
      cancelTick();
      forget();
      serving.close();
      for (const { stream } of clients) stream.push(null);
      clients.clear();
    },
  };
}
