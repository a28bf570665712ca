// A component that uses a whole core for ever in slices of a third of a second, and yet always comes back to
// its main loop: the kind of busy that must never be taken for a hang.

import { connectChannel } from '../../agent/channel/client.ts';

const SLICE_MS = 350;
const channel = connectChannel({ onStop: () => process.exit(0) });
process.on('SIGTERM', () => process.exit(0));
channel.ready();
channel.busy('toil', 'there is always more to do', 60_000);

setInterval(() => {
  const untilMs = performance.now() + SLICE_MS;
  while (performance.now() < untilMs) Math.sqrt(untilMs);
}, SLICE_MS + 20);
