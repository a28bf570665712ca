// A configuration of the fleet from its first plan to the last till, as operators and tills see it over the API.

import { describe, expect, it } from 'vitest';
import { begin, terminals, text } from './configurations-rig.ts';

const BERLIN = { selector: { store: 'berlin' } };
const ALL = { selector: { all: true } };

describe('a version', () => {
  it('is shown with its difference, goes in waves, and is released when it is done', async () => {
    const { plan, start, finish, show, till, get } = await begin();
    const planned = await plan('base', { text: text(), ...BERLIN });
    expect(planned).toMatchObject({ status: 201, count: 3, stores: 1, against: null });
    expect(planned.difference).toContain('--- nothing\n+++ base new\n@@ -0,0 +1,3 @@\n+mode: act');
    expect(till('berlin-1').seen).toEqual([]);
    const started = await start(planned);
    expect(started).toMatchObject({ status: 202, state: 'rolling', version: 1 });
    // Half of a store at most, and the first wave is one.
    expect(finish()).toEqual([1, 1, 1]);
    expect(await show('base')).toMatchObject({
      released: { version: 1, state: 'released', by: 'api-token' },
      scope: 'store berlin',
      counts: { meant: 3, running: 3, behind: 0 },
    });
    expect(till('berlin-2').text).toBe(text());
    expect(till('hamm-1').seen).toEqual([]);
    const view = (await get('/api/v1/terminals/berlin-1')).json();
    expect(view.configuration).toMatchObject({ name: 'base', version: 1, behind: false });
  });

  it('counts from there: the next one is shown against what is released', async () => {
    const { apply, plan, get } = await begin();
    await apply('base', { text: text(), ...BERLIN });
    const next = await plan('base', { text: text('sampling: { everyMs: 5000 }\n') });
    expect(next).toMatchObject({
      against: 1,
      count: 3,
      version: { version: 2, scope: 'store berlin' },
    });
    expect(next.difference).toContain('+sampling: { everyMs: 5000 }');
    expect(next.difference).not.toContain('+mode');
    const kept = await get('/api/v1/configurations/base/versions/1');
    expect(kept.json()).toMatchObject({ text: text(), state: 'released' });
    const again = await plan('base', { text: text() });
    expect(again).toMatchObject({ status: 409, detail: expect.stringContaining('already') });
  });

  it('stops on the first wave that cannot run it; nothing else is touched, and it is gone back from', async () => {
    const { apply, plan, start, finish, show, till, rollback, tills } = await begin();
    await apply('base', { text: text(), ...ALL });
    for (const one of tills.values()) one.works = false;
    const bad = await plan('base', { text: text('logs: { uplinkShare: 0.5 }\n') });
    expect(bad.confirm).toBe('apply 6');
    await start(bad);
    const waves = finish();
    // Three failures of one, two, ... stop it: design.md, bulk actions.
    expect(waves.reduce((sum, count) => sum + count)).toBeLessThan(6);
    const stopped = await show('base');
    expect(stopped).toMatchObject({
      released: { version: 1 },
      rolling: { version: 2, state: 'stopped', paused: true, why: /failed/ },
    } as never);
    const untouched = terminals.filter(({ id }) => till(id).seen.length === 1);
    expect(untouched.length).toBeGreaterThan(0);
    expect(stopped.counts).toMatchObject({ meant: 6, running: 6, behind: 0 });
    // What is released is what it was: nothing has to be sent to anybody.
    for (const one of tills.values()) one.works = true;
    const back = await rollback('base');
    expect(back).toMatchObject({ count: 0, version: { version: 3, restores: 1 } });
    expect(await start(back)).toMatchObject({ state: 'released', version: 3 });
    expect(await show('base')).toMatchObject({ released: { version: 3 }, latest: { version: 3 } });
    expect((await show('base')).rolling).toBeUndefined();
    expect(finish()).toEqual([]);
  });

  it('that some took before it stopped is ahead there, and a rollback brings those back', async () => {
    const { apply, plan, start, finish, show, till, rollback, get } = await begin();
    await apply('base', { text: text(), ...ALL });
    const next = await plan('base', { text: text('logs: {}\n') });
    for (const { id } of terminals.slice(1)) till(id).works = false;
    await start(next);
    finish();
    const stopped = await show('base');
    expect(stopped.counts.ahead).toBe(1);
    const ahead = terminals.find(({ id }) => till(id).text.includes('logs'))?.id ?? '';
    const { configuration } = (await get(`/api/v1/terminals/${ahead}`)).json();
    expect(configuration).toMatchObject({ version: 2, target: { version: 1 }, behind: false });
    for (const { id } of terminals) till(id).works = true;
    const back = await rollback('base');
    expect(back.count).toBe(1);
    expect(await start(back)).toMatchObject({ state: 'rolling' });
    expect(finish()).toEqual([1]);
    expect(till(ahead).text).toBe(text());
    expect(await show('base')).toMatchObject({ counts: { running: 6, ahead: 0 } });
  });

  it('goes back over released ones by number, or to the one before', async () => {
    const { apply, rollback, start, finish, till } = await begin();
    await apply('base', { text: text(), ...BERLIN });
    await apply('base', { text: text('logs: {}\n') });
    const back = await rollback('base');
    expect(back).toMatchObject({ version: { version: 3, restores: 1 }, count: 3 });
    expect(back.difference).toContain('-logs: {}');
    await start(back);
    finish();
    expect(till('berlin-3').text).toBe(text());
    expect(await rollback('base', { to: 9 })).toMatchObject({ status: 409 });
    expect(await rollback('none')).toMatchObject({ status: 404 });
  });
});

describe('what is refused', () => {
  it('is a text that a till would refuse, with all its problems', async () => {
    const { plan } = await begin();
    const wrong = await plan('base', { text: 'terminal: x\ndrills: true\ncolour: red\n', ...ALL });
    expect(wrong.status).toBe(422);
    expect(wrong.detail).toMatch(/terminal: stands in .*; drills: must be false.*; colour: is not/);
    const pattern = `components:\n  - { name: sale, command: [x], probes: [{ kind: log, failOn: '(' }] }\n`;
    expect(await plan('base', { text: pattern, ...ALL })).toMatchObject({
      ...{ status: 422, detail: expect.stringContaining('probes[0].failOn: is not a pattern') },
    });
  });

  it('is a text that does not travel in one command', async () => {
    const { plan } = await begin();
    const noise = Array.from({ length: 3_000 }, (_, at) => `# ${Math.sin(at)}`).join('\n');
    expect(await plan('base', { text: `mode: act\n${noise}\n`, ...ALL })).toMatchObject({
      status: 422,
      detail: expect.stringMatching(/too large: packed it has \d+ characters, at most 12000/),
    });
  });

  it('is a second document of the same rank for one till, naming both', async () => {
    const { apply, plan, labels } = await begin();
    await apply('base', { text: text(), ...BERLIN });
    expect(await plan('other', { text: text(), ...BERLIN })).toMatchObject({
      status: 409,
      detail: expect.stringContaining('"other" and "base" would both be for store berlin'),
    });
    labels.set('hamm-1', ['self', 'ring']);
    await apply('self', { text: text(), selector: { label: 'self' } });
    expect(await plan('ring', { text: text(), selector: { label: 'ring' } })).toMatchObject({
      ...{ status: 409, detail: expect.stringContaining('for hamm-1') },
    });
  });

  it('is nobody: a name that nothing has, a selector that says nothing or too much', async () => {
    const { plan } = await begin();
    const of = async (selector: object) => (await plan('base', { text: text(), selector })).detail;
    expect(await of({ store: 'berlim' })).toContain('nothing in this fleet has the store berlim');
    expect(await of({ terminals: ['berlin-9'] })).toContain('not in this fleet: berlin-9');
    expect(await of({})).toContain('say which');
    expect(await of({ all: true, store: 'hamm' })).toContain('say one of them');
  });

  it('is whoever is no admin, and who gives no reason', async () => {
    const { plan, as } = await begin();
    const body = { text: text(), ...ALL };
    expect(await plan('base', body, as('oncall'))).toMatchObject({ status: 403 });
    expect(await plan('base', { ...body, reason: '' })).toMatchObject({ status: 422 });
  });

  it('is another way to the same: a bulk action or a command of that kind', async () => {
    const { post } = await begin();
    const args = { name: 'base', version: 1, sha256: 'a'.repeat(64), packed: 'AAAA' };
    const said = { kind: 'apply', arguments: args, reason: 'T-100' };
    expect((await post('/api/v1/bulk', { ...said, selector: { all: true } })).json()).toMatchObject(
      {
        ...{ status: 422, detail: expect.stringContaining('planned where its content is kept') },
      },
    );
    expect((await post('/api/v1/terminals/berlin-1/commands', said)).statusCode).toBe(422);
  });
});

describe('two operators at once', () => {
  it('do not overwrite each other: what was shown against an older version is not started', async () => {
    const { apply, plan, start, finish, show } = await begin();
    await apply('base', { text: text(), ...BERLIN });
    const one = await plan('base', { text: text('logs: {}\n') });
    const other = await plan('base', { text: text('disk: {}\n') });
    expect((await start(other)).status).toBe(202);
    expect(await start(one)).toMatchObject({
      status: 409,
      detail: expect.stringMatching(/version 3 of base is rolling: wait/),
    });
    finish();
    expect(await start(one)).toMatchObject({
      status: 409,
      detail: 'version 3 of base was released since this was shown: look at the difference again',
    });
    expect(await show('base')).toMatchObject({ released: { version: 3 } });
  });

  it('and two names of one rank, planned beside each other, do not both begin', async () => {
    const { plan, start } = await begin();
    const one = await plan('one', { text: text(), ...BERLIN });
    const two = await plan('two', { text: text(), ...BERLIN });
    expect((await start(one)).status).toBe(202);
    const refused = await start(two);
    expect(refused).toMatchObject({
      status: 409,
      detail: expect.stringContaining('"two" and "one"'),
    });
  });

  it('start what was counted, not what is there now', async () => {
    const { plan, start } = await begin();
    const planned = await plan('base', { text: text(), ...BERLIN });
    expect(await start(planned, { count: 2 })).toMatchObject({ status: 422 });
    expect(await start(planned, { reason: '' })).toMatchObject({ status: 422 });
  });
});

describe('what is written down', () => {
  it('names the version and its digest, never the text as it travels', async () => {
    const { apply, fleet, get } = await begin();
    await apply('base', { text: text(), ...BERLIN });
    const rows = fleet.database.db.prepare('SELECT action, detail FROM audit').all();
    const actions = rows.map(({ action }) => String(action));
    expect(actions).toEqual(
      expect.arrayContaining(['config.plan', 'config.start', 'config.released', 'bulk.start']),
    );
    expect(JSON.stringify(rows)).not.toContain('packed');
    const [bulk] = (await get('/api/v1/bulk')).json().bulks;
    expect(bulk.arguments).toMatchObject({ name: 'base', version: 1 });
    expect(JSON.stringify(bulk)).not.toContain('packed');
    const kept = fleet.database.db.prepare('SELECT model FROM commands').all();
    expect(JSON.stringify(kept)).not.toContain('packed');
  });
});
