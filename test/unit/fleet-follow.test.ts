import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type CommandResult, encodeResultBody } from '../../protocol/commands.ts';
import type { NewEvent } from '../../protocol/events.ts';
import { EPOCH, happened, rig, START_MS } from './fleet-rig.ts';

const ready = (component: string): NewEvent => ({
  kind: 'component_state',
  component,
  fields: { from: 'starting', to: 'ready', reason: 'ready', version: '1.0' },
});
const snapshot = (seconds: number) => ({
  timeMs: START_MS + seconds * 1_000,
  samples: [
    { name: 'pos_host_load1', labels: {}, value: 0.5 },
    { name: 'pos_component_up', labels: { component: 'sale' }, value: 1 },
  ],
});
const result = (commandId: string): CommandResult => ({
  commandId,
  state: 'accepted',
  reason: '',
  timeMs: START_MS,
  detail: {},
});
const COMMAND = '11111111-1111-4111-8111-111111111111';

describe('the follower', () => {
  it('applies what lies in the ledger at the start before the registry is ready', async () => {
    const { fleet, terminals, ledger, reopen } = rig();
    fleet.drain();
    for (let i = 0; i < 200; i += 1)
      terminals.events('lane-1', happened(START_MS + i, ready('sale')));
    const again = reopen();
    expect(again.unready()).toMatch(/still reads/);
    again.start();
    await expect.poll(() => again.unready()).toBeUndefined();
    expect(again.view('lane-1')?.events).toBe(200);
    expect(ledger.followed()).toBe(200);
    expect(again.behind()).toBe(0);
  });

  it('hears of new batches by itself', async () => {
    const { fleet, terminals, time } = rig();
    fleet.start();
    await setImmediate();
    terminals.events('lane-1', happened(START_MS, ready('sale')));
    time.pass(50);
    expect(fleet.view('lane-1')?.components[0]?.state).toBe('ready');
    expect(fleet.events({ limit: 10 })).toMatchObject([
      { id: 1, terminal: 'lane-1', store: 'berlin', kind: 'component_state', component: 'sale' },
    ]);
  });

  it('applies each row once and none never when it is killed between reading and commit', () => {
    const { fleet, terminals, metrics, reopen } = rig();
    terminals.events(
      'lane-1',
      happened(START_MS, ready('sale')),
      happened(START_MS, ready('sync')),
    );
    terminals.metrics('lane-1', snapshot(0), snapshot(15));
    terminals.results('lane-1', result(COMMAND));
    // The process ends in the middle of the transaction, after everything before it was written.
    fleet.onResults(() => {
      throw new Error('killed');
    });
    expect(() => fleet.drain()).toThrow('killed');
    expect(fleet.view('lane-1')).toMatchObject({ presence: 'never', events: 0, samples: 0 });

    const again = reopen();
    const heard: string[] = [];
    again.onResults((terminal, results) =>
      heard.push(terminal, ...results.map((r) => r.commandId)),
    );
    again.drain();
    again.drain();
    expect(again.view('lane-1')).toMatchObject({ events: 2, samples: 4 });
    expect(again.events({ limit: 10 })).toHaveLength(2);
    expect(heard).toEqual(['lane-1', COMMAND]);
    const third = reopen();
    third.drain();
    expect(third.view('lane-1')).toMatchObject({ events: 2, samples: 4 });
    return expect(
      metrics.registry.getSingleMetricAsString('tillwatch_ingest_events_total'),
    ).resolves.toMatch(/ 2$/m);
  });

  it('adds no event twice, also when a new ledger brings all of them again', async () => {
    const { fleet, terminals, ledger, reopen, metrics } = rig();
    terminals.events(
      'lane-1',
      happened(START_MS, ready('sale')),
      happened(START_MS, ready('sync')),
    );
    fleet.drain();
    Object.assign(ledger, { generation: new Uint8Array(16).fill(8) });
    const again = reopen();
    again.drain();
    expect(again.view('lane-1')?.events).toBe(2);
    expect(again.events({ limit: 10 })).toHaveLength(2);
    expect(await metrics.registry.getSingleMetricAsString('tillwatch_ingest_events_total')).toMatch(
      / 2$/m,
    );
  });

  it('goes on behind a ledger that was put back from a backup', () => {
    const { fleet, terminals, ledger, reopen } = rig();
    for (let i = 0; i < 5; i += 1) terminals.metrics('lane-1', snapshot(i * 15));
    fleet.drain();
    ledger.rows.length = 2;
    const again = reopen();
    terminals.metrics('lane-1', snapshot(90));
    again.drain();
    expect(again.view('lane-1')?.samples).toBe(12);
  });

  it('makes a dead letter of what cannot be read, with a reason, and goes on', async () => {
    const { fleet, terminals, ledger, metrics } = rig();
    const row = { terminal: 'lane-1', epoch: EPOCH, stream: 'events', seq: 99 } as const;
    ledger.add({ ...row, bytes: new Uint8Array([255, 255]) });
    terminals.put('lane-1', 'events', new Uint8Array([255, 1, 2]));
    terminals.put('lane-1', 'metrics', encodeResultBody([result(COMMAND)]));
    terminals.put('lane-1', 'results', encodeResultBody([{ ...result(COMMAND), commandId: 'x' }]));
    terminals.events('lane-1', happened(START_MS, ready('sale')));
    fleet.drain();
    expect(fleet.view('lane-1')).toMatchObject({ presence: 'online', events: 1, samples: 0 });
    const letters = fleet.database.db.prepare('SELECT class, reason FROM dead_letters').all();
    expect(letters.map((letter) => letter['class'])).toEqual([
      'envelope',
      'content',
      'content',
      'content',
    ]);
    expect(letters.every(({ reason }) => String(reason).length > 10)).toBe(true);
    const text = await metrics.registry.metrics();
    expect(text).toContain('dead_letters_total{stream="events",reason="envelope"} 1');
    expect(text).toContain('dead_letters_total{stream="results",reason="content"} 1');
  });

  it('stops at a full disk, says so, and goes on when there is room', async () => {
    const { fleet, terminals, time, ledger } = rig();
    const { db } = fleet.database;
    const pages = Number(db.prepare('PRAGMA page_count').get()?.['page_count']);
    db.exec(`PRAGMA max_page_count = ${pages}`);
    fleet.start();
    await setImmediate();
    // The first fits, the second does not: both must come again.
    terminals.metrics('lane-1', snapshot(0));
    const long = 'x'.repeat(9_000);
    terminals.events(
      'lane-1',
      happened(START_MS, {
        kind: 'agent_stopping',
        component: '',
        fields: { reason: long, left: [] },
      }),
    );
    time.pass(50);
    expect(fleet.unready()).toMatch(/could not be written.*full/);
    expect(fleet.view('lane-1')).toMatchObject({ samples: 0, events: 0, presence: 'never' });
    expect(ledger.followed()).toBe(0);
    db.exec('PRAGMA max_page_count = 1000000');
    time.pass(10_000);
    await setImmediate();
    expect(fleet.unready()).toBeUndefined();
    expect(fleet.view('lane-1')).toMatchObject({ samples: 2, events: 1 });
    expect(ledger.followed()).toBe(2);
  });

  it('keeps the newest events when there are more than wanted, and counts what went', async () => {
    const { fleet, terminals, metrics } = rig({ eventsMax: 100 });
    for (let i = 0; i < 250; i += 1)
      terminals.events('lane-1', happened(START_MS + i, ready('sale')));
    fleet.drain();
    const kept = fleet.events({ limit: 1_000 });
    expect([kept.length, kept[0]?.id, kept.at(-1)?.id]).toEqual([100, 151, 250]);
    expect(
      await metrics.registry.getSingleMetricAsString('tillwatch_registry_dropped_total'),
    ).toMatch(/events"} 150/);
  });
});

describe('the fleet', () => {
  it('always shows every planned terminal and remembers it over a restart', () => {
    const { fleet, terminals, reopen } = rig();
    expect(fleet.views().map(({ id, presence }) => `${id} ${presence}`)).toEqual([
      'lane-1 never',
      'lane-2 never',
    ]);
    terminals.events('lane-1', happened(START_MS, ready('sale')));
    fleet.drain();
    fleet.sessionOpened('lane-2', { address: '127.0.0.1', openedMs: START_MS });
    const again = reopen();
    expect(again.views()).toMatchObject([
      { id: 'lane-1', presence: 'online', connected: false, components: [{ name: 'sale' }] },
      { id: 'lane-2', presence: 'online', connected: false },
    ]);
  });

  it('knows strangers only when it may, and shows them under unassigned', () => {
    const strict = rig();
    strict.fleet.sessionOpened('stranger', { address: '', openedMs: 0 });
    expect([strict.fleet.isKnown('stranger'), strict.fleet.view('stranger')]).toEqual([
      false,
      undefined,
    ]);
    const open = rig({ acceptUnknown: true });
    expect([open.fleet.isKnown('stranger'), open.fleet.isKnown('../etc')]).toEqual([true, false]);
    expect(open.fleet.view('stranger')).toBeUndefined();
    open.fleet.sessionOpened('stranger', { address: '', openedMs: 0 });
    expect(open.fleet.view('stranger')).toMatchObject({ store: 'unassigned', connected: true });
  });

  it('finds events by terminal, kind and the last one seen', () => {
    const { fleet, terminals } = rig();
    const stopping: NewEvent = {
      kind: 'agent_stopping',
      component: '',
      fields: { reason: 'signal', left: [] },
    };
    terminals.events('lane-1', happened(START_MS, ready('sale')), happened(START_MS, stopping));
    terminals.events('lane-2', happened(START_MS, ready('sale')));
    fleet.drain();
    const ids = (query: Parameters<typeof fleet.events>[0]) =>
      fleet.events(query).map(({ id }) => id);
    expect(ids({ limit: 10 })).toEqual([1, 2, 3]);
    expect(ids({ limit: 1, afterId: 1 })).toEqual([2]);
    expect(ids({ terminal: 'lane-1', limit: 10 })).toEqual([1, 2]);
    expect(ids({ kind: 'component_state', limit: 10 })).toEqual([1, 3]);
    expect(ids({ terminal: 'lane-2', kind: 'component_state', limit: 10 })).toEqual([3]);
    expect(ids({ terminal: 'lane-2', kind: 'agent_stopping', limit: 10 })).toEqual([]);
  });

  it('is not ready while the ledger cannot take anything', () => {
    const back = rig();
    back.fleet.drain();
    expect(back.fleet.unready()).toBeUndefined();
    const failing = 'the ledger could not be written: disk full';
    Object.assign(back.ledger, { stats: () => ({ newestId: 0, failing }) });
    expect(back.fleet.unready()).toBe(failing);
  });

  it('refuses a file with a record that cannot be read, and says which file', () => {
    const { fleet, path, reopen } = rig();
    fleet.database.db.exec("INSERT INTO terminals VALUES ('lane-1', 's', 1, 'lost', 1, '{\"id')");
    expect(() => reopen()).toThrow(`the registry ${path} cannot be used: `);
  });

  it('refuses a file of a newer broker with a sentence', () => {
    const { fleet, reopen } = rig();
    fleet.database.db.exec('PRAGMA user_version = 99');
    expect(() => reopen()).toThrow(/schema is 99/);
  });
});
