// A component that counts how often its metrics were read: each snapshot that an agent takes then carries a
// number of its own, given out by somebody who is neither agent nor broker. The last one given out stands
// in COUNTER_FILE.

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connectChannel } from '../../agent/channel/client.ts';

const file = process.env['COUNTER_FILE'] ?? '';
let given = 0;
const server = createServer((_request, response) => {
  given += 1;
  writeFileSync(file, String(given));
  response.end(`# TYPE scrapes_total counter\nscrapes_total ${given}\n`);
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  const channel = connectChannel({ onStop: () => process.exit(0) });
  channel.ready({ metricsUrl: `http://127.0.0.1:${port}/metrics` });
});
process.on('SIGTERM', () => process.exit(0));
