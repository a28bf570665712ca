// Events on the screen: which are asked for, in what order they stand, and in what words.

import { describe, expect, it } from 'vitest';
import type { Client, EventView } from '../../cli/client.ts';
import type { Context } from '../../cli/context.ts';
import { createEventLines, eventWords } from '../../cli/event-lines.ts';
import { type LiveItem, parseMessage } from '../../cli/live.ts';
import { plainStyle } from '../../cli/screen.ts';
import { type EventsOptions, runEvents } from '../../cli/verbs/events.ts';
import { localDay } from '../../cli/when.ts';

const NOON = new Date(2026, 10, 23, 12, 0, 0).getTime();
const event = (id: number, more: Partial<EventView> = {}): EventView => ({
  id,
  terminal: 'bm-lane-1',
  store: 'berlin-mitte',
  timeMs: NOON + id * 1_000,
  receivedMs: NOON,
  kind: 'incident_opened',
  component: 'sale',
  fields: { cause: 'hang', reason: 'no beat for 2.0 s' },
  ...more,
});

/** A broker with these events, newest last, that answers pages as the real one promises to. */
function fakeBroker(events: readonly EventView[], json = false) {
  const asked: string[] = [];
  const lines: string[] = [];
  const notes: string[] = [];
  const get = (path: string) => {
    asked.push(path);
    const url = new URL(path, 'http://broker');
    if (url.pathname.endsWith('/bm-lane-9')) {
      return Promise.resolve({ ok: false, exit: 1, sentence: 'no such terminal', status: 404 });
    }
    if (url.pathname.includes('/terminals')) {
      return Promise.resolve({ ok: true, value: { terminals: [{ id: 'bm-lane-1' }] } });
    }
    const kind = url.searchParams.get('kind');
    const after = Number(url.searchParams.get('after') ?? Number.POSITIVE_INFINITY);
    const limit = Number(url.searchParams.get('limit'));
    const fits = events.filter((e) => e.id < after && (kind === null || e.kind === kind)).reverse();
    const page = fits.slice(0, limit);
    const next = page.at(-1)?.id ?? 0;
    return Promise.resolve({ ok: true, value: { events: page, next, more: fits.length > limit } });
  };
  const context = {
    print: (line: string) => lines.push(line),
    style: plainStyle,
    client: { get } as unknown as Client,
    nowMs: () => NOON + 60_000,
    sleep: () => Promise.resolve(),
    json,
  } as Context;
  const live: { query: string; after: number }[] = [];
  const run = (options: Partial<EventsOptions> = {}, items: readonly LiveItem[] = []) =>
    runEvents(context, {
      limit: '50',
      follow: false,
      note: (text) => notes.push(text),
      live: async function* (query, after) {
        live.push({ query: String(query), after });
        for (const item of items) yield await Promise.resolve(item);
      },
      ...options,
    });
  return { run, asked, lines, notes, live };
}

describe('a list of events', () => {
  it('stands oldest first and says when older ones are left out', async () => {
    const { run, lines, notes } = fakeBroker([1, 2, 3].map((id) => event(id)));
    expect(await run({ limit: '2' })).toEqual({ exit: 0 });
    expect(lines.map((line) => line.slice(0, 8))).toEqual(['12:00:02', '12:00:03']);
    expect(notes).toEqual(['these are the newest 2; older ones with --limit']);
    notes.length = 0;
    await run({ limit: '3' });
    expect(notes).toEqual([]);
  });

  it('does not say in each line what was asked for, so that the reason has room', async () => {
    const { run, lines } = fakeBroker([event(1)]);
    await run();
    await run({ terminal: 'bm-lane-1' });
    await run({ terminal: 'bm-lane-1', component: 'sale' });
    expect(lines).toEqual([
      '12:00:01  bm-lane-1  sale  incident_opened  hang: no beat for 2.0 s',
      '12:00:01  sale  incident_opened  hang: no beat for 2.0 s',
      '12:00:01  incident_opened  hang: no beat for 2.0 s',
    ]);
  });

  it('is read page by page when one does not hold it', async () => {
    const many = Array.from({ length: 2_500 }, (_, at) => event(at + 1));
    const { run, lines, asked } = fakeBroker(many);
    await run({ limit: '2400' });
    expect(lines.length).toBe(2_400);
    expect(asked.map((path) => new URL(path, 'http://x').searchParams.get('limit'))).toEqual([
      '1000',
      '1000',
      '401',
    ]);
  });

  it('hands the filters on, times as milliseconds', async () => {
    const { run, asked } = fakeBroker([event(1)]);
    await run({ terminal: 'bm-lane-1', kind: 'incident_opened', component: 'sale', since: '10m' });
    const query = new URL(asked[0] ?? '', 'http://x').searchParams;
    expect(Object.fromEntries(query)).toEqual({
      terminal: 'bm-lane-1',
      component: 'sale',
      kind: 'incident_opened',
      since: String(NOON + 60_000 - 600_000),
      order: 'desc',
      limit: '51',
    });
  });

  it.each([
    [{ limit: '0' }, '--limit: a whole number from 1 to 10000'],
    [{ limit: 'many' }, '--limit: a whole number from 1 to 10000'],
    [{ since: 'yesterday' }, '--since "yesterday" is no time'],
    [{ terminal: 'Lane 1' }, '"Lane 1" is not a terminal id'],
  ])('is not asked for with %j', async (options, sentence) => {
    const { run, asked } = fakeBroker([]);
    const outcome = await run(options);
    expect(outcome.exit).toBe(64);
    expect(outcome.sentence).toContain(sentence);
    expect(asked).toEqual([]);
  });

  it('that is empty names the nearest kind or terminal', async () => {
    const { run, notes, lines } = fakeBroker([event(1)]);
    await run({ kind: 'incident_open' });
    expect(notes).toEqual([
      'no event is of the kind "incident_open"; did you mean incident_opened?',
    ]);
    const none = fakeBroker([]);
    expect(await none.run({ terminal: 'bm-lane-9' })).toEqual({
      exit: 1,
      sentence: 'no such terminal; did you mean bm-lane-1?',
    });
    expect(lines).toEqual([]);
  });
});

describe('following', () => {
  it('begins behind the newest event there is, also when the list shows others', async () => {
    const broker = fakeBroker([event(1), event(2), event(9, { kind: 'gap' })]);
    const items: LiveItem[] = [
      { kind: 'event', event: event(10) },
      { kind: 'broken' },
      { kind: 'back' },
      { kind: 'event', event: event(11, { component: 'sync' }) },
      { kind: 'event', event: event(12) },
      { kind: 'refused', exit: 77, sentence: 'no' },
    ];
    const asked = { kind: 'incident_opened', component: 'sale', since: '1d', follow: true };
    const outcome = await broker.run(asked, items);
    expect(broker.live).toEqual([{ query: 'kind=incident_opened', after: 9 }]);
    expect(broker.lines.map((line) => line.slice(6, 8))).toEqual(['01', '02', '10', '12']);
    expect(broker.notes).toEqual([
      'the broker does not answer; waiting for it',
      'the broker is back',
    ]);
    expect(outcome).toEqual({ exit: 77, sentence: 'no' });
  });

  it('prints one JSON object a line with --json', async () => {
    const broker = fakeBroker([event(1)], true);
    await broker.run({ follow: true }, [{ kind: 'event', event: event(2) }]);
    expect(broker.lines.map((line) => JSON.parse(line).id)).toEqual([1, 2]);
  });
});

describe('an event in words', () => {
  it.each([
    [
      'component_state',
      { from: 'ready', to: 'suspect', reason: 'no beat' },
      'ready to suspect: no beat',
    ],
    ['incident_recovered', { cause: 'hang', readyMs: 2_705 }, 'hang: ready again after 2.71 s'],
    [
      'agent_started',
      { version: '0.1.0', node: 'v24.21.0', adopted: ['sale'] },
      'agent 0.1.0, Node 24.21.0, took over 1',
    ],
    [
      'inventory',
      { agent: '0.1.0', components: [{ name: 'sale', version: '2' }] },
      'agent 0.1.0, sale 2',
    ],
    ['gap', { reason: 'the disk was full' }, 'data lost: the disk was full'],
    ['newer_kind', { paper: 'end', more: { a: 1 } }, 'paper=end more={"a":1}'],
    ['incident_opened', {}, ''],
    ['toString', {}, ''],
  ])('of the kind %s', (kind, fields, words) => {
    expect(eventWords({ kind, fields })).toBe(words);
  });

  it('fits the width, cannot drive the terminal, and has a day when it is not today', () => {
    const wild = event(1, {
      terminal: 't'.repeat(32),
      component: 'c'.repeat(32),
      kind: 'k'.repeat(40),
      fields: { reason: '\u001b[2Jx'.repeat(60) },
    });
    const line = createEventLines(plainStyle, localDay(NOON), [wild])(wild);
    expect(line.length).toBeLessThanOrEqual(plainStyle.columns);
    expect(line).toMatch(/ {2}t+…t+ {2}c+…c+ {2}k+…k+ /);
    expect(line).not.toContain('\u001b');
    const other = createEventLines(plainStyle, '2026-11-24', [event(1)])(event(1));
    expect(other).toMatch(
      /^2026-11-23 12:00:01 {2}bm-lane-1 {2}sale {2}incident_opened {2}hang: no/,
    );
  });

  it('stands in columns that only grow', () => {
    const lines = createEventLines(plainStyle, localDay(NOON), [event(1)]);
    const wide = event(2, { terminal: 'bm-lane-100' });
    const at = [event(1), wide, event(3)].map((one) => lines(one).indexOf('incident_opened'));
    expect(at).toEqual([27, 29, 29]);
  });
});

describe('a message of the stream', () => {
  it('is read by its fields; comments and unknown lines are nothing', () => {
    expect(parseMessage('id: 7\ndata: {"a":\ndata: 1}')).toEqual({ id: '7', data: '{"a":\n1}' });
    expect(parseMessage(': still here\nid: 8')).toEqual({ id: '8' });
    expect(parseMessage('event: gap\ndata:{}')).toEqual({ event: 'gap', data: '{}' });
    expect(parseMessage('???')).toEqual({});
  });
});
