import { once } from 'node:events';
import { Agent, get as httpGet } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock, systemTimers } from '../../broker/clock.ts';
import { type HttpOptions, startHttp } from '../../broker/http/server.ts';
import { createMetrics } from '../../broker/metrics.ts';
import { nobodyAsksForLogs, nobodySignsIn, unused } from '../unit/operators-none.ts';

const options: HttpOptions = {
  host: '127.0.0.1',
  port: 0,
  token: 'a-token-that-nobody-guesses-0123456789',
  fleet: {
    view: () => undefined,
    search: unused,
    rollup: unused,
    eventPage: () => ({ events: [], next: 0, more: false }),
    eventEdges: () => ({ oldest: 1, newest: 0 }),
    onEvents: () => () => {},
    unready: () => undefined,
  },
  ...nobodySignsIn,
  audit: { page: unused, head: unused, exportLines: unused, write: unused, refuse: () => {} },
  logs: { ...nobodyAsksForLogs, get: () => undefined, list: () => [] },
  commands: {
    create: () => ({ ok: true, id: 'x', state: 'pending', trace: '' }),
    ...{ get: () => undefined, list: () => [], cancel: unused },
  },
  metrics: createMetrics(),
  nowMs: Date.now,
  timers: systemTimers,
  log: { info: () => {}, warn: () => {}, error: () => {} },
};

async function start(more: Partial<HttpOptions> = {}) {
  const started = await startHttp({ ...options, ...more });
  if (!started.ok) throw new Error(started.reason);
  onTestFinished(started.value.stop);
  return started.value;
}

/** Sends bytes as they are. @returns all that came back until the server closed. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let answer = '';
  socket.on('data', (data) => {
    answer += data.toString();
  });
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

it('says in one sentence that a port is taken, and by which setting to change it', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  expect(await startHttp({ ...options, port })).toEqual({
    ok: false,
    reason: expect.stringMatching(new RegExp(`^http.port: 127.0.0.1:${port} is taken by .*$`)),
  });
});

it('closes connections that only wait as soon as it stops', async () => {
  // Without the timer that ends the grace: what closes them must be the stop itself.
  const http = await start({ timers: { after: () => () => {}, every: () => () => {} } });
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const url = { port: http.port, host: '127.0.0.1', path: '/healthz', agent };
  const status = await new Promise((resolve, reject) => {
    const request = httpGet(url, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    request.on('error', reject);
  });
  expect(status).toBe(200);
  const before = systemClock.monotonicMs();
  await Promise.all([http.stop(), http.stop()]);
  // An idle connection would otherwise last for its keep-alive of 5 s.
  expect(systemClock.monotonicMs() - before).toBeLessThan(4_000);
});

it('ends a connection that never asks anything after a moment of grace', async () => {
  const http = await start();
  const silent = connect(http.port, '127.0.0.1');
  onTestFinished(() => void silent.destroy());
  silent.on('error', () => {});
  silent.resume();
  await once(silent, 'connect');
  const closed = once(silent, 'close');
  await http.stop();
  await closed;
});

it('answers what is not HTTP with 400 in the same shape, and stays up', async () => {
  const http = await start();
  for (const text of [
    '\x16\x03\x01\x02\x00garbage\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'x'.repeat(90_000),
  ]) {
    expect(await raw(http.port, text)).toMatch(
      /^HTTP\/1.1 4\d\d [\s\S]*problem\+json[\s\S]*"status":4/,
    );
  }
  const fine = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  expect(await raw(http.port, fine)).toMatch(/^HTTP\/1.1 200 OK/);
});

it('refuses a body that says it is huge before it is sent', async () => {
  const http = await start();
  const answer = await raw(
    http.port,
    'POST /api/v1/terminals/lane-1/commands HTTP/1.1\r\nHost: x\r\nConnection: close\r\n' +
      `Authorization: Bearer ${options.token}\r\nContent-Type: application/json\r\n` +
      'Content-Length: 60000000\r\n\r\n',
  );
  expect(answer).toMatch(/^HTTP\/1.1 413/);
});
