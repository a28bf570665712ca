// What somebody may is asked when it is done, not only when it is begun; and what one operator holds open is not all
// that there is.

import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { LIVE_EACH_MAX } from '../../broker/http/live.ts';
import type { Role } from '../../protocol/catalogue.ts';
import { COMMANDS, open, restart } from './http-rig.ts';
import { HERE } from './operators-rig.ts';

const BY = { name: 'root', address: HERE };

async function opened() {
  const back = await open();
  const enter = async (name: string, role: Role) => {
    const added = await back.operators.add(name, role, BY);
    if (!added.ok) throw new Error(added.reason);
    const { token } = added;
    const answer = await back.app.inject({
      ...{ method: 'POST', url: '/api/v1/session', payload: { token } },
    });
    return { token, session: answer.json<{ session: string }>().session };
  };
  await enter('root', 'admin');
  const url = new URL(await back.app.listen({ host: '127.0.0.1', port: 0 }));
  return { ...back, enter, url };
}

/** Sends the head of a request, waits, lets something happen, and only then sends its body. */
async function slowly(port: number, token: string, between: () => void): Promise<string> {
  const body = JSON.stringify(restart);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(
    `POST ${COMMANDS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nconnection: close\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  between();
  socket.write(body);
  let text = '';
  for await (const part of socket) text += String(part);
  return text.split('\r\n')[0] ?? '';
}

describe('a request whose body comes later', () => {
  it.each([
    ['is disabled', { enabled: false }, 'HTTP/1.1 401 Unauthorized'],
    ['has a lower role', { role: 'viewer' }, 'HTTP/1.1 403 Forbidden'],
    ['is somebody still', { role: 'admin' }, 'HTTP/1.1 202 Accepted'],
  ] as const)('is judged again when who asks %s meanwhile', async (_what, change, line) => {
    const { enter, operators, url } = await opened();
    const { session } = await enter('eve', 'oncall');
    const port = Number(url.port);
    expect(await slowly(port, session, () => operators.change('eve', change, BY))).toBe(line);
  });
});

describe('a download', () => {
  it.each([
    ['the session of who reads it', { enabled: false }],
    ['the role of who reads it', { role: 'viewer' }],
  ] as const)('ends with %s', async (_what, change) => {
    const { enter, operators, url, audit, fleet } = await opened();
    const { session } = await enter('eve', 'admin');
    const entry = { operator: 'root', action: 'x.y', subject: 'z', reason: 'r'.repeat(900) };
    fleet.database.transact(() => {
      for (let i = 0; i < 8_000; i += 1) audit.write({ ...entry, outcome: 'ok' });
    });
    const socket = connect({ port: Number(url.port), host: '127.0.0.1' });
    socket.write(
      `GET /api/v1/audit/export HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${session}\r\n\r\n`,
    );
    await new Promise((resolve) => socket.once('readable', resolve));
    operators.change('eve', change, BY);
    let text = '';
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.on('data', (part) => {
      text += String(part);
    });
    await ended;
    // Cut off, and not at its end in good order.
    expect(text.endsWith('0\r\n\r\n')).toBe(false);
  });
});

describe('live streams', () => {
  it('of one operator leave room for the others', async () => {
    const { enter, url, app } = await opened();
    const [eve, kim] = [await enter('eve', 'viewer'), await enter('kim', 'viewer')];
    const watch = async ({ session }: { session: string }) => {
      const headers = { authorization: `Bearer ${session}` };
      const answer = await fetch(`${url.origin}/api/v1/events/live`, { headers });
      return answer.status;
    };
    const statuses: number[] = [];
    for (let i = 0; i <= LIVE_EACH_MAX; i += 1) statuses.push(await watch(eve));
    statuses.push(await watch(kim));
    app.server.closeAllConnections();
    expect(statuses).toEqual([...Array(LIVE_EACH_MAX).fill(200), 503, 200]);
  });
});

it('whoever scrapes without being let in is told how', async () => {
  const { app } = await open({}, undefined, undefined, undefined, 'viewer');
  const answer = await app.inject({ url: '/metrics' });
  expect(answer.statusCode).toBe(401);
  expect(answer.json<{ detail: string }>().detail).toMatch(
    /tillwatch operators add.*--role viewer.*credentials_file.*http\.metrics: public/,
  );
});
