import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { EventRow } from '../../broker/fleet/events.ts';
import { createLive } from '../../broker/http/live.ts';
import { quiet } from './fleet-rig.ts';

/** Rows in memory, each of a thousand characters. */
function openLive(count: number) {
  const rows: EventRow[] = [];
  const add = (more: number): void => {
    for (let i = 0; i < more; i += 1) {
      const place = {
        id: rows.length + 1,
        terminal: 'lane-1',
        store: 's',
        kind: 'k',
        component: '',
      };
      rows.push({ ...place, timeMs: 1, receivedMs: 1, fields: { text: 'x'.repeat(1_000) } });
    }
  };
  add(count);
  let tell = () => {};
  const live = createLive({
    fleet: {
      eventEdges: () => ({ oldest: 1, newest: rows.length }),
      eventPage: ({ afterId = 0, limit }) => {
        const events = rows.slice(afterId, afterId + limit);
        return { events, next: events.at(-1)?.id ?? afterId, more: events.length === limit };
      },
      onEvents: (listener) => {
        tell = listener;
        return () => {};
      },
    },
    timers: { every: () => () => {} },
    metrics: { liveDropped: () => {} },
    log: quiet,
  });
  const open = (after?: number) => {
    const opened = live.open({}, after);
    if (!opened.ok) throw new Error(opened.reason);
    return opened.stream;
  };
  const happen = (more: number): void => {
    add(more);
    tell();
  };
  return { open, happen };
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 50; i += 1) await turn();
};

it.each([
  ['old', 2_000, 0, 0],
  ['new', 0, undefined, 250],
] as const)(
  'a client that takes nothing is held one queue of %s events',
  async (_what, had, after, more) => {
    const { open, happen } = openLive(had);
    const stream = open(after);
    stream.read(0);
    await settle();
    if (more > 0) happen(more);
    await settle();
    expect(stream.readableLength).toBeGreaterThan(64 * 1024 - 1);
    expect(stream.readableLength).toBeLessThan(66 * 1024);
  },
);

it('it goes on where it was, old and new without a seam, once it takes again', async () => {
  const { open, happen } = openLive(300);
  const stream = open(0);
  let text = '';
  for (let i = 0; i < 400; i += 1) {
    if (i % 4 === 0 && i < 200) happen(7);
    text += stream.read()?.toString() ?? '';
    await turn();
  }
  const ids = [...text.matchAll(/^id: (\d+)\ndata/gm)].map(([, id]) => Number(id));
  expect(ids).toEqual(Array.from({ length: 300 + 50 * 7 }, (_, i) => i + 1));
});
