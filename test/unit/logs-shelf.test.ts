// How many requests for logs are kept and may wait: whoever is away for a week must not keep the others from being asked.

import { describe, expect, it } from 'vitest';
import { openLogs } from '../../broker/logs/logs.ts';
import { folder, quiet } from './fleet-rig.ts';
import { open } from './http-rig.ts';
import { chunkOf, endOf, lineOf, wire } from './logs-wire.ts';

const DAY_MS = 86_400_000;
const STORES = ['berlin', 'bonn', 'cologne', 'dresden'];
const LANES = Array.from({ length: 52 }, (_, n) => n);
const actor = { name: 'jo', role: 'oncall' } as const;

async function shelf(keptMax = 200) {
  const terminals = STORES.flatMap((store) => LANES.map((n) => ({ id: `${store}-${n}`, store })));
  const api = await open({ terminals });
  const { fleet, commands, audit, time, metrics } = api;
  // Days without everything that ticks in them.
  let aheadMs = 0;
  const pass = (ms: number): void => {
    aheadMs += ms;
    time.pass(2_000);
  };
  const logs = openLogs({
    ...{ folder: folder(), fleet, commands, audit, metrics, log: quiet, keptMax },
    clock: { wallMs: () => time.clock.wallMs() + aheadMs },
  });
  const whole = { actor, sinceMs: 1, untilMs: 2 };
  const ask = (terminal: string) => {
    const asked = logs.create({ ...whole, terminal, reason: 'receipts are missing' });
    return asked.ok ? 'asked' : `${asked.kind}: ${asked.reason}`;
  };
  let count = 0;
  const incident = (terminal: string) => {
    count += 1;
    const wish = { terminal, incident: `i-${count}`, reason: 'incident: crash', expiresMs: 1_000 };
    const asked = logs.createForIncident({ ...whole, ...wish });
    return asked.ok ? asked.view.id : `${asked.kind}: ${asked.reason}`;
  };
  const connect = (id: string): void => fleet.sessionOpened(id, { address: '', openedMs: 0 });
  return { ...api, logs, ask, incident, connect, pass };
}

describe('requests that were not answered', () => {
  it('are twenty of one terminal, there or away, and then it says so', async () => {
    const { ask, connect } = await shelf();
    connect('bonn-1');
    for (const id of ['berlin-1', 'bonn-1']) {
      for (let n = 0; n < 20; n += 1) expect(ask(id)).toBe('asked');
      expect(ask(id)).toBe(
        `too_many: ${id} has not answered 20 requests for logs yet: wait, or cancel some of them`,
      );
    }
    expect(ask('berlin-2')).toBe('asked');
  });

  it('of a store that is away do not keep other stores from being asked', async () => {
    const { ask, connect } = await shelf();
    for (let n = 0; n < 50; n += 1) expect(ask(`berlin-${n}`)).toBe('asked');
    expect(ask('berlin-50')).toBe(
      'too_many: 50 requests for logs wait for terminals of the store berlin that are away: ' +
        'wait, or cancel some of them',
    );
    connect('berlin-51');
    for (const id of ['berlin-51', 'bonn-0']) expect(ask(id)).toBe('asked');
  });

  it('of everybody who is away leave room for those who are there', async () => {
    const { ask, connect } = await shelf();
    for (const store of STORES.slice(0, 3)) {
      for (let n = 0; n < 50; n += 1) expect(ask(`${store}-${n}`)).toBe('asked');
    }
    expect(ask('dresden-0')).toBe(
      'too_many: 150 requests for logs wait for terminals that are away: wait, or cancel some',
    );
    connect('dresden-1');
    connect('berlin-1');
    for (const id of ['dresden-1', 'berlin-1']) expect(ask(id)).toBe('asked');
  });
});

it('lines of an incident stay for a day, and only older ones make room', async () => {
  const { incident, logs, pass } = await shelf(5);
  const first = Array.from({ length: 5 }, () => incident('berlin-1'));
  pass(DAY_MS - 60_000);
  expect(logs.get(first[0] ?? '')?.state).toBe('expired');
  expect(incident('bonn-1')).toBe(
    'too_many: lines of 5 incidents are kept, none of which is older than a day',
  );
  pass(120_000);
  const newer = incident('bonn-1');
  expect(logs.list({ what: 'incident' }).map(({ id }) => id)).toEqual([
    newer,
    ...first.slice(1).reverse(),
  ]);
});

describe('an answer whose lines are deleted', () => {
  it('is told of, so that nobody forwards them', async () => {
    const { ask, logs, give, time, fleet } = await wire();
    const id = await ask();
    const line = lineOf('paid');
    give(chunkOf(id, 0, line));
    give(endOf(id, line));
    const told: string[] = [];
    logs.onChange((changed) => told.push(`${changed} ${logs.get(changed)?.state}`));
    time.pass(1_000);
    expect(fleet.database.transact(() => logs.expire(time.clock.wallMs(), 1e9))).toEqual({
      ok: true,
      value: 1,
    });
    expect(told).toEqual([`${id} expired`]);
  });

  it('is told of when it made room for another one', async () => {
    const { incident, logs, pass } = await shelf(1);
    const told: string[] = [];
    logs.onChange((id) => told.push(id));
    const first = incident('berlin-1');
    pass(2 * DAY_MS);
    incident('berlin-1');
    expect(told).toEqual([first]);
  });
});
