// Sessions that have ended and sessions that never were, and names and reasons that would mean something else in a path, a
// line of a log, a header or a query.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FleetRig, openFleetRig } from '../../real/trust-rig.ts';
import { answered, type Entry, expectRefused } from './rig.ts';

let rig: FleetRig;
beforeAll(async () => {
  rig = await openFleetRig({ settings: 'limits:\n  httpRequestsPerSecond: 10000\n' });
  await rig.enroll('lane-1');
});
afterAll(() => rig?.close());

const session401 = answered('/api/v1/fleet', 401, { outcome: 'refused 401', operator: 'unknown' });
const fleetAs = (session: string) => async () =>
  void expect((await rig.ask('/api/v1/fleet', { session })).status).toBe(401);

describe('a session that is none any more', () => {
  it('a stolen one, after its owner signed out', async () => {
    const stolen = await rig.operator('sam', 'oncall');
    expect((await rig.ask('/api/v1/fleet', { session: stolen })).status).toBe(200);
    await rig.ask('/api/v1/session', { method: 'DELETE', session: stolen });
    await expectRefused(rig, session401, fleetAs(stolen));
  });

  it('of an operator who was disabled', async () => {
    const session = await rig.operator('dora', 'admin');
    const admin = await rig.session();
    await rig.ask('/api/v1/operators/dora', {
      method: 'PATCH',
      body: { enabled: false },
      session: admin,
    });
    await expectRefused(rig, session401, fleetAs(session));
  });

  it('of an operator whose role was taken away', async () => {
    const session = await rig.operator('ruth', 'admin');
    const admin = await rig.session();
    await rig.ask('/api/v1/operators/ruth', {
      method: 'PATCH',
      body: { role: 'viewer' },
      session: admin,
    });
    await expectRefused(
      rig,
      answered('/api/v1/operators', 403, { outcome: 'refused 403', operator: 'ruth' }),
      async () => void expect((await rig.ask('/api/v1/operators', { session })).status).toBe(403),
    );
  });

  it.each([
    ['half of one', async () => (await rig.session()).slice(0, -4)],
    ['one with a byte more', async () => `${await rig.session()}A`],
    ['an empty one', () => ''],
    ['a hash of one', () => 'a'.repeat(64)],
    ['ten thousand characters', () => 'a'.repeat(10_000)],
  ])('%s', async (_what, make) => {
    await expectRefused(rig, session401, fleetAs(await make()));
  });

  it('and a wrong token, again and again, has to wait', async () => {
    const wrong = { token: `two1.vera.${'x'.repeat(43)}` };
    await expectRefused(
      rig,
      answered('/api/v1/session', 429, { outcome: 'refused 429' }),
      async () => {
        let status = 401;
        for (let times = 0; times < 30 && status === 401; times += 1) {
          ({ status } = await rig.ask('/api/v1/session', { body: wrong }));
        }
        expect(status).toBe(429);
      },
    );
  });
});

const COMMANDS = '/api/v1/terminals/:id/commands';
const restart = { kind: 'restart', arguments: { component: 'sale' }, reason: 'it hangs' };
const post = async (path: string, body: unknown, session?: string) =>
  await rig.ask(path, { body, session: session ?? (await rig.session()) });

describe('words that mean something elsewhere', () => {
  it.each([
    ['a path', '..%2f..%2fetc%2fpasswd'],
    ['a path, encoded twice', '..%252f..%252fetc'],
    ['a line end', 'lane-1%0d%0aset-cookie:x'],
    ['SQL', "lane-1'%20OR%201=1--"],
    ['a prototype', '__proto__'],
    ['a NUL', 'lane-1%00'],
    ['a constructor', 'constructor'],
  ])('as the name of a terminal: %s', (_what, name) =>
    expectRefused(rig, answered(COMMANDS, 404, { outcome: 'refused 404' }), async () => {
      const answer = await post(`/api/v1/terminals/${name}/commands`, restart);
      expect(answer.status).toBe(404);
    }),
  );

  it.each([
    ['a path', '/api/v1/logs/..%2f..%2fregistry.db/content'],
    ['a bare path', '/api/v1/logs/../../../etc/passwd'],
    ['a file of ours', '/api/v1/terminals/..%2f..%2fapi-token'],
    ['a backslash', '/api/v1/logs/..%5c..%5cledger.db/content'],
  ])('in an address that is read: %s', async (_what, path) => {
    const answer = await rig.ask(path, { session: await rig.session() });
    expect([400, 404]).toContain(answer.status);
    expect(JSON.stringify(answer.body)).not.toMatch(/root:|SQLite|PRIVATE/);
    await expectRefused(
      rig,
      {
        counted: session401.counted.replace('/api/v1/fleet', 'none'),
        audited: { outcome: 'refused 401' },
      },
      async () => {
        const nobody = await rig.ask('/api/v1/nowhere/../..%2f');
        expect(nobody.status).toBe(401);
      },
    );
  });

  it('line ends and control characters in a reason stay within their entry and their line of the log', async () => {
    const reason = 'x\r\n{"level":"info","message":"forged"}\u001b[2J\u0000';
    const answer = await post('/api/v1/terminals/lane-1/commands', { ...restart, reason });
    expect([202, 422]).toContain(answer.status);
    const log = readFileSync(join(rig.dataDir, 'broker.log'), 'utf8');
    for (const line of log.trimEnd().split('\n')) {
      expect((JSON.parse(line) as { message: string }).message).not.toBe('forged');
    }
  });

  it.each([
    ['a line end in a name', 'eve\nadmin'],
    ['a path as a name', '../eve'],
    ['an empty name', ''],
    ['a name of 300 characters', 'e'.repeat(300)],
    ['a name with control characters', 'eve\u001b[31m'],
  ])('%s makes no operator', (_what, name) =>
    expectRefused(rig, answered('/api/v1/operators', 422, { outcome: 'refused 422' }), async () => {
      expect((await post('/api/v1/operators', { name, role: 'viewer' })).status).toBe(422);
    }),
  );

  it('an operator named in the body is not believed', async () => {
    const answer = await post(
      '/api/v1/terminals/lane-1/commands',
      { ...restart, operator: 'admin' },
      await rig.operator('olga', 'oncall'),
    );
    const { body } = await rig.api('audit?action=command&limit=1');
    const [entry] = body['entries'] as readonly Entry[];
    expect([answer.status < 300, entry?.operator]).toEqual([true, 'olga']);
  });
});
