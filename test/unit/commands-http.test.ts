// Who may have what done, and what can be taken back: roles and expiries from the catalogue, ways of their own for what
// is answered with a document, keys against doing a thing twice, and terminals that get nothing any more.

import { describe, expect, it } from 'vitest';
import type { IdentityState } from '../../broker/identity/types.ts';
import { catalogue, ROLES, type Role } from '../../protocol/catalogue.ts';
import { START_MS } from './fleet-rig.ts';
import { authorization, COMMANDS, inventory, open, restart } from './http-rig.ts';

/** Kinds that have a way of their own, because their answer goes elsewhere. */
const ELSEWHERE: Record<string, string> = {
  apply: '/configurations/{name}/plan',
  logs: '/{id}/logs',
  tail: '/{id}/tail',
  diagnose: '/{id}/diagnose',
  cancel_logs: '/logs/{id}/cancel',
};
const HASH = 'a'.repeat(64);
/** Arguments that are right, of each kind that has the plain way. */
const RIGHT: Record<string, object> = {
  restart: { component: 'sale' },
  stop: { component: 'sale' },
  start: { component: 'sale' },
  restart_all: {},
  reboot: {},
  probe: {},
  unquarantine: { component: 'sale' },
  reset_budget: {},
  reopen: { component: 'sale', device: 'printer' },
  hold: { forMs: 60_000 },
  release: {},
  log_level: { component: 'sale', level: 'debug', forMs: 60_000 },
  configure: { yaml: 'a: 1', sha256: HASH },
  purge_logs: { beforeMs: 1 },
  drill: { fault: 'hang' },
};

async function begin(stateOf?: (terminal: string) => IdentityState) {
  const rig = await open({}, undefined, undefined, stateOf);
  rig.terminals.events('lane-1', inventory);
  rig.fleet.drain();
  const cancel = (id: string, reason = 'a mistake', headers: object = { authorization }) =>
    rig.app.inject({
      method: 'DELETE',
      url: `/api/v1/commands/${id}?reason=${encodeURIComponent(reason)}`,
      headers: { ...headers },
    });
  return { ...rig, cancel };
}

const idOf = (answer: { json: <T>() => T }): string => answer.json<{ id: string }>().id;

describe('the plain way of a command', () => {
  it('is open to every kind of the catalogue but those that have another', async () => {
    const { post } = await begin();
    for (const kind of Object.keys(catalogue)) {
      const body = { kind, arguments: RIGHT[kind] ?? {}, reason: 'because' };
      const answer = await post(COMMANDS, body);
      const { detail = '' } = answer.json<{ detail?: string }>();
      const path = ELSEWHERE[kind];
      if (path !== undefined) expect(detail).toContain(path);
      else if (kind === 'trust') expect(detail).toMatch(/tillwatch broker rotate|arguments/);
      else expect([kind, answer.statusCode]).toEqual([kind, 202]);
    }
  });

  it('never takes trust from an operator, however right its arguments are', async () => {
    const { post } = await begin();
    const args = { version: 2, authorities: ['pem'], commandKeys: ['ed25519:x'] };
    const answer = await post(COMMANDS, { kind: 'trust', arguments: args, reason: 'because' });
    expect(answer.statusCode).toBe(422);
    expect(answer.json<{ detail: string }>().detail).toMatch(/sends trust by itself/);
  });

  it('is refused to a role that is too low, with the one that is needed, and audited', async () => {
    const { post, as, audit, commands } = await begin();
    for (const [kind, args] of Object.entries(RIGHT)) {
      const needed = catalogue[kind as keyof typeof catalogue].role;
      for (const role of ROLES.slice(0, ROLES.indexOf(needed as Role))) {
        const body = { kind, arguments: args, reason: 'because' };
        const answer = await post(COMMANDS, body, as(role));
        expect([kind, role, answer.statusCode]).toEqual([kind, role, 403]);
        expect(answer.json<{ detail: string }>().detail).toMatch(/role/);
        expect(audit.list(1)[0]).toMatchObject({ operator: role, outcome: 'refused 403' });
      }
    }
    expect(commands.countOpen()).toBe(0);
    const reboot = { kind: 'reboot', arguments: {}, reason: 'because' };
    const answer = await post(COMMANDS, reboot, as('oncall'));
    expect(answer.json<{ detail: string }>().detail).toBe(
      'reboot needs the role admin: oncall has the role oncall',
    );
  });

  it('acts in the name of whoever signed in, whatever the body says', async () => {
    const { post, as, commands } = await begin();
    const id = idOf(await post(COMMANDS, { ...restart, operator: 'kim' }, as('oncall')));
    expect(commands.get(id)?.operator).toBe('oncall');
  });

  it('expires when its row of the catalogue says, unless something else is said', async () => {
    const { commands } = await begin();
    const made = commands.createOwn('trust', 'lane-1', trust(2), 'a new authority');
    expect(made.ok && commands.get(made.id)?.expiresMs).toBe(START_MS + catalogue.trust.expiryMs);
  });
});

const trust = (version: number) => ({ version, authorities: ['pem'], commandKeys: ['ed25519:x'] });

describe("the broker's own command", () => {
  it('needs no operator, is audited as the broker, and is not queued twice', async () => {
    const { commands, audit } = await begin();
    const first = commands.createOwn('trust', 'lane-1', trust(2), 'a new authority');
    expect(first).toMatchObject({ ok: true, state: 'pending' });
    expect(commands.createOwn('trust', 'lane-1', trust(2), 'a new authority')).toEqual(first);
    const next = commands.createOwn('trust', 'lane-1', trust(3), 'another');
    expect(next.ok && first.ok && next.id !== first.id).toBe(true);
    expect(audit.list(9).map(({ operator, action }) => [operator, action])).toEqual([
      ['broker', 'command.trust.create'],
      ['broker', 'command.trust.create'],
    ]);
  });

  it('finds room where operators have left none', async () => {
    const { commands, post } = await begin();
    for (let i = 0; i < 40; i += 1) await post(COMMANDS, restart);
    expect(commands.createOwn('trust', 'lane-1', trust(2), 'a new key')).toMatchObject({
      ok: true,
    });
  });
});

describe('a terminal that is not served', () => {
  it.each([
    ['suspended', /is suspended and gets no commands: "tillwatch terminal resume lane-1"/],
    ['revoked', /is revoked for ever/],
    ['retired', /is retired for ever/],
  ] as const)('because it is %s gets no command', async (state, sentence) => {
    const { post, commands } = await begin(() => state);
    const answer = await post(COMMANDS, restart);
    expect([answer.statusCode, answer.json<{ detail: string }>().detail]).toEqual([
      409,
      expect.stringMatching(sentence),
    ]);
    expect(commands.createOwn('trust', 'lane-1', trust(2), 'a new key')).toMatchObject({
      ok: false,
    });
  });

  it('is not sent what waits while it is suspended, and gets it afterwards', async () => {
    let state: IdentityState = 'enrolled';
    const { post, sent, commands, fleet, time } = await begin(() => state);
    await post(COMMANDS, restart);
    state = 'suspended';
    fleet.sessionOpened('lane-1', { address: '', openedMs: START_MS });
    commands.terminalReady('lane-1');
    time.pass(10_000);
    expect(sent).toEqual([]);
    state = 'enrolled';
    commands.terminalReady('lane-1');
    expect(sent).toHaveLength(1);
    state = 'suspended';
    time.pass(60_000);
    expect(sent).toHaveLength(1);
  });

  it('loses what waited once it is revoked', async () => {
    let state: IdentityState = 'enrolled';
    const { post, commands, time } = await begin(() => state);
    const id = idOf(await post(COMMANDS, restart));
    state = 'revoked';
    time.pass(2_000);
    expect(commands.get(id)).toMatchObject({ state: 'cancelled' });
    expect(commands.get(id)?.history.at(-1)?.reason).toBe('the terminal was revoked');
  });
});

describe('a repeated request', () => {
  const key = { 'idempotency-key': 'press-1' };

  it('with the same key makes one command', async () => {
    const { post, commands } = await begin();
    const [first, second] = [
      await post(COMMANDS, restart, key),
      await post(COMMANDS, restart, key),
    ];
    expect([first.statusCode, second.statusCode, idOf(second)]).toEqual([202, 202, idOf(first)]);
    expect(commands.countOpen()).toBe(1);
  });

  it('with the same key for something else is refused', async () => {
    const { post } = await begin();
    await post(COMMANDS, restart, key);
    const answer = await post(COMMANDS, { ...restart, reason: 'something else' }, key);
    expect(answer.json()).toMatchObject({ status: 422, detail: /make a new one/ });
  });

  it('of another operator is another one', async () => {
    const { post, as, commands } = await begin();
    await post(COMMANDS, restart, { ...key, ...as('oncall') });
    await post(COMMANDS, restart, { ...key, ...as('admin') });
    expect(commands.countOpen()).toBe(2);
  });

  it('with a key that is none is refused', async () => {
    const { post } = await begin();
    const answer = await post(COMMANDS, restart, { 'idempotency-key': 'x'.repeat(129) });
    expect(answer.statusCode).toBe(422);
  });
});

describe('taking back', () => {
  it('ends what was not sent, for good', async () => {
    const { post, cancel, commands, sent, audit, metrics } = await begin();
    const id = idOf(await post(COMMANDS, restart));
    const answer = await cancel(id);
    expect([answer.statusCode, answer.json()]).toMatchObject([200, { state: 'cancelled' }]);
    commands.terminalReady('lane-1');
    expect(sent).toEqual([]);
    expect(audit.list(2).map(({ action, outcome }) => [action, outcome])).toEqual([
      ['command.restart.finish', 'cancelled'],
      ['command.restart.cancel', 'cancelled'],
    ]);
    expect(await metrics.registry.metrics()).toContain('finished_total{state="cancelled"} 1');
  });

  it('of what was sent is corrected by the terminal that has taken it', async () => {
    const { post, cancel, commands, terminals, fleet } = await begin();
    fleet.sessionOpened('lane-1', { address: '', openedMs: START_MS });
    const id = idOf(await post(COMMANDS, restart));
    expect((await cancel(id)).json()).toMatchObject({ state: 'cancelled' });
    expect(commands.get(id)?.history.at(-1)?.reason).toMatch(/it was on its way already$/);
    const done = { commandId: id, state: 'succeeded', reason: '', timeMs: START_MS, detail: {} };
    terminals.results('lane-1', { ...done, state: 'succeeded' as const });
    fleet.drain();
    expect(commands.get(id)?.state).toBe('succeeded');
  });

  it('is refused for what is running, has ended, or never was, and to a viewer', async () => {
    const { post, cancel, terminals, fleet, as } = await begin();
    const id = idOf(await post(COMMANDS, restart));
    expect((await cancel(id, 'a mistake', as('viewer'))).statusCode).toBe(403);
    expect((await cancel(id, '')).statusCode).toBe(422);
    const word = { commandId: id, reason: '', timeMs: START_MS, detail: {} };
    terminals.results('lane-1', { ...word, state: 'running' });
    fleet.drain();
    expect((await cancel(id)).json()).toMatchObject({
      status: 409,
      detail: /has taken it already/,
    });
    terminals.results('lane-1', { ...word, state: 'failed', timeMs: START_MS + 1 });
    fleet.drain();
    expect((await cancel(id)).json()).toMatchObject({
      status: 409,
      detail: /it has ended: failed/,
    });
    expect((await cancel('none')).statusCode).toBe(404);
  });

  it('needs the role that the command itself needed', async () => {
    const { post, cancel, as } = await begin();
    const reboot = { kind: 'reboot', arguments: {}, reason: 'because' };
    const id = idOf(await post(COMMANDS, reboot));
    expect((await cancel(id, 'a mistake', as('oncall'))).statusCode).toBe(403);
  });
});

describe('the list of commands', () => {
  it('is the newest first, by terminal and state', async () => {
    const { post, get, cancel } = await begin();
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) ids.push(idOf(await post(COMMANDS, restart)));
    ids.push(idOf(await post('/api/v1/terminals/lane-2/commands', restart)));
    await cancel(ids[1] ?? '');
    const list = async (query: string) =>
      (await get(`/api/v1/commands${query}`))
        .json<{ commands: { id: string }[] }>()
        .commands.map(({ id }) => ids.indexOf(id));
    expect(await list('')).toEqual([3, 2, 1, 0]);
    expect(await list('?terminal=lane-1&limit=2')).toEqual([2, 1]);
    expect(await list('?state=cancelled')).toEqual([1]);
    expect((await get('/api/v1/commands?state=gone')).statusCode).toBe(400);
  });
});
