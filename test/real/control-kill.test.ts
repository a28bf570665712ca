// Ending what does not want to end, or looks as if it had: TERM ignored, stopped, under a stopped shim, escaped,
// many, and zombies that nobody reaps. What is left afterwards is counted, and must be nothing.

import { describe, expect, it } from 'vitest';
import { scan } from '../../agent/watchdog/tree.ts';
import { control, fault, isRunning, output, ports, says, start, until } from './control-rig.ts';

/** Alive and dead: a zombie has a stat line too. */
const stateOf = (pid: number): string | undefined =>
  / \((?:.*)\) (\S) /.exec(ports.files.read(`/proc/${pid}/stat`) ?? '')?.[1];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const inSession = (shimPid: number) => scan(ports.files).filter((s) => s.session === shimPid);

describe('a component that does not go', () => {
  it('because it ignores TERM, is ended with its tree when its grace is over', async () => {
    const { life, ended } = await start(fault('--ignore-term', '--fork', '3'));
    await says(life, 'ready');
    control.terminate(life);
    await pause(200);
    expect(isRunning(life.pid)).toBe(true);
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    expect(await ended()).toMatchObject({ signal: 'SIGKILL' });
    expect(inSession(life.shimPid)).toEqual([]);
  });

  it('because all of it was stopped, is ended all the same', async () => {
    const { life, ended } = await start(['sh', '-c', 'sleep 1000 & setsid sleep 1001 & wait']);
    await until('its tree', () => inSession(life.shimPid).length === 3);
    const escaped = await until('the escaped', () =>
      scan(ports.files).find((s) => s.parent === life.pid && s.session === s.pid),
    );
    process.kill(-life.shimPid, 'SIGSTOP');
    process.kill(escaped.pid, 'SIGSTOP');
    await until('state T', () => stateOf(life.pid) === 'T' && stateOf(escaped.pid) === 'T');
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    await ended();
    expect(inSession(life.shimPid)).toEqual([]);
    expect(isRunning(escaped.pid)).toBe(false);
  });

  it('obeys TERM although it was stopped', async () => {
    const { life, ended } = await start(['sleep', '1000']);
    // Before it is itself, it is a shell that is about to become it, and has not yet forgotten our traps.
    await until(
      'its program',
      () => scan(ports.files).find((s) => s.pid === life.pid)?.comm === 'sleep',
    );
    process.kill(life.pid, 'SIGSTOP');
    await until('state T', () => stateOf(life.pid) === 'T');
    control.terminate(life);
    expect(await ended()).toMatchObject({ signal: 'SIGTERM' });
  });

  it('two hundred children, half of them in sessions of their own, go with it', async () => {
    const line = 'for i in $(seq 100); do sleep 1000 & setsid sleep 1000 & done; echo born; wait';
    const { life, ended } = await start(['sh', '-c', line]);
    await says(life, 'born');
    const mine = () =>
      scan(ports.files).filter(({ pid }) =>
        ports.files.read(`/proc/${pid}/environ`)?.includes(life.instance),
      );
    await until('two hundred', () => mine().filter((s) => s.comm === 'sleep').length === 200);
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    await ended();
    expect(mine()).toEqual([]);
  });
});

describe('zombies', () => {
  it('are dead: a child that its parent does not reap does not count as a survivor', async () => {
    // sleep(1) never waits for the child that it was given by the shell that it replaces.
    const { life, ended } = await start(['sh', '-c', '(echo $$ >&2; exit 3) & exec sleep 1000']);
    const zombie = await until('a zombie', () =>
      ports.files
        .list('/proc')
        .map(Number)
        .find(
          (pid) =>
            stateOf(pid) === 'Z' &&
            ports.files.read(`/proc/${pid}/stat`)?.includes(`Z ${life.pid} `),
        ),
    );
    // On a busy machine it has yet to fall asleep.
    await until('its sleep', () => control.sample(life)?.state === 'S');
    expect(scan(ports.files).some(({ pid }) => pid === zombie)).toBe(false);
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    await ended();
  });

  it('main that died under a stopped shim is noticed, and a start sweeps the rest', async () => {
    const { life, ended } = await start(['sleep', '1000']);
    process.kill(life.shimPid, 'SIGSTOP');
    await until('state T', () => stateOf(life.shimPid) === 'T');
    process.kill(life.pid, 'SIGKILL');
    await until('a zombie', () => stateOf(life.pid) === 'Z');
    expect(control.sample(life)).toBeUndefined();
    // As the agent does, which looks four times a second and not once.
    const looking = setInterval(() => control.sample(life), 250);
    expect(await ended().finally(() => clearInterval(looking))).toEqual({
      ...{ code: undefined, signal: undefined },
    });
    const next = await start(['sleep', '1000']);
    expect(inSession(life.shimPid)).toEqual([]);
    expect(output(next.life)).toBe('');
  });
});
