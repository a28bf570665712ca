// The agent dies, at any moment of a start; the component must not, and must not be started twice.

import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createControl, type Exit } from '../../agent/watchdog/control.ts';
import { scan } from '../../agent/watchdog/tree.ts';
import {
  adopted,
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
  superviseAndKill,
  until,
} from './control-rig.ts';

describe('when the agent was killed', () => {
  it('its component is adopted with the same pid, and its end is heard', async () => {
    const spec = specOf(fault());
    const report = await superviseAndKill(spec);
    const exits: Exit[] = [];
    const { life, wasReady, turns } = await adopted(exits);
    const { pid, shimPid } = report ?? {};
    expect(life).toMatchObject({ pid, shimPid, instance: spec.instance });
    expect([life.token, wasReady, life.logFile]).toEqual(['secret', true, spec.logFile]);
    expect(turns).toBe(true);
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

  it('between start and the note of its pids, one that cleaned its environment is found too', async () => {
    const command = ['env', '-i', '/bin/sleep', '1000'];
    const spec = specOf(command);
    await superviseAndKill(spec, 'start');
    const file = join(runDir, 'components', 'front till', `${spec.instance}.pid`);
    const pid = await until('it runs', () => {
      const found = Number(ports.files.read(file)?.split(' ')[1]);
      return scan(ports.files).some((s) => s.pid === found && s.comm === 'sleep') && found;
    });
    expect((await adopted()).life).toMatchObject({ pid, instance: spec.instance });
    expect(isRunning(pid)).toBe(true);
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

  it('and all that was noted is gone, one that cleaned its environment is found by its shim', async () => {
    const socket = join(runDir, 'channel.sock');
    const marks = { TILLWATCH_COMPONENT: 'front till', TILLWATCH_SOCKET: socket };
    const command = ['env', '-i', '/bin/sleep', '1000'];
    const report = await superviseAndKill(specOf(command, { env: { ...env, ...marks } }));
    await until('it cleaned it', () =>
      scan(ports.files).some(({ pid, comm }) => pid === report?.pid && comm === 'sleep'),
    );
    rmSync(join(runDir, 'components'), { recursive: true });
    const { life } = await adopted();
    expect(life).toMatchObject({ pid: report?.pid, shimPid: report?.shimPid });
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

  it('and its run directory was changed, the copy under the old one is ended', async () => {
    const spec = (folder: string) =>
      specOf(['sleep', '1000'], {
        env: {
          ...env,
          TILLWATCH_COMPONENT: 'front till',
          TILLWATCH_SOCKET: join(folder, 'channel.sock'),
        },
      });
    const dataDir = join(runDir, 'data');
    const before = createControl({ runDir, dataDir, ports, log });
    const stray = await before.spawn(spec(runDir), () => undefined);
    const elsewhere = await createControl({ runDir, dataDir: `${dataDir}-2`, ports, log }).spawn(
      { ...spec(runDir), component: 'other' },
      () => undefined,
    );
    if (!stray.ok || !elsewhere.ok) throw new Error('not started');
    const moved = join(runDir, 'moved');
    const after = createControl({ runDir: moved, dataDir, ports, log });
    expect(await after.adopt('front till', () => undefined)).toBeUndefined();
    const own = await after.spawn(spec(moved), () => undefined);
    await after.retireOthers(new Set(['front till']));
    expect(isRunning(stray.value.pid) || isRunning(stray.value.shimPid)).toBe(false);
    // Neither another agent's nor what this one has started.
    expect(isRunning(elsewhere.value.pid)).toBe(true);
    expect(own.ok && isRunning(own.value.pid)).toBe(true);
  });

  it('and its run directory has a second name, what was adopted is left alone', async () => {
    const socket = { TILLWATCH_SOCKET: join(runDir, 'channel.sock') };
    const spec = specOf(['sleep', '1000'], { env: { ...env, ...socket } });
    const dataDir = join(runDir, 'data');
    const first = await createControl({ runDir, dataDir, ports, log }).spawn(spec, () => undefined);
    if (!first.ok) throw new Error(first.reason);
    symlinkSync(runDir, join(runDir, 'alias'));
    const alias = createControl({ runDir: join(runDir, 'alias'), dataDir, ports, log });
    expect(await alias.adopt('front till', () => undefined)).toBeDefined();
    await alias.retireOthers(new Set(['front till']));
    expect(isRunning(first.value.pid)).toBe(true);
  });

  it('by an older agent, whose record says less, it is adopted by the newer one', async () => {
    const { life } = await start(['sleep', '1000']);
    const path = join(runDir, 'components', 'front till', 'record.json');
    const { asked: _, version: __, ...record } = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...record, unheardOf: { of: 'later' } }));
    const found = await createControl({ runDir, ports, log }).adopt('front till', () => undefined);
    expect(found).toMatchObject({ life: { pid: life.pid, shimPid: life.shimPid } });
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
