// Bulk actions over HTTP on a registry of its own: frozen, shown, confirmed, and carried out wave by wave.

import { describe, expect, it } from 'vitest';
import { begin, HOLD } from './bulk-rig.ts';
import { happened, START_MS } from './fleet-rig.ts';

describe('a plan', () => {
  it('freezes the list, shows what it may stop, and does nothing', async () => {
    const { plan, get, asked, time, commands } = await begin();
    const view = await plan({ selector: { store: 'berlin' } });
    expect(view).toMatchObject({
      ...{ status: 201, state: 'planned', count: 4, stores: 1, wide: false, stopsSelling: true },
    });
    const list = (await get(`/api/v1/bulk/${view.id}/targets`)).json<{ targets: object[] }>();
    expect(list.targets).toHaveLength(4);
    time.pass(10_000);
    expect([asked(), commands.countOpen()]).toEqual([[], 0]);
    const wide = await plan({ selector: { all: true } });
    expect(wide).toMatchObject({ count: 12, stores: 3, wide: true, confirm: 'restart 12' });
    expect((await plan({ ...HOLD, selector: { all: true } })).wide).toBe(false);
  });

  it.each([
    ['nothing said', {}, /say which terminals/],
    [
      'a name that is none',
      { terminals: ['berlin-1', 'berlin-9'] },
      /not in this fleet: berlin-9$/,
    ],
    ['a version without a component', { version: '2.4' }, /COMPONENT:VERSION/],
    ['nobody left', { store: 'nowhere' }, /no terminal is left/],
    ['a label that nobody carries', { label: 'pilot' }, /no terminal is left/],
  ])('with %s is refused with a sentence', async (_what, selector, sentence) => {
    const { plan } = await begin();
    expect(await plan({ selector })).toMatchObject({
      ...{ status: 422, detail: expect.stringMatching(sentence) },
    });
  });

  it('is refused for what is for one terminal at a time, and for a role that is too low', async () => {
    const { plan, as } = await begin();
    const purge = { kind: 'purge_logs', arguments: { beforeMs: 1 }, selector: { all: true } };
    expect(await plan(purge)).toMatchObject({ status: 422, detail: /one terminal at a time/ });
    const reboot = { kind: 'reboot', arguments: {}, selector: { all: true } };
    expect(await plan(reboot, as('oncall'))).toMatchObject({ status: 403, detail: /role admin/ });
    expect(await plan({ selector: { all: true } }, as('viewer'))).toMatchObject({ status: 403 });
  });

  it('selects by version, state, presence and names, and leaves out who cannot', async () => {
    const {
      plan,
      terminals: till,
      fleet,
    } = await begin((id) => (id === 'hamm-1' ? 'suspended' : 'enrolled'));
    const fields = {
      agent: '0.1',
      os: '',
      hostname: '',
      components: [{ name: 'sale', version: '3' }],
    };
    till.events('hamm-2', happened(START_MS + 9, { kind: 'inventory', component: '', fields }));
    fleet.sessionClosed('hamm-3', 'lost');
    fleet.drain();
    expect((await plan({ selector: { version: 'sale:3' } })).count).toBe(1);
    expect((await plan({ selector: { presence: 'online' } })).count).toBeGreaterThan(0);
    const all = await plan({ selector: { store: 'hamm' } });
    expect(all).toMatchObject({
      count: 3,
      leftOut: { count: 1, first: [{ terminal: 'hamm-1', reason: 'it is suspended' }] },
    });
    const sync = { arguments: { component: 'sync' }, selector: { store: 'hamm' } };
    expect((await plan(sync)).leftOut.first).toContainEqual({
      ...{ terminal: 'hamm-2', reason: expect.stringContaining('has no component sync') },
    });
  });
});

describe('starting', () => {
  it('demands the count, a reason, and of a wide one the role admin and the words', async () => {
    const { plan, start, as, audit, asked } = await begin();
    const view = await plan({ selector: { all: true } }, as('oncall'));
    const refusals = [
      [await start(view, { count: 11 }), 422, /the list has 12 terminals, not 11/],
      [await start(view, { confirm: 'restart 11' }), 422, /write "restart 12"/],
      [await start(view, { confirm: undefined }), 422, /write "restart 12"/],
      [await start(view, { reason: '' }), 422, /reason/],
      [await start(view, {}, as('oncall')), 403, /needs the role admin, and oncall has the role/],
    ] as const;
    for (const [answer, status, detail] of refusals) {
      expect(answer).toMatchObject({ status, detail: expect.stringMatching(detail) });
    }
    expect(audit.list(1)[0]).toMatchObject({ outcome: 'refused 403', operator: 'oncall' });
    expect(asked()).toEqual([]);
    expect(await start(view)).toMatchObject({ status: 202, state: 'running' });
    expect(asked()).toHaveLength(1);
    expect(await start(view)).toMatchObject({ status: 409, detail: /it is running already/ });
  });

  it('carries it out in waves, one command each, every step in the audit log', async () => {
    const { plan, start, view, finish, commands, audit, metrics } = await begin();
    const made = await plan({ selector: { all: true } });
    await start(made);
    const waves = finish();
    expect(waves.slice(0, 3)).toEqual([1, 2, 4]);
    expect(waves.reduce((sum, count) => sum + count, 0)).toBe(12);
    expect(await view(made.id)).toMatchObject({ state: 'done', counts: { succeeded: 12 } });
    const all = commands.list({ bulk: made.id, limit: 100 });
    expect(new Set(all.map(({ terminal }) => terminal)).size).toBe(12);
    expect(all).toHaveLength(12);
    const steps = audit
      .list(100)
      .flatMap(({ action }) => (action.startsWith('bulk') ? [action] : []));
    expect(steps.reverse()).toEqual([
      ...['bulk.plan', 'bulk.start', ...waves.map(() => 'bulk.wave'), 'bulk.finish'],
    ]);
    expect(await metrics.registry.metrics()).toContain('bulk_targets_total{state="succeeded"} 12');
  });

  it('is stopped by failures, gone on with by a person, and taken back by an abort', async () => {
    const { plan, start, act, view, answerAll, asked, time, commands } = await begin();
    const { id } = await start(await plan({ selector: { all: true } }));
    answerAll('failed');
    answerAll('failed');
    expect(await view(id)).toMatchObject({ state: 'paused', why: /3 of 3 failed/ });
    time.pass(5_000);
    expect(asked()).toEqual([]);
    expect(await act(id, 'resume', { reason: 'seen' })).toMatchObject({ state: 'running' });
    expect(asked()).toHaveLength(1);
    expect(await act(id, 'pause', { reason: 'lunch' })).toMatchObject({ state: 'paused' });
    expect(await act(id, 'pause', { reason: 'lunch' })).toMatchObject({ status: 409 });
    expect(await act(id, 'abort', { reason: 'wrong list' })).toMatchObject({ state: 'aborted' });
    expect(commands.countOpen()).toBe(0);
    expect((await view(id)).counts).toMatchObject({ failed: 3, skipped: 9, waiting: 0 });
    time.pass(60_000);
    expect(asked()).toEqual([]);
    expect(await act('none', 'abort', { reason: 'wrong' })).toMatchObject({ status: 404 });
  });

  it('waits for who is away, and never sends to who is suspended meanwhile', async () => {
    let suspended = '';
    const { plan, start, view, finish, fleet, time, asked } = await begin((id) =>
      id === suspended ? 'suspended' : 'enrolled',
    );
    fleet.sessionClosed('berlin-4', 'lost');
    suspended = '';
    const { id } = await start(await plan({ selector: { store: 'berlin' }, lastsMs: 60_000 }));
    suspended = 'berlin-3';
    finish();
    time.pass(5_000);
    finish();
    expect((await view(id)).counts).toMatchObject({ succeeded: 2, waiting: 2 });
    fleet.sessionOpened('berlin-4', { address: '', openedMs: 0 });
    time.pass(2_000);
    expect(asked()).toEqual(['berlin-4']);
    finish();
    time.pass(60_000);
    expect(await view(id)).toMatchObject({ state: 'done', counts: { succeeded: 3, skipped: 1 } });
  });
});

describe('two at the same time', () => {
  it('take no more than half of a store together', async () => {
    const { plan, start, asked } = await begin();
    await start(await plan({ selector: { terminals: ['berlin-1', 'berlin-2', 'berlin-3'] } }));
    await start(await plan({ ...HOLD, selector: { store: 'berlin' } }));
    const more = await plan({ ...HOLD, selector: { terminals: ['berlin-4'] } });
    await start(more);
    expect(asked()).toHaveLength(2);
  });
});

describe('all operators', () => {
  it('are told when many tills may stop, and when it stops by itself', async () => {
    const { plan, start, get, answerAll, app, as } = await begin();
    const quietly = await start(await plan({ ...HOLD, selector: { all: true } }));
    expect(quietly.state).toBe('running');
    const before = (await get('/api/v1/fleet')).headers['tillwatch-notice'];
    expect(before).toBe('0');
    await start(await plan({ selector: { all: true } }), { operator: 'kim' });
    const { notices, newest } = (await get('/api/v1/notices')).json<{
      notices: { operator: string; text: string }[];
      newest: number;
    }>();
    expect([newest, notices]).toMatchObject([
      1,
      [{ operator: 'kim', text: 'kim started restart of sale on 12 terminals of 3 stores: go on' }],
    ]);
    expect((await get('/api/v1/fleet')).headers['tillwatch-notice']).toBe('1');
    for (let wave = 0; wave < 4; wave += 1) answerAll('failed');
    const later = await app.inject({ url: '/api/v1/notices?after=1', headers: as('viewer') });
    expect(later.json<{ notices: { text: string }[] }>().notices[0]?.text).toMatch(
      /stopped by itself: \d+ of \d+ failed/,
    );
  });
});
