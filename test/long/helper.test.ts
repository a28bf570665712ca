// The helper that does what needs root, as its socket starts it: each of its words, what is no word of it, whoever asks
// who may not, and more questions than it takes. /sys and the program that reboots are stand-ins.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../real/agent-rig.ts';
import { need } from './parts.ts';

const HELPER = resolve('deploy/tillwatch-helper');
const CALL = resolve('deploy/tillwatch-helper-call');
const folder = mkdtempSync(join(tmpdir(), 'tw-helper-'));
const sys = join(folder, 'sys');
const proc = join(folder, 'proc');
const rebooted = join(folder, 'rebooted');
const usb = join(sys, 'bus', 'usb', 'devices');
const env = {
  PATH: process.env['PATH'] ?? '',
  TILLWATCH_HELPER_SYS: sys,
  TILLWATCH_HELPER_PROC: proc,
  TILLWATCH_HELPER_REBOOT: join(folder, 'reboot'),
};

function device(name: string, deviceClass: string): string {
  const path = join(usb, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'bDeviceClass'), `${deviceClass}\n`);
  writeFileSync(join(path, 'authorized'), '1\n');
  return path;
}

beforeAll(() => {
  mkdirSync(proc);
  writeFileSync(join(proc, 'uptime'), '900.12 100.00\n');
  writeFileSync(join(proc, 'mounts'), '/dev/sdb1 /data ext4 rw 0 0\n');
  writeFileSync(env.TILLWATCH_HELPER_REBOOT, `#!/bin/sh\necho 1 >>'${rebooted}'\n`);
  chmodSync(env.TILLWATCH_HELPER_REBOOT, 0o755);
  device('1-1', '09');
  // There, and still no device that a verb may name.
  for (const name of ['usb1', '1-0', '1-1.4:1.0:x']) device(name, '00');
  const printer = device('1-1.4', '00');
  mkdirSync(join(device('1-2', '00'), '1-2:1.0', 'host0', 'block', 'sdb'), { recursive: true });
  writeFileSync(join(device('1-1:1.0', '00'), 'bInterfaceClass'), '09\n');
  // As a volume of LVM or dm-crypt, whose name in /proc/mounts is another, and as swap.
  const block = (name: string, disk: string): string =>
    join(device(name, '00'), `${name}:1.0`, 'host0', 'block', disk);
  mkdirSync(join(block('1-3', 'sdc'), 'sdc1', 'holders', 'dm-0'), { recursive: true });
  mkdirSync(block('1-4', 'sdd'), { recursive: true });
  writeFileSync(join(proc, 'swaps'), 'Filename Type\n/dev/sdd2       partition 1 0 -2\n');
  const driver = join(sys, 'bus', 'usb', 'drivers', 'usb');
  mkdirSync(driver, { recursive: true });
  for (const file of ['bind', 'unbind']) writeFileSync(join(driver, file), '');
  symlinkSync(driver, join(printer, 'driver'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Answer = { readonly code: number | null; readonly text: string };
function ask(shell: string, line: string): Answer {
  const [program = '', ...argv] = [...shell.split(' '), HELPER];
  const { status, stdout } = spawnSync(program, argv, { input: line, env, encoding: 'latin1' });
  return { code: status, text: stdout };
}
const reboots = () => (existsSync(rebooted) ? readFileSync(rebooted, 'utf8').length / 2 : 0);

describe.each([['dash'], ['busybox ash']])('the helper, read by %s', (shell) => {
  it('reboots, resets a device, and gives one back to its driver', (context) => {
    need(context, shell.split(' ')[0] ?? '', 'busybox');
    const before = reboots();
    expect(ask(shell, 'reboot\n')).toEqual({ code: 0, text: 'ok, it reboots\n' });
    expect(reboots()).toBe(before + 1);
    expect(ask(shell, 'usb-reset 1-1.4\n').text).toBe('ok, it was reset\n');
    expect(readFileSync(join(usb, '1-1.4', 'authorized'), 'utf8')).toBe('1\n');
    expect(ask(shell, 'rebind usb 1-1.4\n').text).toBe('ok, usb has it again\n');
    expect(readFileSync(join(usb, '1-1.4', 'driver', 'unbind'), 'utf8')).toBe('1-1.4\n');
  });

  it.each([
    'reboot now\n',
    'Reboot\n',
    'reboot;id\n',
    'reboot\nreboot\n',
    '$(reboot)\n',
    '`reboot`\n',
    'reboot|sh\n',
    're\0boot\n',
    'reboot\r\n',
    '-c reboot\n',
    'usb-reset\n',
    'usb-reset *\n',
    'usb-reset ../../1-1.4\n',
    'usb-reset 1-1.4/..\n',
    'usb-reset -- 1-1.4\n',
    'usb-reset 1-0\n',
    'usb-reset usb1\n',
    'rebind pci 0000:00:1f.2\n',
    'rebind platform serial8250\n',
    'rebind usb-serial ttyS0\n',
    'rebind usb 1-1.4:1.0:x\n',
    'shutdown\n',
    '\n',
    '',
    '\xff\xfe\n',
    'a'.repeat(100_000),
    `${'reboot '.repeat(40)}\n`,
  ])('refuses %j and does nothing', (line) => {
    const before = reboots();
    const answer = ask(shell, line);
    expect(answer.text).toMatch(/^refused: /);
    expect(answer.code).toBe(77);
    expect(reboots()).toBe(before);
  });

  it('refuses a hub, a mounted disk, what is not there, and a machine that has only come up', () => {
    expect(ask(shell, 'usb-reset 1-1\n').text).toBe('refused: it is a hub\n');
    expect(ask(shell, 'usb-reset 1-2\n').text).toBe('refused: a mounted disk hangs on it\n');
    for (const name of ['1-3', '1-4']) {
      expect(ask(shell, `usb-reset ${name}\n`).text).toBe('refused: a mounted disk hangs on it\n');
    }
    expect(ask(shell, 'rebind usb 1-1:1.0\n').text).toBe('refused: it is a hub\n');
    expect(ask(shell, 'usb-reset 1-9\n').text).toBe('refused: there is no such device\n');
    writeFileSync(join(proc, 'uptime'), '59.99 1.00\n');
    expect(ask(shell, 'reboot\n').text).toContain('refused: the machine is up for less than 60 s');
    writeFileSync(join(proc, 'uptime'), '900.12 100.00\n');
  });
});

/** As tillwatch-start does; systemd's socket unit is the same by its own words. */
function listen(socket: string, user: string): ChildProcess {
  const where = `UNIX-LISTEN:${socket},fork,max-children=4,unlink-early,user=${user},mode=600`;
  return spawn('socat', [where, `EXEC:${HELPER},nofork`], { env, stdio: 'ignore' });
}
const call = (socket: string, ...argv: string[]): Promise<Answer> =>
  new Promise((done) => {
    const own = { ...env, TILLWATCH_HELPER_SOCKET: socket };
    execFile(CALL, argv, { env: own }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), text: out + err });
    });
  });

describe('its socket', () => {
  const socket = join(folder, 'helper.sock');
  let listener: ChildProcess | undefined;
  afterAll(() => listener?.kill('SIGKILL'));

  it('is asked with a small program, whose exit code says what came of it', async (context) => {
    need(context, 'socat', 'socat');
    if (process.getuid?.() !== 0) context.skip('this needs root');
    expect(await call(socket, 'reboot')).toEqual({
      code: 69,
      text: `tillwatch-helper-call: nobody listens on ${socket}\n`,
    });
    listener = listen(socket, 'root');
    await until('it listens', () => existsSync(socket));
    const before = reboots();
    expect(await call(socket, 'reboot')).toEqual({ code: 0, text: 'ok, it reboots\n' });
    await until('it rebooted', () => reboots() === before + 1);
    expect((await call(socket, 'shutdown', '-h')).code).toBe(77);
    expect((await call(socket)).code).toBe(64);
  });

  it('outlives whoever floods it, and those who say nothing', async (context) => {
    if (listener === undefined) context.skip('nobody listens');
    const crowd = Array.from({ length: 150 }, (_, index) => {
      const one = connect(socket);
      one.on('error', () => undefined);
      if (index % 2 === 0) one.write('x'.repeat(5_000));
      return one;
    });
    await new Promise((done) => setTimeout(done, 300));
    for (const one of crowd) one.destroy();
    const before = reboots();
    let answer: Answer = { code: null, text: '' };
    for (let tries = 0; tries < 20 && answer.code !== 0; tries += 1) {
      answer = await call(socket, 'reboot');
    }
    expect(answer).toEqual({ code: 0, text: 'ok, it reboots\n' });
    await until('it rebooted', () => reboots() === before + 1);
  });

  it('is shut to every other user', async (context) => {
    if (listener === undefined) context.skip('nobody listens');
    chmodSync(folder, 0o755);
    const asked = spawnSync('setpriv', [
      ...[
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        'socat',
        '-',
        `UNIX-CONNECT:${socket}`,
      ],
    ]);
    expect(asked.stderr.toString()).toContain('Permission denied');
    expect(asked.status).not.toBe(0);
    await Promise.resolve();
  });
});
