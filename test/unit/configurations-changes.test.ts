// A fleet that does not stand still while its configuration changes: tills that move, are labelled, come back with a
// version that was given up, have an agent that knows no configurations; and a document that goes.

import { describe, expect, it } from 'vitest';
import { begin, terminals, text } from './configurations-rig.ts';
import { happened, START_MS } from './fleet-rig.ts';

const ALL = { selector: { all: true } };
type Rig = Awaited<ReturnType<typeof begin>>;

function settle(rig: Rig, rounds = 10): void {
  for (let round = 0; round < rounds; round += 1) {
    rig.time.pass(1_000);
    rig.turn();
  }
}

describe('a till that took a version which was stopped', () => {
  it('is brought back when it comes after everybody else went back', async () => {
    const rig = await begin();
    const { apply, plan, start, finish, rollback, till, come, show } = rig;
    await apply('base', { text: text(), ...ALL });
    const next = await plan('base', { text: text('logs: {}\n') });
    for (const { id } of terminals.slice(1)) till(id).works = false;
    await start(next);
    finish();
    const ahead = terminals.find(({ id }) => till(id).text.includes('logs'))?.id ?? '';
    rig.fleet.sessionClosed(ahead, 'gone');
    for (const { id } of terminals) till(id).works = true;
    expect(await start(await rollback('base'))).toMatchObject({ state: 'released', version: 3 });
    expect((await show('base')).counts).toMatchObject({ running: 5, ahead: 0, behind: 1 });
    come(ahead);
    settle(rig);
    expect(till(ahead).text).toBe(text());
    expect((await show('base')).counts).toMatchObject({ running: 6, behind: 0 });
  });
});

describe('a rollout', () => {
  it('stops when nobody of its first wave could run it, and touches no other till', async () => {
    const { apply, plan, start, finish, tills, show } = await begin();
    await apply('base', { text: text(), ...ALL });
    for (const till of tills.values()) till.works = false;
    await start(await plan('base', { text: text('logs: {}\n') }));
    expect(finish()).toEqual([1]);
    expect(await show('base')).toMatchObject({ rolling: { version: 2, paused: true } });
  });

  it('leaves out a till that was moved away before its turn', async () => {
    const { plan, start, turn, finish, fleet, till, show } = await begin();
    await start(await plan('base', { text: text(), selector: { store: 'berlin' } }));
    turn();
    fleet.planner.plan('berlin-3', 'hamm');
    finish();
    expect(till('berlin-3').seen).toEqual([]);
    expect(await show('base')).toMatchObject({ released: { counts: { skipped: 1 } } });
  });

  it('leaves out a till that another document of its rank is meant for since', async () => {
    const rig = await begin();
    const { apply, plan, start, turn, finish, labels, till, get } = rig;
    labels.set('hamm-1', ['self']);
    for (const lane of [1, 2, 3]) labels.set(`berlin-${lane}`, ['ring']);
    await apply('self', { text: text('disk: {}\n'), selector: { label: 'self' } });
    await start(await plan('ring', { text: text(), selector: { label: 'ring' } }));
    turn();
    labels.set('berlin-3', ['ring', 'self']);
    finish();
    settle(rig);
    expect(till('berlin-3').seen).toEqual([]);
    const { configuration } = (await get('/api/v1/terminals/berlin-3')).json();
    expect(configuration).toMatchObject({
      behind: true,
      refused: expect.stringContaining('ring and self are both'),
    });
    const { notices } = (await get('/api/v1/notices')).json();
    expect(JSON.stringify(notices)).toContain('ring and self are both meant');
  });

  it('of a version that nobody was there for is looked at again when somebody has come', async () => {
    const { fleet, plan, start, come } = await begin();
    for (const { id } of terminals) fleet.sessionClosed(id, 'gone');
    const planned = await plan('base', { text: text(), ...ALL });
    expect(planned.count).toBe(0);
    come('berlin-1');
    expect(await start(planned)).toMatchObject({
      status: 409,
      detail: expect.stringContaining('look at it again'),
    });
  });
});

describe('an agent that knows no configurations', () => {
  it('is left out with that sentence, and gets it when it is upgraded', async () => {
    const rig = await begin();
    const { apply, plan, till, get } = rig;
    const report = (at: number, more: object): void => {
      const fields = { agent: '0', os: 'Linux', hostname: 'x', components: [], ...more };
      const event = { kind: 'inventory', component: '', fields };
      rig.terminals.events('berlin-1', happened(START_MS + at, event as never));
      rig.fleet.drain();
    };
    report(1_000, {});
    const planned = await plan('base', { text: text(), ...ALL });
    expect(planned).toMatchObject({ count: 5, leftOut: { count: 1 } });
    expect(planned.leftOut.first[0]).toMatchObject({
      terminal: 'berlin-1',
      reason: expect.stringContaining('agent'),
    });
    await apply('base', { text: text(), ...ALL });
    settle(rig);
    expect(till('berlin-1').seen).toEqual([]);
    const { configuration } = (await get('/api/v1/terminals/berlin-1')).json();
    expect(configuration).toMatchObject({
      behind: true,
      refused: expect.stringContaining('agent'),
    });
    report(2_000, { configuration: { state: 'own' } });
    settle(rig);
    expect(till('berlin-1').seen).toEqual([2]);
  });
});

describe('a rollback', () => {
  it('of a document for named tills goes on without one that was retired', async () => {
    const { apply, fleet, rollback } = await begin();
    const selector = { terminals: ['hamm-1', 'hamm-3'] };
    await apply('base', { text: text(), selector });
    await apply('base', { text: text('logs: {}\n') });
    fleet.planner.retire('hamm-3');
    expect(await rollback('base')).toMatchObject({ status: 201, count: 1 });
  });
});

describe('a document that is removed', () => {
  it('says which tills get another one by that', async () => {
    const rig = await begin();
    const { apply, post, till } = rig;
    await apply('base', { text: text(), ...ALL });
    await apply('hamm', { text: text('disk: {}\n'), selector: { store: 'hamm' } });
    const gone = await post('/api/v1/configurations/hamm/remove', { reason: 'T-102' });
    expect(gone.json()).toEqual({
      ...{ name: 'hamm', terminals: 3, instead: [{ name: 'base', terminals: 3 }] },
    });
    settle(rig, 20);
    expect(till('hamm-2').text).toBe(text());
  });
});

describe('what is held back', () => {
  it('is told to all operators', async () => {
    const rig = await begin();
    for (const { id } of terminals) rig.fleet.sessionClosed(id, 'gone');
    await rig.start(await rig.plan('base', { text: text(), ...ALL }));
    for (const { id } of terminals) rig.till(id).works = false;
    for (const { id } of terminals) rig.come(id);
    settle(rig, 60);
    const { notices } = (await rig.get('/api/v1/notices')).json();
    expect(JSON.stringify(notices)).toMatch(/version 1 of base .*could not run it/);
  });
});

describe('a version as it waits for tills', () => {
  it('is kept once beside its commands, and is whole when it is sent again', async () => {
    const { plan, start, turn, time, fleet, sent, till } = await begin();
    const { db } = fleet.database;
    await start(await plan('base', { text: text(), selector: { store: 'hamm' } }));
    time.pass(10_000);
    const open = db.prepare('SELECT model FROM commands WHERE open = 1').all();
    expect(open).toHaveLength(1);
    expect(JSON.stringify(open)).not.toContain('packed');
    expect(sent.length).toBeGreaterThan(1);
    turn();
    expect(till('hamm-1').text).toBe(text());
    const kept = db.prepare('SELECT command FROM command_contents').all();
    const still = db.prepare('SELECT id AS command FROM commands WHERE open = 1').all();
    expect(kept).toEqual(still);
  });
});
