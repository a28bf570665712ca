import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openAudit } from '../../broker/audit.ts';
import { OPEN_PER_TERMINAL_MAX, openCommands } from '../../broker/commands/commands.ts';
import { buildServer } from '../../broker/http/server.ts';
import {
  COMMAND_EXPIRY_MS,
  parsePublicKey,
  publicKeyText,
  verifyCommand,
} from '../../protocol/commands.ts';
import { happened, must, quiet, rig, START_MS } from './fleet-rig.ts';

const TOKEN = 'a-token-that-nobody-guesses-0123456789';
const authorization = `Bearer ${TOKEN}`;

async function open(options: Parameters<typeof rig>[0] = {}) {
  const back = rig(options);
  const { fleet, metrics, time } = back;
  const audit = openAudit(fleet.database, time.clock, metrics);
  const { privateKey } = generateKeyPairSync('ed25519');
  const sent: { terminal: string; bytes: Uint8Array }[] = [];
  const commands = openCommands({
    fleet,
    key: privateKey,
    ...time,
    audit,
    metrics,
    log: quiet,
    send: (terminal, bytes) => sent.push({ terminal, bytes }),
  });
  const common = { host: '127.0.0.1', port: 0, token: TOKEN, timers: time.timers, log: quiet };
  const app = buildServer({ ...common, fleet, audit, commands, metrics });
  await app.ready();
  onTestFinished(async () => {
    commands.close();
    await app.close();
  });
  const get = (url: string, headers: Record<string, string> = { authorization }) =>
    app.inject({ method: 'GET', url, headers });
  const post = (url: string, payload: unknown, headers: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url,
      headers: { authorization, 'content-type': 'application/json', ...headers },
      payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    });
  return { ...back, fleet, app, audit, commands, sent, privateKey, get, post };
}

const restart = { kind: 'restart', arguments: { component: 'sale' }, reason: 'till hangs' };
const COMMANDS = '/api/v1/terminals/lane-1/commands';
const inventory = happened(START_MS, {
  kind: 'inventory',
  component: '',
  fields: {
    agent: '0.1.0',
    os: 'Linux',
    hostname: 'till',
    components: [
      { name: 'sale', version: '2.4.1' },
      { name: 'sync', version: '1.0' },
    ],
  },
});

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

describe('a command over HTTP', () => {
  it('lives from the request to the result, and all of it is in the audit log', async () => {
    const { get, post, sent, privateKey, commands, fleet, terminals, audit } = await open();
    const answer = await post(COMMANDS, { ...restart, operator: 'kim' });
    expect([answer.statusCode, answer.json()]).toMatchObject([202, { state: 'pending' }]);
    const { id } = answer.json<{ id: string }>();
    expect(answer.headers['location']).toBe(`/api/v1/commands/${id}`);
    expect(sent).toEqual([]);

    commands.terminalReady('lane-2');
    expect(sent).toEqual([]);
    commands.terminalReady('lane-1');
    const { keyId, key } = must(parsePublicKey(publicKeyText(privateKey)));
    expect(sent.map(({ terminal }) => terminal)).toEqual(['lane-1']);
    const bytes = sent[0]?.bytes ?? new Uint8Array();
    expect(must(verifyCommand(bytes, new Map([[keyId, key]])))).toMatchObject({
      id,
      terminal: 'lane-1',
      kind: 'restart',
      arguments: { component: 'sale' },
      reason: 'till hangs',
      operator: 'kim',
      expiresMs: START_MS + COMMAND_EXPIRY_MS,
    });

    const said = { commandId: id, reason: '', detail: {} };
    // Another terminal cannot answer for it.
    terminals.results('lane-2', { ...said, state: 'failed', timeMs: START_MS });
    terminals.results('lane-1', { ...said, state: 'accepted', timeMs: START_MS + 1 });
    terminals.results('lane-1', { ...said, state: 'succeeded', timeMs: START_MS + 2 });
    fleet.drain();
    expect((await get(`/api/v1/commands/${id}`)).json()).toMatchObject({
      id,
      terminal: 'lane-1',
      state: 'succeeded',
      operator: 'kim',
      reason: 'till hangs',
      history: [
        { state: 'pending' },
        { state: 'sent' },
        { state: 'accepted', timeMs: START_MS + 1 },
        { state: 'succeeded' },
      ],
    });
    expect(audit.list(10).map(({ action, outcome }) => [action, outcome])).toEqual([
      ['command.restart.finish', 'succeeded'],
      ['command.restart.create', 'queued'],
    ]);
    expect(commands.countOpen()).toBe(0);
  });

  it('goes out at once to a terminal that is there, and again until it answers', async () => {
    const { post, sent, fleet, time } = await open();
    fleet.sessionOpened('lane-1', { address: '', openedMs: START_MS });
    expect((await post(COMMANDS, restart)).json()).toMatchObject({ state: 'sent' });
    time.pass(7_000);
    expect(sent).toHaveLength(3);
    fleet.sessionClosed('lane-1', 'lost');
    time.pass(60_000);
    expect(sent).toHaveLength(3);
    time.pass(COMMAND_EXPIRY_MS);
    expect(sent).toHaveLength(3);
  });

  it('expires in the queue when its terminal never comes', async () => {
    const { post, get, time, metrics } = await open();
    const { id } = (await post(COMMANDS, { ...restart, expiresMs: 5_000 })).json<{ id: string }>();
    time.pass(6_000);
    expect((await get(`/api/v1/commands/${id}`)).json()).toMatchObject({ state: 'expired' });
    expect(await metrics.registry.metrics()).toContain(
      'commands_finished_total{state="expired"} 1',
    );
  });

  it.each([
    ['no reason', { ...restart, reason: undefined }, 422, /reason/],
    ['a short reason', { ...restart, reason: 'x' }, 422, /reason/],
    ['a blank reason', { ...restart, reason: '      ' }, 422, /reason/],
    ['a long reason', { ...restart, reason: 'x'.repeat(501) }, 422, /reason/],
    ['a reason that is a number', { ...restart, reason: 12345 }, 422, /reason/],
    ['an unknown kind', { ...restart, kind: 'format-disk' }, 422, /not one of: restart/],
    ['a kind that objects have', { ...restart, kind: 'constructor' }, 422, /not one of/],
    ['an odd component', { ...restart, arguments: { component: '../sale' } }, 422, /component/],
    [
      'a component it has not',
      { ...restart, arguments: { component: 'printer' } },
      422,
      /it has sale, sync/,
    ],
    [
      'arguments too many',
      { ...restart, arguments: { component: 'sale', force: 1 } },
      422,
      /arguments/,
    ],
    ['arguments that are a list', { ...restart, arguments: [] }, 422, /arguments/],
    ['a field too many', { ...restart, terminal: 'lane-2' }, 422, /terminal/],
    ['an operator with a line break', { ...restart, operator: 'kim\nada' }, 422, /operator/],
    ['a time that is past', { ...restart, expiresMs: -5 }, 422, /expiresMs/],
    ['no JSON', '{"kind":', 400, /JSON|body/i],
    ['a poisoned prototype', '{"__proto__":{"x":1},"kind":"restart"}', 400, /JSON/],
    ['too much', { ...restart, reason: 'x'.repeat(70_000) }, 413, /large/],
  ])('with %s is refused with a sentence', async (_what, body, status, sentence) => {
    const { post, commands, audit, fleet, terminals } = await open();
    terminals.events('lane-1', inventory);
    fleet.drain();
    const answer = await post(COMMANDS, body);
    expect([answer.statusCode, answer.json<{ detail: string }>().detail]).toEqual([
      status,
      expect.stringMatching(sentence),
    ]);
    expect(commands.countOpen()).toBe(0);
    expect(audit.list(1)[0]?.outcome).toBe(`refused ${status}`);
  });

  it('for a terminal that nobody knows is 404, and stands in the audit log', async () => {
    const { post, audit } = await open();
    const answer = await post('/api/v1/terminals/lane-9/commands', { ...restart, operator: 'kim' });
    expect(answer.statusCode).toBe(404);
    expect(audit.list(1)).toMatchObject([
      {
        operator: 'kim',
        action: 'command.restart.create',
        subject: 'lane-9',
        reason: 'till hangs',
      },
    ]);
  });

  it('is one too many when its terminal has enough that are not finished', async () => {
    const { post } = await open();
    for (let i = 0; i < OPEN_PER_TERMINAL_MAX; i += 1) await post(COMMANDS, restart);
    expect((await post(COMMANDS, restart)).statusCode).toBe(429);
    expect((await post('/api/v1/terminals/lane-2/commands', restart)).statusCode).toBe(202);
  });

  it('is still in the queue after the broker was killed', async () => {
    const { post, reopen, sent, privateKey, metrics, time, audit } = await open();
    const { id } = (await post(COMMANDS, restart)).json<{ id: string }>();
    const fleet = reopen();
    const again = openCommands({
      fleet,
      key: privateKey,
      ...time,
      audit,
      metrics,
      log: quiet,
      send: (terminal, bytes) => sent.push({ terminal, bytes }),
    });
    again.terminalReady('lane-1');
    expect([again.get(id)?.state, sent.length]).toEqual(['sent', 1]);
    again.close();
  });
});
