// An instrumented component whose remote party is not there: it tries again and again, says so, and is well. No
// watchdog may restart it for that: a restart brings no line back.

import { connect } from 'node:net';
import { connectChannel } from '../../../agent/channel/client.ts';

const TRY_EVERY_MS = 500;
const TRY_MS_MAX = 2_000;
/** Nothing listens there. */
const REMOTE = { host: '127.0.0.1', port: 1 };

const channel = connectChannel({ onStop: () => process.exit(0) });
process.on('SIGTERM', () => process.exit(0));
channel.ready();

setInterval(() => {
  const work = channel.begin('upload', TRY_MS_MAX);
  const socket = connect(REMOTE);
  socket.on('error', () => work.end(false));
  socket.on('connect', () => socket.destroy());
  channel.status('head office does not answer');
}, TRY_EVERY_MS);
