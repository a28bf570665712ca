// The test of each hop on the way to the broker ends what it opens, also where the far side accepts and says nothing.

import { createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { tryHops } from '../../agent/system/hops.ts';

const sockets: Socket[] = [];
const server = createServer((socket) => {
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.resume();
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

test('a handshake that nobody answers is given up and its connection closed', async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  const due: (() => void)[] = [];
  const timers = {
    after: (_ms: number, run: () => void) => {
      due.push(run);
      return () => undefined;
    },
    every: () => () => undefined,
  };
  const hops = tryHops(
    {
      addresses: [{ host: '127.0.0.1', port }],
      credentials: { authorities: [] } as never,
    },
    undefined,
    { clock: { monotonicMs: () => 0 }, timers, time: () => ({ nowMs: undefined, floorMs: 0 }) },
  );
  // One connection that is only opened, and one with a handshake.
  while (sockets.length < 2) await new Promise((done) => setTimeout(done, 5));
  for (const run of due.splice(0)) run();
  expect((await hops).at(-1)).toMatchObject({ hop: 'handshake', ok: false });
  while (sockets.some(({ closed }) => !closed)) await new Promise((done) => setTimeout(done, 5));
});
