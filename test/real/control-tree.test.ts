// Ending whole trees of real processes, and looking at them before.

import { describe, expect, it } from 'vitest';
import { identify, isAlive, signalIdentity } from '../../agent/watchdog/identity.ts';
import { probeEnvironment, sweepProbes } from '../../agent/watchdog/probe-sweep.ts';
import { killTree, scan } from '../../agent/watchdog/tree.ts';
import {
  control,
  env,
  fault,
  isRunning,
  output,
  ports,
  runDir,
  says,
  start,
  until,
} from './control-rig.ts';

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

  it('reaches a child that cleaned its environment too, once it was seen', async () => {
    const leave = 'env -i setsid sleep 1000 & echo left $!; exec sleep 1000';
    const { life, ended } = await start(['sh', '-c', leave]);
    await says(life, 'left');
    const child = Number(/left (\d+)/.exec(output(life))?.[1]);
    await until('it has left', () =>
      scan(ports.files).some(({ pid, session }) => pid === child && session === child),
    );
    control.sample(life);
    expect(signalIdentity(ports, life.main, 'SIGKILL')).toBe(true);
    await ended();
    expect(isRunning(child)).toBe(true);
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    expect(isRunning(child)).toBe(false);
  });

  it('is quick with a bomb of 200 whose every generation leaves the session', async () => {
    const bomb = 'n=0; while [ $n -lt 200 ]; do setsid sh -c "sleep 1000" & n=$((n+1)); done; wait';
    const { life } = await start(['sh', '-c', bomb]);
    await until('it has gone off', () => {
      const mine = scan(ports.files).filter(({ parent }) => parent === life.pid);
      return mine.length >= 150;
    });
    const startMs = performance.now();
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    // Two seconds on a machine of which it has a share; 0.1 s alone.
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(control.evidence(life).processes).toEqual([]);
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

describe('a probe whose agent was killed', () => {
  it('is ended by the next agent of that run directory, and by no other', async () => {
    const { ownPid } = ports.processes;
    const orphan = (dir: string, agent: number) =>
      start(['sh', '-c', 'setsid sleep 1000 & echo is $!; wait'], {
        component: `probe ${dir.length} ${agent}`,
        env: { ...env, ...probeEnvironment(dir, agent) },
      });
    const [gone, ours, other] = [
      await orphan(runDir, ownPid + 1),
      await orphan(runDir, ownPid),
      await orphan('/elsewhere', ownPid + 1),
    ].map(({ life }) => life);
    if (!gone || !ours || !other) throw new Error('not started');
    for (const life of [gone, ours, other]) await says(life, 'is ');
    const child = Number(/is (\d+)/.exec(output(gone))?.[1]);
    expect(sweepProbes(ports, runDir)).toEqual(expect.arrayContaining([gone.pid, child]));
    await until('it is gone', () => !isRunning(gone.pid) && !isRunning(child));
    expect([isRunning(ours.pid), isRunning(other.pid)]).toEqual([true, true]);
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
      const [main] = seen.processes; // its state was read a moment before its wchan
      return main?.state === 'S' && main.wchan?.startsWith('futex') ? seen : undefined;
    });
    const [main] = evidence.processes;
    expect(main).toMatchObject({
      pid: life.pid,
      state: 'S',
      syscall: expect.stringMatching(/^\d+$/),
    });
    expect(main?.threads).toBeGreaterThan(1);
    expect(evidence.processes.length + evidence.processesMore).toBe(41);
    expect(main?.threadStates?.[0]).toMatchObject({ state: 'S' });
    expect(main?.open?.named).toContain(life.logFile);
    const json = JSON.stringify(evidence);
    expect(evidence.debugger).toBeUndefined();
    expect(json).not.toContain('hunter2');
    expect(json).not.toContain('fault.ts');
    await control.killTree(life);
    expect(control.evidence(life).processes).toEqual([]);
  });
});
