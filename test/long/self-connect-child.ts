// Probes a port on which nobody listens, in a network of its own where few others can be the sender's; tells what it heard.

import { realPorts } from '../../agent/system.ts';
import { startProbe } from '../../agent/watchdog/probes.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const heard: string[] = [];
const spec = {
  kind: 'tcp',
  host: '127.0.0.1',
  port: 40_000,
  everyMs: 10,
  timeoutMs: 1_000,
} as const;
startProbe(spec, { ...realPorts(), log }, (ok, reason) => {
  heard.push(`${ok} ${reason}`);
  if (heard.length < 100) return;
  process.stdout.write(JSON.stringify([...new Set(heard)].sort()));
  process.exit();
});
