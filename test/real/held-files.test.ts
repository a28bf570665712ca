// What is read four times a second for ever: files of /proc that stay open, and the moment after all sockets were read.

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { realFiles } from '../../agent/system/files.ts';
import { realPorts } from '../../agent/system.ts';
import { parseStat } from '../../agent/watchdog/proc.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function sleeper(): { readonly pid: number; readonly gone: Promise<unknown> } {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  children.push(child);
  return { pid: child.pid ?? 0, gone: new Promise((done) => child.once('exit', done)) };
}

/** Our own open descriptors that lead below /proc/PID. */
const openBelow = (pid: number): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(`/proc/${pid}/`) ? [path] : [];
    } catch {
      return []; // the folder that is being listed
    }
  });

describe('a file that is read again and again', () => {
  it('is opened once and says what is so now', () => {
    const path = `/proc/${process.pid}/task/${process.pid}/schedstat`;
    const first = realFiles.reread(path);
    for (const until = performance.now() + 20; performance.now() < until; );
    const second = realFiles.reread(path);
    expect(Number.parseInt(second ?? '', 10)).toBeGreaterThan(Number.parseInt(first ?? '', 10));
    expect(openBelow(process.pid).filter((open) => open.endsWith('/schedstat'))).toHaveLength(1);
    // Read from its beginning each time.
    expect(realFiles.reread('/proc/self/limits')).toBe(realFiles.reread('/proc/self/limits'));
  });

  it('says nothing once its process is gone, and is not kept open for it', async () => {
    const { pid, gone } = sleeper();
    const path = `/proc/${pid}/task/${pid}/stat`;
    expect(parseStat(realFiles.reread(path))?.pid).toBe(pid);
    expect(openBelow(pid)).toHaveLength(1);
    process.kill(pid, 'SIGKILL');
    await gone;
    expect(realFiles.reread(path)).toBeUndefined();
    expect(openBelow(pid)).toEqual([]);
    expect(realFiles.reread(path)).toBeUndefined();
  });

  it('that is absent is no error, and many of them do not use up the descriptors', () => {
    expect(realFiles.reread('/proc/self/nothing')).toBeUndefined();
    const before = readdirSync('/proc/self/fd').length;
    const threads = '/proc/self/task';
    const files = readdirSync(threads).flatMap((id) =>
      readdirSync(`${threads}/${id}`).map((name) => `${threads}/${id}/${name}`),
    );
    expect(files.length).toBeGreaterThan(300);
    for (const path of files.slice(0, 600)) realFiles.reread(path);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 256);
    expect(parseStat(realFiles.reread('/proc/self/stat'))?.pid).toBe(process.pid);
  });
});

describe('the time since boot', () => {
  it('is that of the machine, to its own step', async () => {
    const { clock } = realPorts();
    const kernels = (): number => Number.parseFloat(realFiles.read('/proc/uptime') ?? '') * 1_000;
    for (let round = 0; round < 5; round += 1) {
      const before = kernels();
      const told = clock.bootMs();
      expect(told).toBeGreaterThanOrEqual(before - 20);
      expect(told).toBeLessThanOrEqual(kernels());
      await new Promise((done) => setTimeout(done, 15));
    }
  });
});

describe('after 0', () => {
  const open: (Server | Socket)[] = [];
  afterEach(() => {
    for (const one of open.splice(0)) 'destroy' in one ? one.destroy() : one.close();
  });

  it('comes when everything that had arrived was read', async () => {
    const order: string[] = [];
    let writer: Socket | undefined;
    const path = `\0tw-held-${process.pid}`;
    await new Promise<void>((done) => {
      const server = createServer((socket) => {
        open.push(socket);
        socket.on('data', () => order.push('beat'));
        done();
      }).listen(path, () => {
        writer = connectTo(path);
        open.push(writer);
      });
      open.push(server);
    });
    for (let round = 0; round < 20; round += 1) {
      await new Promise<void>((done) => {
        setTimeout(() => {
          writer?.write('x'); // written at once: the kernel has it when this returns
          realPorts().timers.after(0, () => {
            order.push('judged');
            done();
          });
        }, 1);
      });
    }
    expect(order.join(' ')).toBe(Array.from({ length: 20 }, () => 'beat judged').join(' '));
  });

  it('can be taken back', async () => {
    const ran: string[] = [];
    realPorts().timers.after(0, () => ran.push('no'))();
    await new Promise((done) => setTimeout(done, 10));
    expect(ran).toEqual([]);
  });
});
