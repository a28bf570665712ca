// A supervisor of its own process, so that a test can kill it: spawns (or adopts) one component with the real
// control and says what happened, one JSON object a line. Its input is one JSON object in argv.

import { appendFileSync } from 'node:fs';
import { realPorts } from '../../agent/system.ts';
import { createControl, type SpawnSpec } from '../../agent/watchdog/control.ts';

type Order = { runDir: string; report: string; spec: SpawnSpec; stopAfter?: string };
const order = JSON.parse(process.argv[2] ?? '{}') as Order;
// To a file and not a pipe: the test must be able to read it after a kill.
const say = (line: Record<string, unknown>): void =>
  appendFileSync(order.report, `${JSON.stringify(line)}\n`);
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

const ports = realPorts();
const { processes } = ports;
const dieAt = (step: string): void => {
  if (order.stopAfter === step) process.kill(process.pid, 'SIGKILL');
};
const watched = {
  ...ports,
  processes: {
    ...processes,
    start: async (...rest: Parameters<typeof processes.start>) => {
      dieAt('record');
      const started = await processes.start(...rest);
      dieAt('start');
      return started;
    },
  },
};

const control = createControl({ runDir: order.runDir, ports: watched, log });
const spawned = await control.spawn(order.spec, (exit) => say({ kind: 'exit', ...exit }));
if (spawned.ok) {
  control.record(spawned.value, { ready: true, turns: true });
  say({ kind: 'spawned', pid: spawned.value.pid, shimPid: spawned.value.shimPid });
} else say({ kind: 'failed', reason: spawned.reason });
setInterval(() => undefined, 1_000);
