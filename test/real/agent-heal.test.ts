// Real components that fail in every way that a till knows, under a real agent with the settings that ship:
// each is found and healed, and what is only slow or busy is left alone.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fault, freePort, http, isAlive, Rig } from './agent-rig.ts';

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});
afterEach(() => rig.clean());

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
});
