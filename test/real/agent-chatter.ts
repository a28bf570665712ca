// A component with ten thousand quick requests in its queue, each a work item of its own, and for good measure
// so many words that the agent has to slow it down. It never hangs.

import { connect } from 'node:net';
import { connectChannel } from '../../agent/channel/client.ts';

const requests = Number(process.argv[2]);
process.on('SIGTERM', () => process.exit(0));
setInterval(() => undefined, 1_000);
const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

/** As a client in another language may do it: every item is told at once. */
async function chatter(): Promise<void> {
  const { env } = process;
  const socket = connect(env['TILLWATCH_SOCKET'] ?? '');
  const say = (line: object): boolean => socket.write(`${JSON.stringify(line)}\n`);
  const [component, instance, token] = ['COMPONENT', 'INSTANCE', 'TOKEN'].map(
    (name) => env[`TILLWATCH_${name}`],
  );
  say({ kind: 'hello', v: 1, role: 'main', component, instance, token, pid: process.pid });
  say({ kind: 'ready' });
  setInterval(() => say({ kind: 'beat', loopDelayMsMax: 1 }), 500);
  for (let n = 0; n < requests; n += 1) {
    say({ kind: 'begin', id: String(n), name: 'request', deadlineMs: 1_000 });
    await turn();
    if (!say({ kind: 'end', id: String(n), ok: true })) {
      await new Promise((done) => socket.once('drain', done));
    }
  }
}

if (process.argv[3] === 'raw') await chatter();
else {
  const channel = connectChannel({ onStop: () => process.exit(0) });
  channel.ready();
  for (let n = 0; n < requests; n += 1) {
    const item = channel.begin('request', 1_000);
    await turn();
    item.end();
  }
}
