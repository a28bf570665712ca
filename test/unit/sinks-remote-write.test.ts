import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcp, type Socket, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemTimers } from '../../broker/clock.ts';
import type { LedgerRow } from '../../broker/ledger-reader.ts';
import { createBudget } from '../../broker/sinks/budget.ts';
import { createRemoteWrite } from '../../broker/sinks/remote-write.ts';
import { uncompress } from '../../broker/sinks/snappy.ts';
import type { Sink } from '../../broker/sinks/types.ts';
import { packBody } from '../../protocol/body.ts';
import { encodeMetricBody } from '../../protocol/metric-body.ts';
import { EPOCH_HEX, makeBatch } from '../real/front-rig.ts';

const NOW_MS = 1_790_000_000_000;
const row = (id: number, samples = 10): LedgerRow => ({
  id,
  terminal: `lane-${id}`,
  epoch: EPOCH_HEX,
  stream: 'metrics',
  seq: id,
  receivedMs: NOW_MS,
  bytes: makeBatch(id, {
    stream: 'metrics',
    ...packBody(
      encodeMetricBody(
        Array.from({ length: samples }, (_, i) => ({
          timeMs: NOW_MS - (samples - i) * 15_000,
          samples: [{ name: 'pos_a', labels: {}, value: i }],
        })),
      ),
    ),
  }),
});
const rows = [row(1), row(2), row(3)];

type Got = {
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly url: string;
};
type Reply = { status: number; text?: string; headers?: Record<string, string> } | 'hang' | 'reset';

let server: Server | TcpServer | undefined;
let sink: Sink | undefined;
afterEach(() => {
  sink?.close();
  (server as Server | undefined)?.closeAllConnections?.();
  server?.close();
});

async function receiver(answer: (got: Got, n: number) => Reply) {
  const got: Got[] = [];
  const open = createServer((request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = { headers: request.headers, body: Buffer.concat(chunks), url: request.url ?? '' };
      got.push(one);
      const reply = answer(one, got.length);
      if (reply === 'reset') request.socket.destroy();
      else if (reply !== 'hang')
        response.writeHead(reply.status, reply.headers).end(reply.text ?? '');
    });
  }).listen(0, '127.0.0.1');
  server = open;
  await once(open, 'listening');
  return { got, port: (open.address() as { port: number }).port };
}

function make(port: number, more: { bearerTokenFile?: string; batchSamples?: number } = {}) {
  const results: string[] = [];
  sink = createRemoteWrite({
    name: 'db',
    url: `http://127.0.0.1:${port}/api/v1/write`,
    headers: { 'X-Scope-OrgID': 'shops' },
    timeoutMs: 300,
    batchSamples: 10,
    budget: createBudget(300, () => 0),
    storeOf: () => 'store-1',
    nowMs: () => NOW_MS,
    timers: systemTimers,
    onRequest: (result) => results.push(result),
    ...more,
  });
  return { sink, results };
}

describe('remote write', () => {
  it('sends what the specification says, to the letter', async () => {
    const { got, port } = await receiver(() => ({ status: 204 }));
    expect(await make(port).sink.send(rows)).toEqual({ kind: 'taken', items: 30, buried: [] });
    expect(got).toHaveLength(3);
    expect(got[0]?.url).toBe('/api/v1/write');
    expect(got[0]?.headers).toMatchObject({
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf',
      'x-prometheus-remote-write-version': '0.1.0',
      'user-agent': expect.stringMatching(/^tillwatch\//),
      'x-scope-orgid': 'shops',
    });
    expect(uncompress(got[0]?.body ?? Buffer.alloc(0)).length).toBeGreaterThan(100);
  });

  it('sends the same bytes again, and not what was taken before', async () => {
    const { got, port } = await receiver((_, n) => ({ status: n === 2 || n === 3 ? 503 : 204 }));
    const { sink: db, results } = make(port);
    expect(await db.send(rows)).toMatchObject({ kind: 'again', lost: false });
    expect(await db.send(rows)).toMatchObject({ kind: 'again' });
    expect(await db.send(rows)).toMatchObject({ kind: 'taken', items: 30 });
    expect(got).toHaveLength(5);
    expect([got[2]?.body, got[3]?.body]).toEqual([got[1]?.body, got[1]?.body]);
    expect(results).toEqual(['taken', 'unavailable', 'unavailable', 'taken', 'taken']);
  });

  it('waits as long as a throttling database asks for', async () => {
    const { port } = await receiver(() => ({ status: 429, headers: { 'retry-after': '17' } }));
    expect(await make(port).sink.send(rows)).toMatchObject({ kind: 'again', afterMs: 17_000 });
  });

  it('does not wait for ever for one that takes and never answers', async () => {
    const { port } = await receiver(() => 'hang');
    expect(await make(port).sink.send(rows)).toMatchObject({
      kind: 'again',
      lost: true,
      reason: expect.stringContaining('no answer within 0.3 s'),
    });
  });

  it('nor for one that takes the connection and reads nothing', async () => {
    const sockets: Socket[] = [];
    const half = createTcp((socket) => sockets.push(socket.pause())).listen(0, '127.0.0.1');
    server = half;
    await once(half, 'listening');
    const { port } = half.address() as { port: number };
    expect(await make(port).sink.send(rows)).toMatchObject({ kind: 'again', lost: true });
    for (const socket of sockets) socket.destroy();
  });

  it('goes on after a connection that breaks and a port where nobody listens', async () => {
    const { port } = await receiver((_, n) => (n === 1 ? 'reset' : { status: 204 }));
    const { sink: db } = make(port);
    expect(await db.send(rows)).toMatchObject({ kind: 'again', lost: true });
    await expect.poll(() => db.drops?.().all ?? 0).toBeGreaterThan(0);
    expect(await db.send(rows)).toMatchObject({ kind: 'taken', items: 30 });
    expect(await make(1).sink.send(rows)).toMatchObject({
      kind: 'again',
      reason: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('follows no redirect, to which a token would travel', async () => {
    const { got, port } = await receiver(() => ({ status: 307, headers: { location: '/other' } }));
    expect(await make(port).sink.send(rows)).toMatchObject({ kind: 'again' });
    expect(got.map(({ url }) => url)).toEqual(['/api/v1/write']);
  });

  it('reads its token anew at each request, and waits while there is none', async () => {
    const { got, port } = await receiver(({ headers }) => {
      return { status: headers.authorization === 'Bearer two' ? 204 : 401 };
    });
    const file = join(tmpdir(), `tw-token-${process.pid}`);
    const { sink: db } = make(port, { bearerTokenFile: file });
    expect(await db.send(rows)).toMatchObject({
      kind: 'again',
      reason: expect.stringContaining('ENOENT'),
    });
    expect(got).toHaveLength(0);
    writeFileSync(file, 'one\n');
    expect(await db.send(rows)).toMatchObject({
      kind: 'again',
      reason: expect.stringContaining('401'),
    });
    writeFileSync(file, 'two\n');
    expect(await db.send(rows)).toMatchObject({ kind: 'taken' });
    rmSync(file);
  });

  it('buries nothing where everything is refused in words that nobody knows', async () => {
    const { port } = await receiver(() => ({
      status: 400,
      text: 'plain HTTP sent to an HTTPS port',
    }));
    expect(await make(port).sink.send(rows)).toMatchObject({
      kind: 'again',
      reason: expect.stringContaining('even a request without samples'),
    });
  });

  it('buries what alone is refused in such words, and nothing else', async () => {
    const { port } = await receiver(({ body }) => {
      const strange = Buffer.from(uncompress(body)).includes('lane-2');
      return strange ? { status: 400, text: 'strange' } : { status: 204 };
    });
    const { sink: db } = make(port, { batchSamples: 1_000 });
    expect(await db.send(rows)).toMatchObject({
      kind: 'taken',
      items: 20,
      buried: [{ terminal: 'lane-2', reason: 'refused', count: 10 }],
    });
  });

  it('does not repeat for ever what is answered with 500 and is too old', async () => {
    const { port } = await receiver(() => ({ status: 500, text: 'too old sample' }));
    expect(await make(port).sink.send(rows)).toMatchObject({ kind: 'taken', items: 0 });
  });

  it('halves what is too large, down to where it fits', async () => {
    const { port } = await receiver(({ body }) => ({ status: body.length > 150 ? 413 : 204 }));
    const { sink: db } = make(port, { batchSamples: 1_000 });
    expect(await db.send(rows)).toEqual({ kind: 'taken', items: 30, buried: [] });
  });

  it('ends at once when it is closed', async () => {
    const { port } = await receiver(() => 'hang');
    const { sink: db } = make(port);
    const sent = db.send(rows);
    await new Promise((resolve) => setTimeout(resolve, 50));
    db.close();
    expect(await sent).toMatchObject({ kind: 'again', reason: expect.stringContaining('stopped') });
  });
});

describe('the self-test', () => {
  it('of a database that tells no flags asks with samples of now and of an hour ago', async () => {
    const past = { status: 400, text: 'out of order sample' };
    const { port } = await receiver(({ url }, n) => {
      if (url !== '/api/v1/write') return { status: 404 };
      return n === 2 ? past : { status: 204 };
    });
    const { sink: db } = make(port);
    const [sentence, ...others] = await db.check();
    expect(sentence).toContain('storage.tsdb.out_of_order_time_window');
    expect([others, db.keepsOnce?.()]).toEqual([[], false]);
    // The third request on takes everything.
    expect([await db.check(), db.keepsOnce?.()]).toEqual([[], true]);
  });

  it('says who cannot be reached, without the secrets of the address', async () => {
    const [sentence] = await make(1).sink.check();
    expect(sentence).toContain('http://127.0.0.1:1/api/v1/write cannot be reached');
  });
});
