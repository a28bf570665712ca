// The two models (model.ts) as peers: a systemd service as most units are, the same with the shortest WatchdogSec=
// that surely spares a four second computation as ours does (8 s: it is told at half of it), and a Kubernetes liveness probe with the documented defaults.

import { join, resolve } from 'node:path';
import type { ModelOrder } from './model.ts';
import { foreground, type Peer, type Supervisor } from './peer.ts';
import type { Till } from './till.ts';

const END_MS = 35_000;
const model = resolve(import.meta.dirname, 'model.ts');

type Kind =
  | { kind: 'systemd'; watchdogMs: number | undefined }
  | { kind: 'kubelet'; periodMs: number; timeoutMs: number; failures: number };

function start(till: Till, kind: Kind): Promise<Supervisor> {
  const [log, output] = [join(till.dir, 'model.log'), join(till.dir, 'out.log')];
  const order: ModelOrder = { till, log, output, ...kind };
  const command = [process.execPath, model, JSON.stringify(order)];
  const process_ = foreground(command, join(till.dir, 'model.out'), {}, till.dir);
  process_.start();
  return Promise.resolve({
    // PID 1 and a kubelet are no part of the comparison: nobody kills the first, and containers outlive the other.
    pid: () => undefined,
    record: { file: log, found: /till(: watchdog timeout|: liveness probe failed| ended)/ },
    output: () => [output],
    again: () => Promise.resolve(),
    stop: () => process_.end('SIGTERM', END_MS),
  });
}

export const modelPeers: readonly Peer[] = [
  {
    key: 'systemdModel',
    name: 'systemd (model)',
    settings: 'Restart=always RestartSec=100ms, WatchdogSec= unset as by default',
    model: true,
    blind: 'WatchdogSec= is 0 by default',
    missing: () => undefined,
    start: (till) => start(till, { kind: 'systemd', watchdogMs: undefined }),
  },
  {
    key: 'systemdWatchdogModel',
    name: 'systemd, watchdog',
    settings:
      'model: the same with WatchdogSec=8s, TimeoutAbortSec=90s; the program sends WATCHDOG=1',
    model: true,
    phaseMs: 4_000,
    missing: () => undefined,
    start: (till) => start(till, { kind: 'systemd', watchdogMs: 8_000 }),
  },
  {
    key: 'kubernetesModel',
    name: 'Kubernetes (model)',
    settings: 'model: livenessProbe httpGet 10 s, 1 s, 3 failures; 30 s grace; no backoff',
    model: true,
    waitMs: 75_000,
    phaseMs: 10_000,
    missing: () => undefined,
    start: (till) =>
      start(till, { kind: 'kubelet', periodMs: 10_000, timeoutMs: 1_000, failures: 3 }),
  },
];
