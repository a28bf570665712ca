import { describe, expect, it } from 'vitest';
import type { Role } from '../../protocol/catalogue.ts';
import { authorization, COMMANDS, open, restart } from './http-rig.ts';
import { HERE } from './operators-rig.ts';

const BY = { name: 'root', address: HERE };

async function opened() {
  const back = await open();
  const { app, operators } = back;
  const ask = (method: string, path: string, token?: string, payload?: object) =>
    app.inject({
      ...{ method: method as 'GET', url: `/api/v1${path}`, remoteAddress: HERE },
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      ...(payload && { payload }),
    });
  const enrol = async (name: string, role: Role) => {
    const added = await operators.add(name, role, BY);
    if (!added.ok) throw new Error(added.reason);
    return added.token;
  };
  const enter = async (token: string) =>
    (await ask('POST', '/session', undefined, { token })).json();
  return { ...back, ask, enrol, enter };
}

describe('signing in over HTTP', () => {
  it('gives a session, which says who one is until one signs out', async () => {
    const { ask, enrol, audit } = await opened();
    const token = await enrol('kim', 'viewer');
    const entered = await ask('POST', '/session', undefined, { token });
    expect([entered.statusCode, entered.headers['cache-control']]).toEqual([201, 'no-store']);
    const { session, id } = entered.json<{ session: string; id: string }>();
    expect((await ask('GET', '/session', session)).json()).toMatchObject({
      ...{ name: 'kim', role: 'viewer', id, endsMs: expect.any(Number) },
    });
    expect((await ask('GET', '/fleet', session)).statusCode).toBe(200);
    expect((await ask('DELETE', '/session', session)).json()).toEqual({ ended: id });
    // What somebody copied before is worth nothing after.
    for (const path of ['/session', '/fleet', '/nothing']) {
      expect((await ask('GET', path, session)).statusCode).toBe(401);
    }
    const actions = audit.list(20).map(({ operator, action }) => `${operator} ${action}`);
    expect(actions).toContain('kim operator.sign_out');
    expect(JSON.stringify(audit.list(20))).not.toContain(session);
  });

  it.each([
    ['a wrong token', { token: `two1.kim.${'A'.repeat(43)}` }, 401],
    ['a name that nobody has', { token: `two1.lee.${'A'.repeat(43)}` }, 401],
    ['what is no token', { token: 'let me in' }, 401],
    ['no token', {}, 422],
    ['a token that is no text', { token: { $ne: '' } }, 422],
    ['a long one', { token: 'x'.repeat(201) }, 422],
    ['a field too many', { token: 'x', operator: 'root' }, 422],
  ])('refuses %s, and writes it down without the secret', async (_what, body, status) => {
    const { ask, enrol, audit } = await opened();
    await enrol('kim', 'viewer');
    const answer = await ask('POST', '/session', undefined, body);
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['content-type']).toContain('problem+json');
    const text = JSON.stringify(audit.list(5));
    expect(text).toContain('refused');
    expect(text).not.toMatch(/A{43}|let me in|x{200}/);
  });

  it('answers the same to a name that exists and one that does not', async () => {
    const { ask, enrol } = await opened();
    await enrol('kim', 'viewer');
    const answers = await Promise.all(
      ['kim', 'lee'].map(async (name) => {
        const token = `two1.${name}.${'A'.repeat(43)}`;
        const { statusCode, body, headers } = await ask('POST', '/session', undefined, { token });
        return [statusCode, body, Object.keys(headers).sort()];
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
  });

  it('says when to come back after too many failures', async () => {
    const { ask, enrol } = await opened();
    await enrol('kim', 'viewer');
    const token = `two1.kim.${'A'.repeat(43)}`;
    for (let i = 0; i < 6; i += 1) await ask('POST', '/session', undefined, { token });
    const answer = await ask('POST', '/session', undefined, { token });
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '1']);
    expect(answer.json<{ detail: string }>().detail).toMatch(/try again in 1 s/);
    // The same for who shows the token with a request.
    expect((await ask('GET', '/fleet', token)).statusCode).toBe(429);
  });

  it('is not what the one token of a broker in plain text has', async () => {
    const { ask } = await opened();
    const one = authorization.slice(7);
    expect((await ask('GET', '/session', one)).json()).toMatchObject({ name: 'api-token' });
    expect((await ask('DELETE', '/session', one)).statusCode).toBe(409);
    expect((await ask('GET', '/fleet', one)).statusCode).toBe(200);
  });
});

describe('a live stream', () => {
  it('ends with the session of who watches, and not with another', async () => {
    const { app, enrol, enter, ask } = await opened();
    const kim = await enter(await enrol('kim', 'viewer'));
    const ada = await enter(await enrol('ada', 'viewer'));
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const watch = async ({ session }: { session: string }) => {
      const headers = { authorization: `Bearer ${session}` };
      const { body } = await fetch(`${url}/api/v1/events/live`, { headers });
      const reader = body?.getReader();
      await reader?.read();
      return async () => (await reader?.read().catch(() => ({ done: true })))?.done;
    };
    const [ends, stays] = [await watch(kim), await watch(ada)];
    await ask('DELETE', '/session', kim.session);
    expect(await ends()).toBe(true);
    const still = Symbol('still there');
    const later = new Promise((resolve) => setTimeout(() => resolve(still), 100));
    expect(await Promise.race([stays(), later])).toBe(still);
    app.server.closeAllConnections();
  });
});

describe('operators over HTTP', () => {
  it('are added, changed, disabled and given new tokens by an admin', async () => {
    const { ask, enrol, enter } = await opened();
    const { session } = await enter(await enrol('root', 'admin'));
    const added = await ask('POST', '/operators', session, { name: 'ada', role: 'viewer' });
    expect(added.statusCode).toBe(201);
    const { token } = added.json<{ token: string }>();
    const ada = await enter(token);
    expect(ada).toMatchObject({ name: 'ada', role: 'viewer' });
    expect(
      (await ask('POST', '/operators', session, { name: 'ada', role: 'viewer' })).statusCode,
    ).toBe(409);

    const post = () => ask('POST', '/terminals/lane-1/commands', ada.session, restart);
    expect((await post()).statusCode).toBe(403);
    await ask('PATCH', '/operators/ada', session, { role: 'oncall' });
    expect((await post()).statusCode).toBe(202);
    await ask('PATCH', '/operators/ada', session, { role: 'viewer' });
    expect((await post()).statusCode).toBe(403);

    await ask('PATCH', '/operators/ada', session, { enabled: false });
    expect((await ask('GET', '/fleet', ada.session)).statusCode).toBe(401);
    expect((await ask('POST', '/session', undefined, { token })).statusCode).toBe(401);
    await ask('PATCH', '/operators/ada', session, { enabled: true });
    expect((await ask('GET', '/fleet', ada.session)).statusCode).toBe(401);
    const renewed = (await ask('POST', '/operators/ada/token', session)).json<{ token: string }>();
    expect((await ask('POST', '/session', undefined, { token })).statusCode).toBe(401);
    expect(await enter(renewed.token)).toMatchObject({ name: 'ada' });

    const list = await ask('GET', '/operators', session);
    expect(list.json()).toMatchObject({ operators: [{ name: 'ada' }, { name: 'root' }] });
    expect(list.body).not.toMatch(/scrypt|secret/);
  });

  it('refuse what cannot be, with a sentence', async () => {
    const { ask, enrol, enter } = await opened();
    const { session } = await enter(await enrol('root', 'admin'));
    const cases: readonly [string, string, object, number][] = [
      ['POST', '/operators', { name: 'Ada L', role: 'viewer' }, 422],
      ['POST', '/operators', { name: 'ada\r\nx: y', role: 'viewer' }, 422],
      ['POST', '/operators', { name: 'broker', role: 'viewer' }, 422],
      ['POST', '/operators', { name: 'ada', role: 'root' }, 422],
      ['POST', '/operators', { name: 'ada' }, 422],
      ['PATCH', '/operators/nobody', { role: 'viewer' }, 404],
      ['PATCH', '/operators/..%2f..%2fetc', { role: 'viewer' }, 404],
      ['PATCH', '/operators/root', { role: 'viewer' }, 409],
      ['PATCH', '/operators/root', { enabled: false }, 409],
      ['PATCH', '/operators/root', { secret: 'x' }, 422],
      ['POST', '/operators/nobody/token', {}, 404],
    ];
    for (const [method, path, body, status] of cases) {
      const answer = await ask(method, path, session, body);
      expect([path, answer.statusCode]).toEqual([path, status]);
      expect(answer.json<{ detail: string }>().detail.length).toBeGreaterThan(10);
    }
  });

  it('act under their own name, and a body cannot say another', async () => {
    const { app, enrol, enter, audit } = await opened();
    const { session } = await enter(await enrol('kim', 'oncall'));
    await app.inject({
      ...{ method: 'POST', url: COMMANDS, headers: { authorization: `Bearer ${session}` } },
      payload: { ...restart, operator: 'ada' },
    });
    expect(audit.list(1)).toMatchObject([{ operator: 'kim', action: 'command.restart.create' }]);
  });
});

describe('/metrics', () => {
  it('needs a viewer where it is not public, also by a token that a scraper shows', async () => {
    const { enrol, app } = await (async () => {
      const back = await open({}, undefined, undefined, undefined, 'viewer');
      const added = await back.operators.add('prometheus', 'viewer', BY);
      return { ...back, enrol: added.ok ? added.token : '' };
    })();
    for (const url of ['/metrics', '/metrics/terminals']) {
      expect((await app.inject({ url })).statusCode).toBe(401);
      const headers = { authorization: `Bearer ${enrol}` };
      expect((await app.inject({ url, headers })).statusCode).toBe(200);
    }
    expect((await app.inject({ url: '/healthz' })).statusCode).toBe(200);
  });
});
