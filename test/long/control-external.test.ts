// Components that something else starts, by the shipped examples: a unit of (a stand-in for) systemd, and a program
// that a kiosk's script keeps. Never two copies, whoever is quicker; and no process of anybody else is touched.

import { spawn as spawnChild } from 'node:child_process';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scan } from '../../agent/watchdog/tree.ts';
import { loadConfig } from '../../configuration/config.ts';
import { isRunning, Outside, pause, ports, until } from '../real/external-rig.ts';

let outside: Outside;
beforeEach(() => {
  outside = new Outside();
});
afterEach(() => outside.clean());

const UNKNOWN = { code: undefined, signal: undefined };
const unit = () => outside.example('external-systemd.yaml');
const kiosk = () => outside.example('external-kiosk.yaml');

describe('a systemd unit', () => {
  it('is started by its command, watched by its pid and stopped by its command', async () => {
    outside.program('sleep 1000');
    const control = outside.control(unit());
    expect(await control.adopt('front', () => undefined)).toBeUndefined();
    const life = await outside.spawn(control);
    expect([life.pid]).toEqual(outside.lives());
    await until('it sleeps', () => control.sample(life)?.state === 'S');
    expect(control.usage(life)?.residentBytes).toBeGreaterThan(0);
    control.terminate(life);
    expect(await outside.ended()).toEqual(UNKNOWN);
    expect(outside.calls()).toEqual(['started', 'stopped']);
    await pause(300);
    expect(outside.lives()).toHaveLength(1);
  });

  it('that is killed comes back by itself: it is taken over, not started beside itself', async () => {
    outside.program('sh -c "sleep 1000 & trap : TERM; wait; sleep 1000"');
    const control = outside.control(unit());
    const life = await outside.spawn(control);
    const child = await until('its child', () =>
      scan(ports.files).find(({ parent }) => parent === life.pid),
    );
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    expect(await outside.ended()).toMatchObject({ signal: 'SIGKILL' });
    expect(isRunning(child.pid)).toBe(false);
    const next = await outside.spawn(control);
    expect(next.pid).not.toBe(life.pid);
    expect(outside.lives()).toEqual([life.pid, next.pid]);
    expect(outside.calls()).toEqual(['started']);
  });

  it('that crashes and stays down is started', async () => {
    outside.program('sleep 1000');
    const control = outside.control(unit());
    const life = await outside.spawn(control);
    // systemd gave up (a start limit): its keeper is gone.
    process.kill(Number(readFileSync(join(outside.unit, 'keeper'), 'utf8')), 'SIGKILL');
    process.kill(life.pid, 'SIGKILL');
    expect(await outside.ended()).toEqual(UNKNOWN);
    const next = await outside.spawn(control);
    expect(outside.lives()).toEqual([life.pid, next.pid]);
    expect(outside.calls()).toEqual(['started', 'started']);
  });

  it('that does not start says why, and leaves nothing of the start behind', async () => {
    const yaml = unit().replace('[systemctl, start, pos-front.service]', '[systemctl, unknown]');
    const control = outside.control(yaml);
    const failed = await outside.tryToSpawn(control);
    expect(failed).toEqual({ ok: false, reason: 'its start command ended with exit code 2' });
    const slow = outside.control(
      unit()
        .replace('[systemctl, start, pos-front.service]', "[sh, -c, 'sleep 999.25']")
        .replace('    probes:', '    start: { timeoutMs: 300 }\n    probes:'),
    );
    const reason = 'no process of it was there within 300 ms';
    expect(await outside.tryToSpawn(slow)).toEqual({ ok: false, reason });
    const left = () =>
      scan(ports.files).some(({ pid }) =>
        ports.files.read(`/proc/${pid}/cmdline`)?.includes('999.25'),
      );
    await until('the start command is ended', () => !left());
  });

  it('whose start runs it in the foreground is left alone once it is there', async () => {
    const line = `[sh, -c, 'echo "$$" >"${outside.pidFile}"; echo hello; exec sleep 1000']`;
    const yaml = kiosk().replace(
      '    probes:',
      () => `      start: { command: ${line}, timeoutMs: 500 }\n    probes:`,
    );
    const control = outside.control(yaml);
    const life = await outside.spawn(control);
    await pause(700);
    expect(isRunning(life.pid)).toBe(true);
    expect(readFileSync(life.logFile, 'utf8')).toBe('hello\n');
    expect(await control.killTree(life)).toEqual({ survivors: [] });
  });
});

describe('a program that a kiosk keeps', () => {
  it('is waited for, and what appears is taken over', async () => {
    const control = outside.control(kiosk());
    const spawning = outside.spawn(control);
    await pause(300);
    outside.kiosk('sleep 1000');
    const life = await spawning;
    expect([life.pid]).toEqual(outside.lives());
  });

  it('is no longer waited for when nobody wants it any more', async () => {
    const control = outside.control(kiosk());
    const spawning = outside.tryToSpawn(control);
    await pause(100);
    control.abandon('front');
    expect(await spawning).toEqual({ ok: false, reason: 'it did not appear' });
  });

  it('crashes, is started by its kiosk, and is taken over as a new life', async () => {
    outside.kiosk('sleep 1000');
    const control = outside.control(kiosk());
    const life = await outside.spawn(control);
    for (let n = 1; n <= 3; n += 1) {
      const [last = 0] = outside.lives().slice(-1);
      process.kill(last, 'SIGSEGV');
      expect(await outside.ended(n)).toEqual(UNKNOWN);
      const next = await outside.spawn(control);
      expect(outside.lives()).toHaveLength(n + 1);
      expect(outside.lives().at(-1)).toBe(next.pid);
    }
    expect(isRunning(life.pid)).toBe(false);
  });

  it('hangs stopped, is killed without its kiosk, and is back', async () => {
    const script = outside.kiosk('sleep 1000');
    const control = outside.control(kiosk());
    const life = await outside.spawn(control);
    process.kill(life.pid, 'SIGSTOP');
    await until('state T', () => control.sample(life)?.state === 'T');
    expect(await control.killTree(life)).toEqual({ survivors: [] });
    await outside.ended();
    const next = await outside.spawn(control);
    expect(script.exitCode).toBeNull();
    expect(outside.lives()).toEqual([life.pid, next.pid]);
  });
});

describe('when the agent was away', () => {
  it('the same process is the same life, as ready as it was', async () => {
    outside.kiosk('sleep 1000');
    const control = outside.control(kiosk());
    const life = await outside.spawn(control);
    control.record(life, { ready: true });
    const found = await outside.control(kiosk()).adopt('front', () => undefined);
    expect(found).toMatchObject({ wasReady: true, life: { pid: life.pid, instance: 'life-1' } });
  });

  it('another process is another life, and one that is gone is told once', async () => {
    const script = outside.kiosk('sleep 1000');
    const control = outside.control(kiosk());
    const life = await outside.spawn(control);
    control.record(life, { ready: true });
    process.kill(life.pid, 'SIGKILL');
    const next = await until('its next life', () => outside.lives()[1]);
    const second = outside.control(kiosk());
    const found = await second.adopt('front', () => undefined);
    expect(found).toMatchObject({ wasReady: false, life: { pid: next } });
    script.kill('SIGKILL');
    process.kill(next, 'SIGKILL');
    await until('its end', () => !isRunning(next));
    const third = outside.control(kiosk());
    expect(await third.adopt('front', () => undefined)).toEqual({ exited: UNKNOWN });
    expect(await outside.control(kiosk()).adopt('front', () => undefined)).toBeUndefined();
  });

  it('after a reboot, neither record nor pid file makes a stranger of the same number ours', async () => {
    const stranger = spawnChild('sleep', ['1000'], { stdio: 'ignore' });
    try {
      const control = outside.control(kiosk());
      writeFileSync(outside.pidFile, `${stranger.pid}\n`);
      const long = Date.now() / 1_000 - 3_600; // written before the process began
      utimesSync(outside.pidFile, long, long);
      expect(await control.adopt('front', () => undefined)).toBeUndefined();
      const spawning = outside.tryToSpawn(control);
      await pause(200);
      control.abandon('front');
      expect(await spawning).toMatchObject({ ok: false });
      // A record of an earlier boot does not vouch for it either.
      const rebooted = { ...ports.clock, bootId: () => 'another' };
      writeFileSync(outside.pidFile, `${stranger.pid}\n`);
      const before = outside.control(kiosk());
      const life = await outside.spawn(before);
      before.record(life, { ready: true });
      utimesSync(outside.pidFile, long, long);
      const after = outside.control(kiosk(), { clock: rebooted });
      expect(await after.adopt('front', () => undefined)).toBeUndefined();
      expect(await after.killTree(life)).toEqual({ survivors: [] });
      expect(isRunning(stranger.pid ?? 0)).toBe(true);
      // One that the agent of this boot has known stays known, whatever the clock says now.
      expect(await outside.control(kiosk()).adopt('front', () => undefined)).toMatchObject({
        wasReady: true,
      });
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  it('what the agent before had asked to stop is ended before it is started anew', async () => {
    outside.program("sh -c 'trap : TERM; while :; do sleep 0.1; done'");
    const yaml = unit().replace(/ {6}stop: .*\n/, '');
    const control = outside.control(yaml);
    const life = await outside.spawn(control);
    control.terminate(life);
    const next = outside.control(yaml);
    expect(await next.adopt('front', () => undefined)).toBeUndefined();
    expect(isRunning(life.pid)).toBe(false);
  });
});

describe('the examples', () => {
  it('load, and have no channel that nobody could tell the component of', () => {
    for (const yaml of [unit(), kiosk()]) {
      const loaded = loadConfig(yaml, outside.folder);
      expect(loaded).toMatchObject({ ok: true });
      if (loaded.ok) expect(loaded.config.components[0]?.channel).toBe(false);
    }
  });

  it('are refused with a sentence where they ask for what cannot be', () => {
    const bad = kiosk()
      .replace('    run: external', '    run: external\n    channel: true\n    command: [pos]')
      .replace(/path: .*, failOn.*\}/, 'silenceMs: 5000 }');
    const loaded = loadConfig(bad, outside.folder);
    const paths = loaded.ok ? [] : loaded.problems.map(({ path }) => path);
    expect(paths.sort()).toEqual([
      'components[0].channel',
      'components[0].command',
      'components[0].probes[1].path',
    ]);
  });
});
