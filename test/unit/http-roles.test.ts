// Every route says who may use it. The list is read from the server itself, so that a route that somebody adds
// tomorrow is in it.

import { type FastifyInstance, fastify } from 'fastify';
import { describe, expect, it } from 'vitest';
import { addGate, eitherOf, oneToken } from '../../broker/http/auth.ts';
import { ROLES, type Role } from '../../protocol/catalogue.ts';
import { COMMANDS, open, restart, TOKEN } from './http-rig.ts';

/** What is open under /api/v1, and why: the description is of no fleet, and who signs in is nobody yet. */
const OPEN = ['GET /api/v1/openapi.json', 'POST /api/v1/session'];

const nobody = () => undefined;
const withRoute = (add: (app: FastifyInstance) => void): FastifyInstance => {
  const app = fastify();
  addGate(app, nobody);
  app.register((scope, _options, done) => {
    add(scope);
    done();
  });
  return app;
};

describe('the roles of the routes', () => {
  it('are said by every one, and few are open', async () => {
    const { routes } = await open();
    expect(routes.length).toBeGreaterThan(20);
    for (const { method, url, role } of routes) {
      expect(role, `${method} ${url}`).toBeDefined();
      const isOpen = role === 'anyone' && method !== 'HEAD';
      if (url.startsWith('/api/v1') && isOpen) expect(OPEN).toContain(`${method} ${url}`);
    }
  });

  it('are needed: a server with a route that says none does not start', async () => {
    const app = withRoute((scope) => scope.get('/open-by-mistake', () => 'hello'));
    await expect(app.ready()).rejects.toThrow(/GET \/open-by-mistake, .*a route says who/);
    const good = withRoute((s) => s.get('/x', { config: { role: 'viewer' } }, () => 'hello'));
    await good.ready();
    await good.close();
  });

  it('are enforced on every route: each lower one is refused with a sentence that names it', async () => {
    const { app, routes, as } = await open();
    for (const { method, url, role } of routes) {
      if (role === 'anyone' || method === 'HEAD') continue;
      const path = url.replace(/:\w+/g, 'lane-1');
      const ask = (headers: Record<string, string>) =>
        app.inject({ method: method as 'GET', url: path, headers });
      expect((await ask({})).statusCode, `${method} ${path} without a token`).toBe(401);
      for (const lower of ROLES.slice(0, ROLES.indexOf(role as Role))) {
        const answer = await ask(as(lower));
        expect(answer.statusCode, `${method} ${path} as ${lower}`).toBe(403);
        expect(answer.json<{ detail: string }>().detail).toContain(`needs the role ${role}`);
      }
    }
  });

  it('let a viewer read and not act, and write down who tried', async () => {
    const { app, audit, commands, as } = await open();
    const answer = await app.inject({
      ...{ method: 'POST', url: COMMANDS, headers: as('viewer') },
      payload: { ...restart, operator: 'somebody else' },
    });
    expect([answer.statusCode, commands.countOpen()]).toEqual([403, 0]);
    expect(audit.list(1)).toMatchObject([
      { operator: 'viewer', action: 'command.unknown.create', outcome: 'refused 403' },
    ]);
    const read = await app.inject({ method: 'GET', url: '/api/v1/fleet', headers: as('viewer') });
    expect(read.statusCode).toBe(200);
  });

  it('do not let somebody who signed in act under another name', async () => {
    const { app, audit, as } = await open();
    const answer = await app.inject({
      ...{ method: 'POST', url: COMMANDS, headers: as('oncall') },
      payload: { ...restart, operator: 'somebody else' },
    });
    expect(answer.statusCode).toBe(202);
    expect(audit.list(1)).toMatchObject([{ operator: 'oncall' }]);
  });
});

describe('the one token', () => {
  it('is an admin without a name, and nothing near it is', () => {
    const whose = eitherOf(nobody, oneToken(TOKEN));
    expect(whose(TOKEN, '')).toMatchObject({ name: 'api-token', role: 'admin' });
    for (const other of ['', `${TOKEN} `, `${TOKEN}x`, TOKEN.slice(1), TOKEN.toUpperCase()]) {
      expect(whose(other, '')).toBeUndefined();
    }
  });
});
