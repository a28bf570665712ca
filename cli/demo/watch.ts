// The demo's eyes: everything that it tells of a till comes from the broker's API, as the on-call
// engineer would see it. Events are followed by their row id, so that none is missed or told twice.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, EventView } from '../client.ts';

const POLL_MS = 100;
const PAGE = 500;
/** Old ones are forgotten; a story needs those of its own step. */
const EVENTS_KEPT_MAX = 5_000;

export type Watch = {
  /** The newest row id: pass it to `first` to look only at what comes later. */
  readonly now: () => number;
  /** Waits for the first event after `since` that fits; undefined when none came in time. */
  readonly first: (
    since: number,
    msMax: number,
    fits: (event: EventView) => boolean,
  ) => Promise<EventView | undefined>;
  /** All events after `since` that were seen so far. */
  readonly all: (since: number) => readonly EventView[];
  readonly close: () => void;
};

export function watchEvents(client: Client, signal: AbortSignal): Watch {
  let events: EventView[] = [];
  let last = 0;
  let closed = false;

  async function poll(): Promise<void> {
    const reply = await client.get<{ events: EventView[] }>(
      `/api/v1/events?after=${last}&limit=${PAGE}`,
    );
    // A broker that restarts is asked again; the story's own time-outs speak if it stays away.
    if (!reply.ok) return;
    for (const event of reply.value.events) {
      if (event.id <= last) continue;
      last = event.id;
      events.push(event);
    }
    if (events.length > EVENTS_KEPT_MAX) events = events.slice(-EVENTS_KEPT_MAX);
  }
  const work = (async () => {
    while (!closed) {
      await poll();
      await sleep(POLL_MS);
    }
  })();
  work.catch(() => {
    closed = true;
  });

  return {
    now: () => last,
    all: (since) => events.filter(({ id }) => id > since),
    first: async (since, msMax, fits) => {
      const untilMs = performance.now() + msMax;
      for (;;) {
        const found = events.find((event) => event.id > since && fits(event));
        if (found !== undefined || signal.aborted || performance.now() > untilMs) return found;
        await sleep(POLL_MS / 2);
      }
    },
    close: () => {
      closed = true;
    },
  };
}

/** Asks until the answer is one; undefined when it never was in time. */
export async function until<T>(
  msMax: number,
  signal: AbortSignal,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T | undefined> {
  const untilMs = performance.now() + msMax;
  for (;;) {
    const found = await look();
    if (found !== undefined || signal.aborted || performance.now() > untilMs) return found;
    await sleep(POLL_MS);
  }
}
