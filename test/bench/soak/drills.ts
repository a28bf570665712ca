// What a soak does to a till: faults of one component, each with the cause that the watchdog should find, and
// troubles of the whole machine, which are nobody's fault and after which nothing may have been restarted.

import { type ChildProcess, spawn } from 'node:child_process';
import { request } from 'node:http';
import { cpus } from 'node:os';
import { sleep, until } from '../harness.ts';
import type { Rig } from '../rig.ts';
import type { Dice } from './dice.ts';
import { type Lives, readPort } from './lives.ts';

export const HEALED_MS_MAX = 60_000;
const PAUSE_MS = 5_000;
const STARVE_MS = 8_000;
const FLOOD_MS = 4_000;

export type Fault = { readonly name: string; readonly cause: string | undefined };
type Send = (rig: Rig, component: string, pid: number) => void;

function post(rig: Rig, component: string, path: string, body: string): void {
  const port = readPort(rig, component)?.port;
  const headers = { 'content-type': 'application/json' };
  const options = { host: '127.0.0.1', port, path, method: 'POST', agent: false, headers };
  // Whoever hangs never answers: that is the point.
  const req = request({ ...options, timeout: 1_000 }, (res) => res.resume());
  req.once('timeout', () => req.destroy());
  req.once('error', () => undefined);
  req.end(body);
}
const till =
  (kind: string): Send =>
  (rig, component) =>
    post(rig, component, '/fault', JSON.stringify({ kind }));
const order =
  (kind: string): Send =>
  (rig, component) =>
    post(rig, component, `/fault?kind=${kind}`, '');
const signal =
  (name: NodeJS.Signals): Send =>
  (_rig, _component, pid) => {
    process.kill(pid, name);
  };

const killed = { name: 'crash', cause: 'crash', send: signal('SIGKILL') };
const stopped = { name: 'stop', cause: 'hang', send: signal('SIGSTOP') };
const real: readonly (Fault & { send: Send })[] = [
  killed,
  stopped,
  { name: 'deadlock', cause: 'hang', send: till('deadlock') },
  { name: 'spin', cause: 'hang', send: till('hang') },
  { name: 'spin, allocating', cause: 'hang', send: till('spin') },
  { name: 'exit', cause: 'crash', send: till('exit') },
  { name: 'throw', cause: 'crash', send: till('throw') },
];
const ofComponent: Readonly<Record<string, readonly (Fault & { send: Send })[]>> = {
  hardware: real,
  sale: real,
  sync: real,
  order: [
    killed,
    stopped,
    { name: 'deadlock', cause: 'hang', send: order('deadlock') },
    { name: 'spin', cause: 'hang', send: order('spin') },
    // It beats and answers, and its work never ends: only a deadline tells.
    { name: 'stall under beats', cause: 'stalled', send: order('stall') },
    { name: 'log flood', cause: undefined, send: order('flood') },
  ],
};
export const COMPONENTS = Object.keys(ofComponent);

export type Done = Fault & {
  readonly component: string;
  readonly beside: string | undefined;
  readonly fromMs: number;
  readonly toMs: number;
  /** To the first answer of the next process; undefined: not within HEALED_MS_MAX, or nothing to heal. */
  readonly healedMs: number | undefined;
};

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const req = request(
      { host: '127.0.0.1', port, path: '/healthz', agent: false, timeout: 500 },
      (res) => {
        res.resume();
        res.once('end', () => resolve(res.statusCode === 200));
      },
    );
    req.once('timeout', () => req.destroy());
    req.once('error', () => resolve(false));
    req.once('close', () => resolve(false));
    req.end();
  });

async function healed(rig: Rig, component: string, before: number): Promise<number | undefined> {
  const endMs = performance.now() + HEALED_MS_MAX;
  while (performance.now() < endMs) {
    const next = readPort(rig, component);
    if (next !== undefined && next.pid !== before && (await answers(next.port))) return Date.now();
    await sleep(20);
  }
  return undefined;
}

/** One fault of one component, until it serves again. */
export async function drillComponent(
  rig: Rig,
  lives: Lives,
  dice: Dice,
  beside: string | undefined,
): Promise<Done> {
  const component = dice.one(COMPONENTS);
  const { name, cause, send } = dice.one(ofComponent[component] ?? []);
  const pid = await until(`${component} to serve`, async () => {
    const now = readPort(rig, component);
    return now !== undefined && (await answers(now.port)) ? now.pid : undefined;
  });
  const about = { name, cause, component, beside };
  const fromMs = Date.now();
  if (cause === undefined) {
    send(rig, component, pid);
    await sleep(FLOOD_MS);
    return { ...about, fromMs, toMs: Date.now(), healedMs: undefined };
  }
  const over = lives.drilled(component);
  send(rig, component, pid);
  const atMs = await healed(rig, component, pid);
  over();
  return { ...about, fromMs, toMs: Date.now(), healedMs: atMs && atMs - fromMs };
}

const gone = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });

const machine: Readonly<Record<string, (rig: Rig, dice: Dice) => Promise<void>>> = {
  'agent killed': async (rig, dice) => {
    const { agent } = rig;
    agent.kill('SIGKILL');
    await gone(agent);
    await sleep(dice.between(100, 3_000));
    rig.startAgent();
  },
  'agent paused 5 s': async ({ agent }) => {
    agent.kill('SIGSTOP');
    await sleep(PAUSE_MS);
    agent.kill('SIGCONT');
  },
  'machine starved': async () => {
    const busy = Array.from({ length: cpus().length * 2 }, () =>
      spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
    );
    await sleep(STARVE_MS);
    for (const child of busy) child.kill('SIGKILL');
    await Promise.all(busy.map(gone));
  },
};
export const TROUBLES = Object.keys(machine);

export const drillMachine = (rig: Rig, dice: Dice, name: string): Promise<void> =>
  machine[name]?.(rig, dice) ?? Promise.resolve();
