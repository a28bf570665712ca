// Models, because the real ones cannot run here: a systemd service needs systemd as PID 1, a liveness probe a
// kubelet. Each does what the manual says and nothing else, in a process of its own, with one JSON order in argv.
// systemd.service(5): Restart=always, RestartSec=100ms, no start limit; WatchdogSec=: SIGABRT when no WATCHDOG=1 came in
// time, SIGCONT with it, SIGKILL after TimeoutAbortSec=; KillMode=control-group: the rest is ended too. Kubernetes:
// httpGet each periodSeconds, failureThreshold in a row, SIGTERM, SIGKILL after 30 s; each failure counts as a first one,
// as for Tillwatch, so there is no backoff (10 s doubling from the second on). The control group is modelled by a mark in the environment, which children inherit.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { ask, type Till } from './till.ts';

export type ModelOrder = {
  readonly till: Till;
  readonly log: string;
  readonly output: string;
} & (
  | { readonly kind: 'systemd'; readonly watchdogMs: number | undefined }
  | {
      readonly kind: 'kubelet';
      readonly periodMs: number;
      readonly timeoutMs: number;
      readonly failures: number;
    }
);
const order = JSON.parse(process.argv[2] ?? '{}') as ModelOrder;
const { till } = order;

const STOP_MS = 90_000;
const POD_GRACE_MS = 30_000;
const RESTART_MS = 100;

const mark = randomUUID();
const socketPath = `${till.dir}/notify.sock`;
let child: ChildProcess | undefined;
let watchdog: NodeJS.Timeout | undefined;
let ending = false;

const say = (text: string): void =>
  appendFileSync(order.log, `${new Date().toISOString()} ${text}\n`);

function members(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`MODEL=${mark}`);
      } catch {
        return false;
      }
    });
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, name);
  } catch {
    // It ended by itself.
  }
}

/** systemd sends SIGCONT with whatever it asks to end by, so that a stopped process can hear it. */
function askToEnd(name: NodeJS.Signals, graceMs: number): void {
  const { pid } = child ?? {};
  signal(pid, name);
  if (order.kind === 'systemd') signal(pid, 'SIGCONT');
  const asked = child;
  setTimeout(() => {
    if (child === asked) signal(pid, 'SIGKILL');
  }, graceMs);
}

function start(): void {
  const file = openSync(order.output, 'a');
  const [program, ...rest] = till.command;
  const beats =
    order.kind === 'systemd' && order.watchdogMs !== undefined
      ? { BENCH_NOTIFY: socketPath, BENCH_NOTIFY_MS: String(order.watchdogMs) }
      : {};
  child = spawn(program, rest, {
    stdio: ['ignore', file, file],
    detached: true,
    cwd: till.dir,
    env: { ...process.env, ...till.env, ...beats, MODEL: mark },
  });
  child.once('exit', (code, name) => {
    clearTimeout(watchdog);
    say(`till ended: ${code ?? name}`);
    for (const pid of members()) signal(pid, 'SIGKILL');
    child = undefined;
    if (ending) process.exit(0);
    setTimeout(start, order.kind === 'systemd' ? RESTART_MS : 0);
  });
}

function alive(pid: number): void {
  if (order.kind !== 'systemd' || order.watchdogMs === undefined || pid !== child?.pid) return;
  clearTimeout(watchdog);
  watchdog = setTimeout(() => {
    say('till: watchdog timeout');
    askToEnd('SIGABRT', STOP_MS);
  }, order.watchdogMs);
}

function hear(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.setEncoding('utf8').on('data', (text: string) => {
    for (const [, pid] of text.matchAll(/(?:READY|WATCHDOG)=1 (\d+)/g)) alive(Number(pid));
  });
}

async function probe(periodMs: number, timeoutMs: number, failures: number): Promise<void> {
  let failed = 0;
  let held: ChildProcess | undefined;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, periodMs));
    // After a failure it is on hold until there is a new container.
    if (child === undefined || child === held) continue;
    const asked = child;
    const answered = (await ask(till, '/healthz', timeoutMs)) !== undefined;
    failed = answered || asked !== child ? 0 : failed + 1;
    if (failed < failures) continue;
    say('till: liveness probe failed');
    held = child;
    failed = 0;
    askToEnd('SIGTERM', POD_GRACE_MS);
  }
}

process.on('SIGTERM', () => {
  ending = true;
  if (child === undefined) process.exit(0);
  askToEnd('SIGTERM', order.kind === 'systemd' ? STOP_MS : POD_GRACE_MS);
});
createServer(hear).listen(socketPath, start);
if (order.kind === 'kubelet') void probe(order.periodMs, order.timeoutMs, order.failures);
