// What the tests of process control share: a temporary run directory with a space in its name, ways to start a
// component here or under a supervisor that is then killed, and the end of everything by instance mark.

import { type ChildProcess, spawn as spawnChild } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect } from 'vitest';
import { realPorts } from '../../agent/system.ts';
import {
  type Adopted,
  type Control,
  createControl,
  type Exit,
  type Life,
  type SpawnSpec,
} from '../../agent/watchdog/control.ts';
import { killTree, scan } from '../../agent/watchdog/tree.ts';

const here = dirname(fileURLToPath(import.meta.url));
const FAULT = join(here, 'fault.ts');
const SUPERVISOR = join(here, 'control-supervisor.ts');
export const ports = realPorts();
export const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
export const env = { PATH: process.env['PATH'] ?? '' };

export let runDir: string;
export let control: Control;
let instances: string[];
let supervisors: ChildProcess[];

beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'tw run '));
  control = createControl({ runDir, ports, log });
  instances = [];
  supervisors = [];
});
afterEach(async () => {
  for (const child of supervisors) child.kill('SIGKILL');
  const nobody = { bootId: ports.clock.bootId(), pid: 0, startTicks: -1 };
  for (const instance of instances) {
    const { survivors } = await killTree(ports, { instance, main: nobody, shim: nobody });
    expect(survivors).toEqual([]);
  }
  rmSync(runDir, { recursive: true, force: true });
});

export function specOf(command: readonly string[], change: Partial<SpawnSpec> = {}): SpawnSpec {
  const instance = randomUUID();
  instances.push(instance);
  const logFile = join(runDir, 'logs', 'front till', `${instance}.log`);
  return { component: 'front till', instance, token: 'secret', command, env, logFile, ...change };
}
export const fault = (...flags: string[]): readonly string[] => [process.execPath, FAULT, ...flags];

export async function until<T>(
  what: string,
  look: () => T | undefined | false,
  ms = 20_000,
): Promise<T> {
  const untilMs = performance.now() + ms;
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > untilMs) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
export const output = (life: { logFile: string }): string =>
  existsSync(life.logFile) ? readFileSync(life.logFile, 'utf8') : '';
export const says = (life: { logFile: string }, word: string) =>
  until(word, () => output(life).includes(word));
export const isRunning = (pid: number): boolean =>
  scan(ports.files).some((stat) => stat.pid === pid);

export async function start(
  command: readonly string[],
  change: Partial<SpawnSpec> = {},
): Promise<{ life: Life; exits: Exit[]; ended: () => Promise<Exit> }> {
  const exits: Exit[] = [];
  const spawned = await control.spawn(specOf(command, change), (exit) => exits.push(exit));
  if (!spawned.ok) throw new Error(spawned.reason);
  expect(exits).toEqual([]);
  return { life: spawned.value, exits, ended: () => until('its end', () => exits[0]) };
}

type Report = { kind: string; pid: number; shimPid: number };
/** Another process supervises; it is killed once it has reported, or at the step that is named. */
export async function superviseAndKill(
  spec: SpawnSpec,
  stopAfter?: string,
): Promise<Report | undefined> {
  const report = join(runDir, 'report');
  const order = JSON.stringify({ runDir, report, spec, stopAfter });
  const child = spawnChild(process.execPath, [SUPERVISOR, order], { stdio: 'ignore' });
  supervisors.push(child);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  if (stopAfter === undefined) {
    await until(
      'a report',
      () => existsSync(report) && readFileSync(report, 'utf8').endsWith('\n'),
    );
    child.kill('SIGKILL');
  }
  await gone;
  return existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as Report) : undefined;
}
export async function adopted(exits: Exit[] = []): Promise<Adopted> {
  const found = await control.adopt('front till', (exit) => exits.push(exit));
  if (found === undefined || !('life' in found)) throw new Error('not adopted');
  return found;
}
