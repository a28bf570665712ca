// Requests that are slow, huge, deep or crooked: bodies that are not meant to be read, and what is no HTTP at all.

import { request } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FleetRig, openFleetRig } from '../../real/trust-rig.ts';
import { answered, expectRefused } from './rig.ts';

let rig: FleetRig;
beforeAll(async () => {
  rig = await openFleetRig({ settings: 'limits:\n  httpRequestsPerSecond: 10000\n' });
  await rig.enroll('lane-1');
});
afterAll(() => rig?.close());

const COMMANDS = '/api/v1/terminals/:id/commands';
const restart = { kind: 'restart', arguments: { component: 'sale' }, reason: 'it hangs' };
describe('bodies that are not meant to be read', () => {
  it.each([
    ['a prototype', '{"__proto__":{"role":"admin"},"kind":"restart"}', 400],
    ['a constructor', '{"constructor":{"prototype":{"role":"admin"}},"kind":"restart"}', 400],
    ['brackets 30 000 deep', '['.repeat(30_000), 400],
    ['a field too many', JSON.stringify({ ...restart, role: 'admin' }), 422],
    ['a kind that is not there', JSON.stringify({ ...restart, kind: 'format_disk' }), 422],
    ['a kind that is a method', JSON.stringify({ ...restart, kind: 'constructor' }), 422],
    ['arguments of another kind', JSON.stringify({ ...restart, arguments: { force: true } }), 422],
    [
      'a component that is a path',
      JSON.stringify({ ...restart, arguments: { component: '../sale' } }),
      422,
    ],
    ['no reason', JSON.stringify({ ...restart, reason: '' }), 422],
    [
      'the command that only the broker may send',
      JSON.stringify({ ...restart, kind: 'trust', arguments: {} }),
      422,
    ],
    ['70 000 bytes', JSON.stringify({ ...restart, reason: 'x'.repeat(70_000) }), 413],
  ])('%s', async (_what, text, status) => {
    const session = await rig.session();
    await expectRefused(
      rig,
      answered(COMMANDS, status, { outcome: `refused ${status}`, operator: rig.operatorName }),
      async () => {
        expect(await raw('POST', '/api/v1/terminals/lane-1/commands', session, text)).toBe(status);
      },
    );
  });

  it.each(['TRACE', 'PUT', 'PROPFIND', 'DELETE'])(
    'the method %s on a route of another',
    async (method) => {
      const session = await rig.session();
      const status = await raw(method, '/api/v1/fleet', session, undefined);
      expect([400, 404, 405]).toContain(status);
    },
  );

  it('a method that is said to be another', async () => {
    const headers = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE' };
    const session = await rig.session();
    expect(await raw('GET', '/api/v1/session', session, undefined, headers)).toBe(200);
    expect(await raw('GET', '/api/v1/session', session, undefined)).toBe(200);
  });
});

const raw = (
  method: string,
  path: string,
  session: string,
  text: string | undefined,
  more: Record<string, string> = {},
): Promise<number> =>
  new Promise((resolve, reject) => {
    const asked = request(
      `${rig.url}${path}`,
      {
        ...{ method, rejectUnauthorized: false, agent: false },
        headers: {
          authorization: `Bearer ${session}`,
          ...(text !== undefined && { 'content-type': 'application/json' }),
          ...more,
        },
      },
      (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      },
    );
    asked.on('error', reject);
    asked.end(text);
  });

describe('a request that is not one', () => {
  /** @returns what came back until the broker closed it. */
  const speak = (first: string, more = ''): Promise<string> =>
    new Promise((resolve) => {
      let said = '';
      const port = rig.httpPort;
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () =>
        socket.write(first),
      );
      const drip = setInterval(() => more !== '' && socket.write(more), 300);
      socket.on('data', (bytes: Buffer) => {
        said += bytes.toString('latin1');
      });
      socket.on('error', () => undefined);
      socket.on('close', () => {
        clearInterval(drip);
        resolve(said);
      });
    });
  const HEAD = 'GET /api/v1/fleet HTTP/1.1\r\nHost: localhost\r\n';

  it.concurrent.each([
    ['headers that come one by one (slow loris)', HEAD, 'X-A: b\r\n'],
    [
      'a body that comes byte by byte',
      'POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n',
      ' ',
    ],
    ['a first line that never ends', 'GET /', 'a'],
    ['headers of 100 000 bytes', `${HEAD}X: ${'x'.repeat(100_000)}\r\n\r\n`, ''],
    [
      'two lengths (request smuggling)',
      `${HEAD}Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc`,
      '',
    ],
    [
      'a length and chunks (request smuggling)',
      `${HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      '',
    ],
    ['a header with a line end in it', `${HEAD}X: a\rSet-Cookie: b\r\n\r\n`, ''],
    ['no HTTP', '\u0016\u0003\u0001hello\r\n\r\n', ''],
    ['HTTP of version 9', 'GET / HTTP/9.9\r\n\r\n', ''],
  ])('%s is closed without an answer that helps', async (_what, first, more) => {
    const said = await speak(first, more);
    expect(said).not.toMatch(/^HTTP\/1\.1 2/);
    expect((await rig.ask('/healthz')).status).toBe(200);
  });
});
