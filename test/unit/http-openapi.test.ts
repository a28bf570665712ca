import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { happened, START_MS } from './fleet-rig.ts';
import { state } from './fleet-story.ts';
import { applyAndRemove, planAndAbort } from './http-openapi-bulk.ts';
import { askTailAndCancel } from './http-openapi-logs.ts';
import { applyStores } from './http-openapi-stores.ts';
import { authorization, COMMANDS, inventory, open, restart } from './http-rig.ts';
import { enrolAndEnd } from './identity-answers.ts';
import { type Document, judgeBy, walk } from './openapi-judge.ts';
import { signInAndOut } from './operators-flow.ts';

/** So that no optional field of a terminal is missing. */
const story = [
  happened(START_MS, {
    kind: 'incident_opened',
    component: 'sale',
    fields: { incident: 'i-1', cause: 'crash', reason: 'gone', version: '2.4.1' },
  }),
  happened(START_MS + 1, state('starting', { cause: 'crash', version: '2.4.1', pid: 7 })),
  happened(START_MS + 2, state('ready', { version: '2.4.1', pid: 7 })),
];

async function describeApi() {
  const rig = await open();
  const answer = await rig.get('/api/v1/openapi.json', {});
  return { ...rig, answer, document: answer.json<Document>() };
}

/** `GET /a/{b}` of everything that answers; HEAD comes with each GET and is not described. */
function routesOf(app: FastifyInstance): string[] {
  const routes: string[] = [];
  const parents: string[] = [];
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const [, indent = '', path = '', methods = ''] =
      /^([│ ]*)[├└]── (\S+) \((.*)\)/.exec(line) ?? [];
    if (path === '') continue;
    const depth = indent.length / 4;
    parents.splice(depth, parents.length, path);
    const url = parents.join('').replaceAll(/:(\w+)/g, '{$1}');
    for (const method of methods.split(', '))
      if (method !== 'HEAD') routes.push(`${method} ${url}`);
  }
  return routes.sort();
}

const operations = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, of]) => ({
      at: `${method.toUpperCase()} ${path}`,
      ...of,
    })),
  );

describe('the OpenAPI document', () => {
  it('is served without a token, as 3.1, with the version of the package', async () => {
    const { answer, document } = await describeApi();
    expect(answer.statusCode).toBe(200);
    const manifest = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
    expect(document.info.version).toBe((JSON.parse(manifest) as { version: string }).version);
    expect(document.openapi).toMatch(/^3\.1\./);
    expect(document.components.securitySchemes).toMatchObject({
      bearer: { type: 'http', scheme: 'bearer' },
    });
  });

  it('has every route, and no other', async () => {
    const { app, document } = await describeApi();
    const described = operations(document).map(({ at }) => at);
    expect(described.sort()).toEqual(routesOf(app));
    expect(described.length).toBeGreaterThan(12);
  });

  it('says of each what it does, who may, what it takes and every answer', async () => {
    const { document } = await describeApi();
    const tags = document.tags.map(({ name }) => name);
    for (const {
      at,
      summary,
      tags: [tag],
      security,
      parameters,
      responses,
    } of operations(document)) {
      expect(summary, at).toMatch(/^[A-Z].{5,}[^.]$/);
      expect(tags, at).toContain(tag);
      const isSignIn = at === 'POST /api/v1/session';
      const isOpen = !at.includes('/api/') || at.endsWith('/openapi.json') || isSignIn;
      expect(security, at).toEqual(isOpen ? [] : [{ bearer: [] }]);
      expect('401' in responses, at).toBe(!isOpen || isSignIn);
      for (const name of at.matchAll(/\{(\w+)\}/g)) {
        expect(parameters, at).toContainEqual(
          expect.objectContaining({ name: name[1], in: 'path' }),
        );
      }
      expect(
        Object.keys(responses).filter((status) => status.startsWith('2')),
        at,
      ).toHaveLength(1);
      for (const [status, { description, content }] of Object.entries(responses)) {
        expect(description, `${at} ${status}`).toMatch(/^[A-Z].*\.$/s);
        const types = Object.keys(content);
        expect(types, `${at} ${status}`).toHaveLength(1);
        if (!status.startsWith('2')) expect(types).toEqual(['application/problem+json']);
        expect(content[types[0] as string]?.schema).toBeTypeOf('object');
      }
    }
  });

  it('refers only to what is in it', async () => {
    const { document } = await describeApi();
    const { schemas } = document.components;
    let references = 0;
    walk(document, ({ $ref, $id }) => {
      expect($id).toBeUndefined();
      if (typeof $ref !== 'string') return;
      references += 1;
      expect(Object.keys(schemas)).toContain($ref.replace('#/components/schemas/', ''));
    });
    expect(references).toBeGreaterThan(40);
  });
});

describe('what is really answered', () => {
  it('is what the document says, on every route', async () => {
    const rig = await describeApi();
    const { app, get, post, fleet, terminals, document } = rig;
    terminals.events('lane-1', inventory, ...story);
    fleet.sessionOpened('lane-2', { address: '', openedMs: 0 });
    fleet.sessionClosed('lane-2', 'lost');
    fleet.drain();
    const judge = judgeBy(document);
    const seen = new Set<string>();
    const see = (at: string, answer: Awaited<ReturnType<typeof get>>): unknown => {
      const type = String(answer.headers['content-type']).split(';')[0] as string;
      const value = /[/+]json$/.test(type) ? answer.json() : answer.body;
      judge(at, answer.statusCode, type, value);
      seen.add(`${at} ${answer.statusCode}`);
      return value;
    };
    const created = see('POST /api/v1/terminals/{id}/commands', await post(COMMANDS, restart));
    const ask = { sinceMs: 1, untilMs: 2, components: ['sale'], reason: 'a look' };
    see('GET /api/v1/errors', await get('/api/v1/errors'));
    const LOGS = '/api/v1/terminals/lane-1/logs';
    const asked = see('POST /api/v1/terminals/{id}/logs', await post(LOGS, ask));
    const id = (of: unknown) => (of as { id: string }).id;
    const DIAGNOSE = '/api/v1/terminals/lane-2/diagnose';
    const diagnosis = await post(DIAGNOSE, { reason: 'it is slow' });
    see('POST /api/v1/terminals/{id}/diagnose', diagnosis);
    const other = (await post(COMMANDS, restart)).json();
    const cancelled = () =>
      app.inject({
        method: 'DELETE',
        url: `/api/v1/commands/${id(other)}?reason=not+needed`,
        headers: { authorization },
      });
    see('DELETE /api/v1/commands/{id}', await cancelled());
    see('DELETE /api/v1/commands/{id}', await cancelled());
    for (const [at, url] of [
      ['/healthz'],
      ['/readyz'],
      ['/metrics'],
      ['/metrics/terminals'],
      ['/api/v1/openapi.json'],
      ['/api/v1/fleet'],
      ['/api/v1/terminals', '/api/v1/terminals?limit=1'],
      ['/api/v1/terminals', '/api/v1/terminals'],
      ['/api/v1/terminals/{id}', '/api/v1/terminals/lane-1'],
      ['/api/v1/terminals/{id}', '/api/v1/terminals/lane-2'],
      ['/api/v1/events'],
      ['/api/v1/commands', '/api/v1/commands?terminal=lane-1&state=pending&limit=5'],
      ['/api/v1/commands/{id}', `/api/v1/commands/${id(created)}`],
      ['/api/v1/logs'],
      ['/api/v1/logs/{id}', `/api/v1/logs/${id(asked)}`],
      ['/api/v1/logs/{id}/content', `/api/v1/logs/${id(asked)}/content`],
      ['/api/v1/audit'],
      ['/api/v1/audit/head'],
      ['/api/v1/audit/export'],
      ['/api/v1/reports/would-have-acted'],
      // And refusals.
      ['/api/v1/fleet', '/api/v1/fleet?x=1'],
      ['/api/v1/terminals', '/api/v1/terminals?cursor=x'],
      ['/api/v1/terminals', '/api/v1/terminals?sort=age'],
      ['/api/v1/terminals/{id}', '/api/v1/terminals/lane-9'],
      ['/api/v1/events', '/api/v1/events?since=yesterday'],
      ['/api/v1/events/live', '/api/v1/events/live?after=999'],
      ['/api/v1/commands/{id}', '/api/v1/commands/none'],
      ['/api/v1/logs/{id}', '/api/v1/logs/none'],
      ['/api/v1/logs/{id}/content', `/api/v1/logs/${id(asked)}/content?offset=9`],
    ] as const) {
      see(`GET ${at}`, await get(url ?? at));
    }
    for (const [body, type = 'application/json'] of [
      ['{'],
      [{ ...restart, reason: '' }],
      [{ ...restart, reason: 'x'.repeat(70_000) }],
      [restart, 'application/xml'],
    ] as const) {
      const answer = await post(COMMANDS, body, { 'content-type': type });
      see('POST /api/v1/terminals/{id}/commands', answer);
    }
    see('GET /api/v1/fleet', await get('/api/v1/fleet', {}));
    await signInAndOut(rig, see);
    await enrolAndEnd(rig, see);
    await planAndAbort(rig, see);
    await applyAndRemove(rig, see);
    await askTailAndCancel(rig, see);
    await applyStores(rig, see);
    // It has no end, and a socket to take it: test/real/http-live.test.ts.
    seen.add('GET /api/v1/events/live 200');

    const missing = operations(document)
      .map(({ at, responses }) => `${at} ${Object.keys(responses).find((s) => s.startsWith('2'))}`)
      .filter((answer) => !seen.has(answer));
    expect(missing).toEqual([]);
    const statuses = new Set([...seen].map((answer) => Number(answer.split(' ').at(-1))));
    expect([...statuses].sort()).toEqual([200, 201, 202, 400, 401, 404, 409, 413, 415, 416, 422]);
  });
});

describe('filters over HTTP', () => {
  it.each([
    ['/terminals?version=sale', /^version: write COMPONENT:VERSION/],
    ['/terminals?version=:1', /^version: write/],
    ['/terminals?sort=age', /sort: use one of id, -id, store/],
    ['/terminals?presence=away', /presence: use one of never, online, late, lost/],
    ['/terminals?cursor=abc', /^cursor: this is not one that this broker gave/],
    ['/terminals?limit=1001', /limit/],
    ['/events?order=up', /order: use one of asc, desc/],
    ['/events?since=yesterday', /^since: write milliseconds since 1970, or a time such as/],
    ['/events?until=2026-13-45T00:00:00Z', /^until: write/],
  ])('are refused in plain words: %s', async (path, sentence) => {
    const { get } = await open();
    const answer = await get(`/api/v1${path}`);
    expect(answer.statusCode).toBe(400);
    expect(answer.json<{ detail: string }>().detail).toMatch(sentence);
  });

  it('reach the fleet and its events', async () => {
    const { get, fleet, terminals } = await open();
    terminals.events('lane-1', inventory, ...story);
    fleet.drain();
    const ids = async (query: string) => {
      const answer = await get(`/api/v1/terminals?${query}`);
      return answer.json<{ terminals: { id: string }[] }>().terminals.map(({ id }) => id);
    };
    expect(await ids('version=sale:2.4.1')).toEqual(['lane-1']);
    expect(await ids('presence=never')).toEqual(['lane-2']);
    expect(await ids('sort=-lastSeen&store=berlin&search=LANE')).toEqual(['lane-1', 'lane-2']);
    const first = (await get('/api/v1/terminals?limit=1')).json<{ next: string }>();
    expect(await ids(`limit=1&cursor=${first.next}`)).toEqual(['lane-2']);

    const kinds = async (query: string) => {
      const answer = await get(`/api/v1/events?${query}`);
      return answer.json<{ events: { kind: string }[] }>().events.map(({ kind }) => kind);
    };
    const all = await kinds('');
    expect(all[0]).toBe('inventory');
    expect(await kinds('order=desc')).toEqual(all.toReversed());
    expect(await kinds('component=sale&store=berlin')).toEqual(all.slice(1));
    expect(await kinds('until=2001-01-01T00:00:00Z')).toEqual([]);
    expect(await kinds('since=2001-01-01T00:00:00Z')).toEqual(all);
  });
});
