import { connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { expect, it, onTestFinished } from 'vitest';
import { secureApp } from '../../broker/http/secure.ts';

it('a connection for which the port itself has no room is counted', async () => {
  const server = createServer();
  const refused: string[][] = [];
  const shown = { now: () => ({ cert: '', key: '' }), onChange: () => () => {}, close: () => {} };
  secureApp({ server } as unknown as FastifyInstance, {
    gate: {
      open: () => () => {},
      guard: () => {},
      handshakes: () => 0,
      handshakesMax: 0,
      refuse: (...why) => refused.push(why),
      stop: () => {},
    },
    ...{ shown, own: shown, handshakeMsMax: 1_000 },
    limits: { connectionsPerAddress: 10, requestsPerSecond: 10 },
  });
  server.maxConnections = 1;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const sockets = [1, 2].map(() => connect(port, '127.0.0.1').on('error', () => {}));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const isClosed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));
  await Promise.race(sockets.map(isClosed));
  expect(refused).toEqual([
    ['127.0.0.1', 'too_many_connections', 'all connections of the port are taken'],
  ]);
});
