// What the ingest is held against: the same embedded broker with every option as ours has it, a rule that
// answers at once, and nobody who subscribes. What it takes is what aedes itself can.

import { createServer } from 'node:net';
import { Aedes } from 'aedes';

const aedes = await Aedes.createBroker({
  id: 'bare',
  concurrency: 0,
  heartbeatInterval: 60_000,
  connectTimeout: 10_000,
  drainTimeout: 10_000,
  keepaliveLimit: 300,
  queueLimit: 8,
  maxInflightInbound: 1,
  maxClientsIdLength: 32,
  maxTopicLevels: 8,
  trustProxy: false,
  trustedProxies: [],
  authorizePublish: (_client, _packet, next) => next(null),
});
const server = createServer({ noDelay: true }, aedes.handle);
server.listen({ host: '127.0.0.1', port: 0, backlog: 1_024 }, () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
