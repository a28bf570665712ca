// Which process it is now: what a pid command or a pid file says, and what is never believed.

import { spawn as spawnChild } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPid } from '../../agent/watchdog/external-pid.ts';
import { isRunning, Outside, pause, ports } from './external-rig.ts';

let outside: Outside;
beforeEach(() => {
  outside = new Outside();
});
afterEach(() => outside.clean());

const unit = () => outside.example('external-systemd.yaml');

describe('asking for a pid', () => {
  const context = { cwd: undefined, env: { PATH: process.env['PATH'] ?? '' } };
  const ask = (line: string) => findPid(ports, { command: ['sh', '-c', line] }, context);

  it('believes a pid, and takes 0, nothing and a failure for none', async () => {
    const child = spawnChild('sleep', ['1000'], { stdio: 'ignore' });
    try {
      expect(await ask(`echo ' ${child.pid} '`)).toMatchObject({
        kind: 'found',
        identity: { pid: child.pid },
      });
      for (const line of ['echo 0', 'true', 'echo 1; exit 1', 'echo 999999998']) {
        expect(await ask(line)).toEqual({ kind: 'none' });
      }
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('leaves nothing of a command that answers and has something run on', async () => {
    const line = `sleep 1000 & echo "$!" >'${outside.pidFile}'; echo 0`;
    expect(await ask(line)).toEqual({ kind: 'none' });
    const pid = Number(readFileSync(outside.pidFile, 'utf8'));
    for (let n = 0; n < 100 && isRunning(pid); n += 1) await pause(10);
    const isLeft = isRunning(pid);
    if (isLeft) process.kill(pid, 'SIGKILL');
    expect(isLeft).toBe(false);
  });

  it('refuses what is no pid, the system, and the agent with all that started it', async () => {
    const reasonOf = async (line: string) => {
      const found = await ask(line);
      return found.kind === 'unknown' ? found.reason : found.kind;
    };
    expect(await reasonOf('echo till; echo is fine')).toBe(
      'its pid command says "till is fine", which is no pid',
    );
    expect(await reasonOf('echo 12; echo 13')).toContain('which is no pid');
    expect(await reasonOf('echo -1')).toContain('which is no pid');
    expect(await reasonOf('yes 12345')).toBe('its pid command: sh prints more than 4096 bytes');
    expect(await reasonOf('echo 1')).toBe("its pid 1 is the system's own");
    for (const pid of [process.pid, process.ppid]) {
      expect(await reasonOf(`echo ${pid}`)).toBe(`its pid ${pid} is the agent or what started it`);
    }
    const source = { command: ['/no/such/program'] };
    expect(await findPid(ports, source, context)).toMatchObject({
      reason: 'its pid command: cannot start /no/such/program: ENOENT',
    });
  });

  it('tells the same number of another process by a file that nobody has written since', async () => {
    const child = spawnChild('sleep', ['1000'], { stdio: 'ignore' });
    try {
      const source = { file: outside.pidFile };
      writeFileSync(outside.pidFile, `${child.pid}\n`);
      const found = await findPid(ports, source, context);
      if (found.kind !== 'found') throw new Error(found.kind);
      const { identity, stamp } = found;
      const other = { ...identity, startTicks: identity.startTicks - 1 };
      expect(await findPid(ports, source, context, { identity: other, stamp })).toEqual({
        kind: 'none',
      });
      writeFileSync(outside.pidFile, `${child.pid}\n\n`);
      const again = await findPid(ports, source, context, { identity: other, stamp });
      expect(again).toMatchObject({ kind: 'found', identity });
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('never starts anything while it cannot be told whether a copy runs', async () => {
    const yaml = unit()
      .replace('[systemctl, show, --property, MainPID, --value, pos-front.service]', '[echo, huh]')
      .replace('    probes:', '    start: { timeoutMs: 300 }\n    probes:');
    const control = outside.control(yaml);
    expect(await control.adopt('front', () => undefined)).toBeUndefined();
    expect(await outside.tryToSpawn(control)).toEqual({
      ok: false,
      reason: 'cannot tell whether it runs: its pid command says "huh", which is no pid',
    });
    expect(outside.calls()).toEqual([]);
    expect(existsSync(join(outside.unit, 'keeper'))).toBe(false);
  });
});
