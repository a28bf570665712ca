// Real components that fail in every way that a till knows, under a real agent with the settings that ship:
// each is found and healed, and what is only slow or busy is left alone.

import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, isAlive, Rig } from './agent-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

const http = (port: number) => ({ kind: 'http', url: `http://127.0.0.1:${port}/` });

describe('a component that', () => {
  it('dies is started again', async () => {
    rig.configure([fault('sale')]);
    void rig.start();
    const pid = await rig.ready('sale');
    process.kill(pid, 'SIGKILL');
    const { opened, recovered } = await rig.healed('sale');
    expect(opened).toMatchObject({ cause: 'crash' });
    expect(opened.pid).toBeUndefined();
    expect(opened.message).toContain('the process ended by signal SIGKILL');
    expect(recovered).toMatchObject({ cause: 'crash', attempts: 1 });
    const next = await rig.ready('sale', 2);
    expect(next).not.toBe(pid);
    expect(rig.copies('sale')).toEqual([next]);
  });

  it('is stopped, deadlocked, or beats from a worker while it is deadlocked, is killed and healed', async () => {
    // Once only: the second life of each does not fail any more.
    const port = await freePort();
    rig.configure([
      fault('stopped'),
      fault('blocked', ['--mode', 'block', '--hang-after-ms', '2000']),
      fault('lying', ['--mode', 'lie', '--hang-after-ms', '2000']),
      fault('probed', ['--mode', 'lie', '--hang-after-ms', '2000', '--port', String(port)], {
        probes: [http(port)],
      }),
    ]);
    void rig.start();
    const stopped = await rig.ready('stopped');
    process.kill(stopped, 'SIGSTOP');
    for (const name of ['stopped', 'blocked', 'lying', 'probed']) {
      const { opened, recovered } = await rig.healed(name);
      expect(opened, name).toMatchObject({ cause: 'hang', level: 'warn' });
      expect(recovered.attempts, name).toBe(1);
      // Shipped deadlines are 2 s; the rest is room for a machine that has other things to do.
      expect(recovered['detectedMs'], name).toBeGreaterThanOrEqual(1_500);
      expect(recovered['detectedMs'], name).toBeLessThan(15_000);
    }
    const reasonOf = (name: string) =>
      rig.lines(name).find((line) => line.message.includes('incident opened'))?.message;
    expect(reasonOf('stopped')).toContain('main thread is stopped');
    expect(reasonOf('blocked')).toContain('main thread is blocked: no beat');
    expect(reasonOf('lying')).toContain('although beats arrive: something else sends them');
    expect(isAlive(stopped)).toBe(false);
  });

  it('spins is killed and healed', async () => {
    rig.configure([fault('spinning', ['--mode', 'spin', '--hang-after-ms', '1500'])]);
    void rig.start();
    const { opened, recovered } = await rig.healed('spinning');
    expect(opened.message).toContain('main thread is spinning');
    expect(recovered['detectedMs']).toBeGreaterThanOrEqual(4_500);
  });

  it('spins while a worker beats for it is found by its probe', async () => {
    const port = await freePort();
    const knobs = [
      '--mode',
      'lie',
      '--lie-spin',
      '--hang-after-ms',
      '1500',
      '--port',
      String(port),
    ];
    rig.configure([fault('lying', knobs, { probes: [http(port)] })]);
    void rig.start();
    const { opened } = await rig.healed('lying');
    // On a crowded machine no thread gets a whole core: then its processor time is told.
    expect(opened.message).toMatch(
      /probes in a row failed and its main thread use(s a whole core|d \d+\.\d s of processor)/,
    );
  });

  it('says nothing of us is watched by its probe alone', async () => {
    const port = await freePort();
    const knobs = ['--mode', 'block', '--hang-after-ms', '2500', '--port', String(port)];
    rig.configure([fault('box', knobs, { channel: false, probes: [http(port)] })]);
    void rig.start();
    const { opened } = await rig.healed('box');
    expect(opened.cause).toBe('unresponsive');
  });

  it('computes for four seconds, works hard all the time or speaks a lot is left alone', async () => {
    const toiler = resolve('test/real/agent-toiler.ts');
    const chatter = [process.execPath, resolve('test/real/agent-chatter.ts'), '10000'];
    rig.configure([
      fault('slow', ['--gc-ms', '4000']),
      { name: 'hard', command: [process.execPath, toiler] },
      { name: 'requests', command: chatter },
      { name: 'chatter', command: [...chatter, 'raw'] },
    ]);
    void rig.start();
    const slow = await rig.ready('slow');
    const hard = await rig.ready('hard');
    await new Promise((done) => setTimeout(done, 12_000));
    expect([isAlive(slow), isAlive(hard)]).toEqual([true, true]);
    expect(rig.log().filter((line) => line.message.includes('incident'))).toEqual([]);
  });
});
