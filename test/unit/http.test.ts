import { describe, expect, it } from 'vitest';
import { START_MS } from './fleet-rig.ts';
import { authorization, COMMANDS, inventory, open, restart, TOKEN } from './http-rig.ts';

describe('the API without the right token', () => {
  it.each([
    ['none', {}],
    ['another', { authorization: 'Bearer something-else' }],
    ['a longer one', { authorization: `${authorization}x` }],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
    ['an empty one', { authorization: 'Bearer ' }],
  ])('answers 401 to %s, also where there is nothing', async (_what, headers) => {
    const { get } = await open();
    for (const path of ['/api/v1/fleet', '/api/v1/nothing', '/api/v1/terminals/lane-1']) {
      const answer = await get(path, headers);
      expect([answer.statusCode, answer.headers['content-type']]).toEqual([
        401,
        'application/problem+json; charset=utf-8',
      ]);
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
      expect(answer.json()).toMatchObject({ type: 'about:blank', status: 401 });
      expect(answer.body).not.toContain(TOKEN);
    }
  });

  it('does nothing, and writes down who tried', async () => {
    const { post, audit, commands } = await open();
    const answer = await post(COMMANDS, restart, { authorization: 'Bearer wrong' });
    expect(answer.statusCode).toBe(401);
    expect(commands.countOpen()).toBe(0);
    expect(audit.list(10)).toMatchObject([{ subject: 'lane-1', outcome: 'refused 401' }]);
  });

  it.each(['/nothing', '/healthz', '/api/v1/nothing', COMMANDS])(
    'cannot put a name or a reason into the audit log: POST %s',
    async (path) => {
      const { post, audit } = await open();
      await post(path, { ...restart, operator: 'alice' }, { authorization: 'Bearer wrong' });
      expect(audit.list(10)).toMatchObject([{ operator: 'unknown', reason: '' }]);
      expect(audit.list(10)[0]?.action).not.toContain('restart');
    },
  );

  it('still shows health and metrics', async () => {
    const { get, fleet } = await open();
    fleet.drain();
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      expect((await get(path, {})).statusCode).toBe(200);
    }
  });
});

describe('what can be read', () => {
  it('is not ready before the registry has caught up', async () => {
    const { get, reopen, terminals } = await open();
    terminals.events('lane-1', inventory);
    expect((await get('/readyz')).statusCode).toBe(200);
    const again = reopen();
    expect(again.unready()).toBeDefined();
  });

  it('is the fleet, its terminals, what happened and who did what', async () => {
    const { get, fleet, terminals } = await open();
    terminals.events('lane-1', inventory);
    fleet.drain();
    expect((await get('/api/v1/fleet')).json()).toMatchObject({
      terminals: { total: 2, never: 1, online: 1, late: 0, lost: 0 },
      versions: [
        { component: 'sale', version: '2.4.1', terminals: 1 },
        { component: 'sync', version: '1.0', terminals: 1 },
      ],
      agentStarts: 0,
    });
    const list = (await get('/api/v1/terminals')).json<{ terminals: { id: string }[] }>();
    expect(list.terminals.map(({ id }) => id)).toEqual(['lane-1', 'lane-2']);
    expect((await get('/api/v1/terminals/lane-1')).json()).toMatchObject({
      id: 'lane-1',
      store: 'berlin',
      presence: 'online',
      components: [{ name: 'sale', state: 'unknown', restartsTotal: 0 }, { name: 'sync' }],
    });
    expect(
      (await get('/api/v1/events?terminal=lane-1&kind=inventory&limit=1')).json(),
    ).toMatchObject({
      events: [{ id: 1, terminal: 'lane-1', store: 'berlin', timeMs: START_MS, kind: 'inventory' }],
      next: 1,
    });
    expect((await get('/api/v1/events?after=1')).json()).toEqual({ events: [], next: 1 });
    expect((await get('/api/v1/audit')).json()).toEqual({ entries: [] });
  });

  it('says of which terminal somebody looks at the page, and of no list', async () => {
    const { get, watched } = await open();
    await get('/api/v1/terminals');
    await get('/api/v1/terminals/lane-9');
    await get('/api/v1/terminals/lane-2');
    expect(watched).toEqual(['lane-2']);
  });

  it.each([
    ['/api/v1/events?limit=1001', 400],
    ['/api/v1/events?limit=99999999999999999999', 400],
    ['/api/v1/events?limit=0', 400],
    ['/api/v1/events?limit=-1', 400],
    ['/api/v1/events?limit=1e3', 400],
    ['/api/v1/events?limit=5&limit=6', 400],
    ['/api/v1/events?after=abc', 400],
    ['/api/v1/events?nothing=1', 400],
    ['/api/v1/audit?limit=2000', 400],
    ["/api/v1/events?kind='%20OR%201=1--", 200],
    ['/api/v1/terminals/..%2F..%2Fetc%2Fpasswd', 404],
    ['/api/v1/terminals/__proto__', 404],
    ['/api/v1/terminals/constructor', 404],
    [`/api/v1/terminals/${'x'.repeat(150)}`, 400],
    [`/api/v1/terminals/${'x'.repeat(5_000)}`, 400],
    ['/api/v1/terminals/%00', 404],
    ['/api/v1/commands/nothing', 404],
    ['/api/v1/%zz', 400],
    ['/nothing', 404],
  ])('answers %s with %i and a sentence, never with a stack', async (path, status) => {
    const { get } = await open();
    const answer = await get(path);
    expect(answer.statusCode).toBe(status);
    if (status === 200) return expect(answer.json()).toEqual({ events: [], next: 0 });
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.json()).toMatchObject({ status, detail: expect.stringMatching(/.{10}/) });
    expect(answer.body).not.toMatch(/node_modules|\.ts:|at .*\(/);
    return undefined;
  });

  it('hides what broke inside and counts every answer by route', async () => {
    const { get, fleet, metrics } = await open();
    fleet.database.close();
    const answer = await get('/api/v1/events');
    expect(answer.json()).toMatchObject({
      status: 500,
      detail: expect.stringContaining('its log'),
    });
    await get('/nothing/at/all');
    const text = await metrics.registry.metrics();
    expect(text).toContain('http_requests_total{route="/api/v1/events",status="500"} 1');
    expect(text).toContain('http_requests_total{route="none",status="404"} 1');
  });
});
