// The peer: a bare TLS server in Node that asks for a client certificate and says back what it hears. What ours costs
// above this is the gate, the certificate's reading, MQTT and the session.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';
import type { BenchFleet } from './fleet.ts';

const fleet: BenchFleet = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const server = createServer(
  {
    ...{ cert: fleet.cert, key: fleet.key, ca: [fleet.authority] },
    ...{ requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
    ALPNProtocols: ['mqtt'],
  },
  (socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => socket.write(chunk));
  },
);
server.on('tlsClientError', () => {});
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  process.stdout.write(`${JSON.stringify({ port: address.port })}\n`);
});
process.on('SIGTERM', () => process.exit(0));
