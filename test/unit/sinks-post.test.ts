import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { systemTimers } from '../../broker/clock.ts';
import { createHttpClient } from '../../broker/sinks/post.ts';

async function ask(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const times = { nowMs: 0 };
  const options = { headers: {}, timeoutMs: 5_000, timers: systemTimers };
  const client = createHttpClient({ ...options, nowMs: () => times.nowMs });
  onTestFinished(() => {
    client.close();
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  expect(await client.post(url, new Uint8Array(1), {})).toMatchObject({ ok: true, status: 204 });
  return { client, server, times };
}

const plain = (_: IncomingMessage, response: ServerResponse): void => {
  response.writeHead(204).end();
};

test('a connection that ends just after its use is told apart from one that had rested', async () => {
  const busy = await ask(plain);
  busy.server.closeAllConnections();
  await expect.poll(busy.client.drops).toEqual({ all: 1, busy: 1 });
  const rested = await ask(plain);
  rested.times.nowMs += 60_000;
  rested.server.closeAllConnections();
  await expect.poll(rested.client.drops).toEqual({ all: 1, busy: 0 });
});

test('one that was announced is no news', async () => {
  let ended = false;
  const { client } = await ask((request, response) => {
    request.socket.once('close', () => {
      ended = true;
    });
    response.writeHead(204, { connection: 'close' }).end();
  });
  await expect.poll(() => ended).toBe(true);
  await new Promise((done) => setTimeout(done, 50));
  expect(client.drops()).toEqual({ all: 0, busy: 0 });
});
