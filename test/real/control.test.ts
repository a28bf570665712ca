// Process control on real processes: start, end, adoption, trees. Everything lives in a temporary folder whose
// name has a space in it, and each process is ended by its own instance mark when a test is over.

import { type ChildProcess, spawn as spawnChild } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { realPorts } from '../../agent/system.ts';
import type { Adopted, SpawnSpec } from '../../agent/watchdog/control.ts';
import { type Control, createControl, type Exit, type Life } from '../../agent/watchdog/control.ts';
import { identify, isAlive, signalIdentity } from '../../agent/watchdog/identity.ts';
import { killTree, scan } from '../../agent/watchdog/tree.ts';

const here = dirname(fileURLToPath(import.meta.url));
const FAULT = join(here, 'fault.ts');
const SUPERVISOR = join(here, 'control-supervisor.ts');
const ports = realPorts();
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const env = { PATH: process.env['PATH'] ?? '' };

let runDir: string;
let control: Control;
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

function specOf(command: readonly string[], change: Partial<SpawnSpec> = {}): SpawnSpec {
  const instance = randomUUID();
  instances.push(instance);
  const logFile = join(runDir, 'logs', 'front till', `${instance}.log`);
  return { component: 'front till', instance, token: 'secret', command, env, logFile, ...change };
}
const fault = (...flags: string[]): readonly string[] => [process.execPath, FAULT, ...flags];

async function until<T>(what: string, look: () => T | undefined | false, ms = 20_000): Promise<T> {
  const untilMs = performance.now() + ms;
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > untilMs) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const output = (life: { logFile: string }): string =>
  existsSync(life.logFile) ? readFileSync(life.logFile, 'utf8') : '';
const says = (life: { logFile: string }, word: string) =>
  until(word, () => output(life).includes(word));
const isRunning = (pid: number): boolean => scan(ports.files).some((stat) => stat.pid === pid);

async function start(
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
async function superviseAndKill(spec: SpawnSpec, stopAfter?: string): Promise<Report | undefined> {
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
async function adopted(exits: Exit[] = []): Promise<Adopted> {
  const found = await control.adopt('front till', (exit) => exits.push(exit));
  if (found === undefined || !('life' in found)) throw new Error('not adopted');
  return found;
}

describe('a component that is started', () => {
  it('ends with its exit code, told once', async () => {
    const { ended, exits } = await start(['sh', '-c', 'exit 42']);
    expect(await ended()).toEqual({ code: 42, signal: undefined });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(exits).toHaveLength(1);
  });

  it('ends by a signal, which is told by name', async () => {
    const { life, ended } = await start(['sleep', '1000']);
    process.kill(life.pid, 'SIGSEGV');
    expect(await ended()).toEqual({ code: undefined, signal: 'SIGSEGV' });
  });

  it('is the program itself: arguments, folder, environment and signals as configured', async () => {
    const script = 'for a; do echo "<$a>"; done; pwd; echo "$X"; grep SigIgn /proc/self/status';
    const cwd = join(runDir, 'a folder');
    mkdirSync(cwd);
    const command = ['sh', '-c', script, 'name', 'a b', "it's", '$HOME', ''];
    const { life, ended } = await start(command, { cwd, env: { ...env, X: 'y  z' } });
    expect(await ended()).toMatchObject({ code: 0 });
    const lines = output(life).trimEnd().split('\n');
    expect(lines.slice(0, -1)).toEqual(['<a b>', "<it's>", '<$HOME>', '<>', cwd, 'y  z']);
    // A background command of dash ignores INT and QUIT (bits 1 and 2); nothing else may be ignored.
    const ignored = Number.parseInt(lines.at(-1)?.split('\t')[1] ?? '', 16);
    expect(ignored & ~0b110).toBe(0);
  });

  it('does not hold the FIFO by which its end is heard, and neither do its children', async () => {
    const { life, ended } = await start(['sh', '-c', 'sleep 1000 & echo up; exit 3']);
    expect(await ended()).toMatchObject({ code: 3 });
    expect(output(life)).toContain('up');
  });

  it('says why it cannot be started, and the component can be started again', async () => {
    const cwd = join(runDir, 'nowhere');
    const spec = specOf(['true'], { cwd });
    expect(await control.spawn(spec, () => undefined)).toEqual({
      ok: false,
      reason: `its working directory ${cwd} does not exist`,
    });
    const { ended } = await start(['no-such-program']);
    expect(await ended()).toEqual({ code: 127, signal: undefined });
    expect(await (await start(['true'])).ended()).toMatchObject({ code: 0 });
  });

  it('is refused a second copy, also by an agent that never adopted the first', async () => {
    const { life } = await start(['sleep', '1000']);
    const reason = `a copy of it already runs as pid ${life.pid}`;
    expect(await control.spawn(specOf(['true']), () => undefined)).toEqual({ ok: false, reason });
    const other = createControl({ runDir, ports, log });
    expect(await other.spawn(specOf(['true']), () => undefined)).toEqual({ ok: false, reason });
    const twice = await Promise.all([
      control.spawn(specOf(['sleep', '1000'], { component: 'b' }), () => undefined),
      control.spawn(specOf(['sleep', '1000'], { component: 'b' }), () => undefined),
    ]);
    expect(twice.map(({ ok }) => ok)).toEqual([true, false]);
  });

  it('keeps its token in a file that only its owner reads', async () => {
    await start(['sleep', '1000']);
    const path = join(runDir, 'components', 'front till', 'record.json');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('gets TERM from the agent once, and from the shim when that gets it', async () => {
    const first = await start(fault('--ignore-term'));
    await says(first.life, 'ready');
    control.terminate(first.life);
    await says(first.life, 'ignored TERM');
    process.kill(first.life.shimPid, 'SIGTERM');
    await until('a second TERM', () => output(first.life).split('ignored TERM').length === 3);
    expect(isRunning(first.life.shimPid)).toBe(true);
    expect(first.exits).toEqual([]);
    expect(await control.killTree(first.life)).toEqual({ survivors: [] });
    expect(await first.ended()).toEqual({ code: undefined, signal: 'SIGKILL' });
  });

  it('obeys TERM although it was stopped', async () => {
    const { life, ended } = await start(fault());
    await says(life, 'ready');
    process.kill(life.pid, 'SIGSTOP');
    await until('state T', () => control.sample(life)?.state === 'T');
    control.terminate(life);
    expect(await ended()).toEqual({ code: 0, signal: undefined });
  });

  it('is watched on when only its shim is killed', async () => {
    const { life, ended, exits } = await start(['sleep', '1000']);
    process.kill(life.shimPid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(exits).toEqual([]);
    expect(await control.spawn(specOf(['true']), () => undefined)).toMatchObject({ ok: false });
    process.kill(life.pid, 'SIGKILL');
    expect(await ended()).toEqual({ code: undefined, signal: undefined });
  });
});

describe('when the agent was killed', () => {
  it('its component is adopted with the same pid, and its end is heard', async () => {
    const spec = specOf(fault());
    const report = await superviseAndKill(spec);
    const exits: Exit[] = [];
    const { life, wasReady } = await adopted(exits);
    const { pid, shimPid } = report ?? {};
    expect(life).toMatchObject({ pid, shimPid, instance: spec.instance });
    expect([life.token, wasReady, life.logFile]).toEqual(['secret', true, spec.logFile]);
    await says(life, 'ready');
    process.kill(life.pid, 'SIGUSR2');
    expect(await until('its end', () => exits[0])).toMatchObject({ signal: 'SIGUSR2' });
    expect(await control.adopt('front till', () => undefined)).toBeUndefined();
  });

  it('the exit of a component that ended meanwhile is told, once', async () => {
    const report = await superviseAndKill(specOf(fault('--run-ms', '100', '--exit', '7')));
    await until('its end', () => !isRunning(report?.pid ?? 0) && !isRunning(report?.shimPid ?? 0));
    expect(await control.adopt('front till', () => undefined)).toEqual({
      exited: { code: 7, signal: undefined },
    });
    expect(await control.adopt('front till', () => undefined)).toBeUndefined();
  });

  it('before the process was started, nothing is left and a start works', async () => {
    await superviseAndKill(specOf(['sleep', '1000']), 'record');
    expect(await control.adopt('front till', () => undefined)).toBeUndefined();
    await start(['true']);
  });

  it('between start and the note of its pids, the component is found', async () => {
    const spec = specOf(['sleep', '1000']);
    await superviseAndKill(spec, 'start');
    const { life } = await adopted();
    expect(life.instance).toBe(spec.instance);
    expect(scan(ports.files).filter((s) => s.session === life.shimPid)).toHaveLength(2);
  });

  it('and its record and pid file are gone too, it is found by its marks', async () => {
    const socket = join(runDir, 'channel.sock');
    const marks = { TILLWATCH_COMPONENT: 'front till', TILLWATCH_SOCKET: socket };
    const spec = specOf(['sleep', '1000'], { env: { ...env, ...marks, TILLWATCH_TOKEN: 't' } });
    const report = await superviseAndKill(spec);
    rmSync(join(runDir, 'components'), { recursive: true });
    const exits: Exit[] = [];
    const { life } = await adopted(exits);
    expect(life).toMatchObject({ pid: report?.pid, shimPid: report?.shimPid, token: 't' });
    process.kill(life.pid, 'SIGKILL');
    await until('its end', () => exits[0]);
  });

  it('a flood on its output does not hold it up', async () => {
    const report = await superviseAndKill(specOf(fault('--log-lines', '20000')));
    expect(report?.kind).toBe('spawned');
    const { life } = await adopted();
    await says(life, 'logged');
    expect(output(life).length).toBeGreaterThan(2_000_000);
  });

  it('a record of another boot or of a pid that was given away is not believed', async () => {
    const { life } = await start(['sleep', '1000']);
    const path = join(runDir, 'components', 'front till', 'record.json');
    const record = JSON.parse(readFileSync(path, 'utf8'));
    const other = createControl({ runDir, ports, log });
    const reused = { ...record, pids: { ...record.pids, mainStartTicks: 5, shimStartTicks: 5 } };
    writeFileSync(path, JSON.stringify({ ...record, bootId: 'an earlier one' }));
    expect(await other.adopt('front till', () => undefined)).toBeUndefined();
    writeFileSync(path, JSON.stringify(reused));
    expect(await other.adopt('front till', () => undefined)).toEqual({
      exited: { code: undefined, signal: undefined },
    });
    expect(isRunning(life.pid)).toBe(true);
  });

  it('a record that is not one is not believed either', async () => {
    const path = join(runDir, 'components', 'front till', 'record.json');
    mkdirSync(dirname(path), { recursive: true });
    for (const text of ['', '{', '[]', '{"v":2}']) {
      writeFileSync(path, text);
      expect(await control.adopt('front till', () => undefined)).toBeUndefined();
    }
  });
});

describe('ending a tree', () => {
  it('reaches a child in another session', async () => {
    const { life, ended } = await start(fault('--setsid-child'));
    await says(life, 'ready');
    const child = Number(/children (\d+)/.exec(output(life))?.[1]);
    expect(isRunning(child)).toBe(true);
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    expect([isRunning(child), isRunning(life.pid), isRunning(life.shimPid)]).not.toContain(true);
    await ended();
  });

  it('reaches an orphan that left its session and whose parent is gone', async () => {
    const leave = '(setsid sh -c "echo left \\$\\$; exec sleep 1000" &); exec sleep 1000';
    const { life } = await start(['sh', '-c', leave]);
    await says(life, 'left');
    const orphan = Number(/left (\d+)/.exec(output(life))?.[1]);
    const stat = scan(ports.files).find(({ pid }) => pid === orphan);
    expect([stat?.session, stat?.parent]).toEqual([orphan, 1]);
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    expect(isRunning(orphan)).toBe(false);
  });

  it('reaches fifty children and one that forks without end', async () => {
    const { life } = await start(fault('--fork', '50'));
    await says(life, 'ready');
    expect(scan(ports.files).filter((s) => s.session === life.shimPid)).toHaveLength(52);
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    // Each generation forks the next and ends, at most 200 at a time; no look at the table sees them all.
    const bomb = 'f() { sleep 0.01; (f &) }; for i in $(seq 200); do f & done; wait';
    const second = await start(['sh', '-c', bomb], { component: 'bomb' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await control.killTree(second.life)).toEqual({ survivors: [] });
    const left = scan(ports.files).filter((s) => s.session === second.life.shimPid);
    expect(left).toEqual([]);
  });

  it('happens to what a component left behind before its next start', async () => {
    const { life, ended } = await start([
      'sh',
      '-c',
      'setsid sleep 1000 & echo $!; sleep 0.1; exit 1',
    ]);
    await ended();
    const left = Number(output(life).trim());
    expect(isRunning(left)).toBe(true);
    await start(['true']);
    expect(isRunning(left)).toBe(false);
  });

  it('never touches a process whose start time is another', async () => {
    const { life } = await start(['sleep', '1000']);
    const wrong = { ...life.main, startTicks: life.main.startTicks - 1 };
    const otherBoot = { ...life.main, bootId: 'another' };
    for (const identity of [wrong, otherBoot]) {
      expect(isAlive(ports, identity)).toBe(false);
      expect(signalIdentity(ports, identity, 'SIGKILL')).toBe(false);
      const shim = { ...life.shim, startTicks: life.shim.startTicks - 1 };
      await killTree(ports, { instance: 'unknown', main: identity, shim });
    }
    expect(isRunning(life.pid) && isRunning(life.shimPid)).toBe(true);
    expect(isAlive(ports, identify(ports, life.pid))).toBe(true);
  });
});

describe('looking at a component', () => {
  it('tells a spinning main thread from a blocked one', async () => {
    const spinning = await start(fault('--mode', 'spin'), { component: 'a' });
    const blocked = await start(fault('--mode', 'block'), { component: 'b' });
    await says(spinning.life, 'hanging');
    await says(blocked.life, 'hanging');
    await until('state S', () => control.sample(blocked.life)?.state === 'S');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const [spin0, block0] = [control.sample(spinning.life), control.sample(blocked.life)];
    await new Promise((resolve) => setTimeout(resolve, 500));
    const [spin1, block1] = [control.sample(spinning.life), control.sample(blocked.life)];
    expect(spin1?.state).toBe('R');
    expect((spin1?.cpuMs ?? 0) - (spin0?.cpuMs ?? 0)).toBeGreaterThan(50);
    expect(block1?.voluntarySwitches).toBe(block0?.voluntarySwitches);
    expect((block1?.cpuMs ?? 0) - (block0?.cpuMs ?? 0)).toBeLessThan(20);
    await control.killTree(spinning.life);
    await spinning.ended();
    expect(control.sample(spinning.life)).toBeUndefined();
    expect(control.usage(spinning.life)).toBeUndefined();
  });

  it('counts memory and time of the tree', async () => {
    const { life } = await start(fault('--leak-mb', '50', '--fork', '2'));
    await says(life, 'ready');
    const usage = control.usage(life);
    expect(usage?.residentBytes).toBeGreaterThan(80 * 2 ** 20);
    expect(usage?.cpuSeconds).toBeGreaterThan(0.01);
  });

  it('collects bounded evidence without secrets', async () => {
    const secret = { ...env, SECRET: 'hunter2' };
    const { life } = await start(fault('--mode', 'block', '--fork', '40'), { env: secret });
    await says(life, 'hanging');
    const evidence = await until('the deadlock', () => {
      const seen = control.evidence(life);
      return seen.processes[0]?.wchan?.startsWith('futex') ? seen : undefined;
    });
    const [main] = evidence.processes;
    expect(main).toMatchObject({
      pid: life.pid,
      state: 'S',
      syscall: expect.stringMatching(/^\d+$/),
    });
    expect(main?.threads).toBeGreaterThan(1);
    expect(evidence.processes.length + evidence.processesMore).toBe(41);
    expect(evidence.logLines.at(-1)).toBe('hanging block');
    const json = JSON.stringify(evidence);
    expect(Buffer.byteLength(json)).toBeLessThanOrEqual(16 * 1024);
    expect(json).not.toContain('hunter2');
    expect(json).not.toContain('fault.ts');
    await control.killTree(life);
    expect(control.evidence(life).processes).toEqual([]);
  });
});
