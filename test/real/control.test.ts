// Starting a component on real processes, and hearing of its end: exit codes, signals, refusals, a shim that dies.

import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createControl } from '../../agent/watchdog/control.ts';
import {
  control,
  env,
  fault,
  isRunning,
  log,
  output,
  ports,
  runDir,
  says,
  specOf,
  start,
  until,
} from './control-rig.ts';

describe('a component that is started', () => {
  it('ends with its exit code, told once', async () => {
    const { ended, exits } = await start(['sh', '-c', 'exit 42']);
    expect(await ended()).toEqual({ code: 42, signal: undefined });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(exits).toHaveLength(1);
  });

  it('lives where its output has no room, though its first line would end it', async () => {
    const { life, exits } = await start(fault(), { logFile: '/dev/full' });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(exits).toEqual([]);
    expect(isRunning(life.pid)).toBe(true);
  });

  it('gets its environment as it is configured, whatever the names', async () => {
    const names = { dir: 'a', id: 'b', c: 'c', rc: 'd', now: 'e', woken: 'f' };
    const { life, ended } = await start(['env'], { env: { ...env, ...names } });
    await ended();
    const lines = output(life).split('\n');
    for (const [name, value] of Object.entries(names)) expect(lines).toContain(`${name}=${value}`);
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

  it('does not hold the FIFO by which its end is heard, and its children do not delay it', async () => {
    const { life, ended } = await start(['sh', '-c', 'ls -l /proc/$$/fd; sleep 1000 & exit 3']);
    expect(await ended()).toMatchObject({ code: 3 });
    expect(output(life)).toContain('/dev/null');
    expect(output(life)).not.toContain('.life');
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
