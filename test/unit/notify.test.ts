// What is said to systemd and when, with processes that are ended by hand and a clock that is moved by hand.

import { describe, expect, it } from 'vitest';
import { createNotifier, NOTIFY_MS_MAX, RETRY_MS, watchdogMs } from '../../agent/notify.ts';
import { fail, ok } from '../../protocol/result.ts';

const WATCHED = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '77' };

type Told = { readonly words: readonly string[]; readonly end: (code: number) => Promise<void> };

function world(environment: Record<string, string>) {
  let now = 0;
  let status = '0 of 3 components ready';
  let startable = true;
  const told: Told[] = [];
  const warnings: string[] = [];
  const killed: number[] = [];
  const timers = new Set<() => void>();
  /** Answers of the fakes come as promises. */
  const settle = (): Promise<void> => new Promise((done) => setImmediate(done));
  const notifier = createNotifier({
    environment,
    status: () => status,
    clock: { monotonicMs: () => now },
    log: { info: () => undefined, warn: (text) => warnings.push(text) },
    timers: {
      after: (_ms, run) => {
        timers.add(run);
        return () => timers.delete(run);
      },
    },
    processes: {
      ownPid: 77,
      signal: (pid) => killed.push(pid) > 0,
      start: ({ command, env }, onExit) => {
        if (!startable) return Promise.resolve(fail('cannot start systemd-notify: ENOENT'));
        expect(command[0]).toBe('systemd-notify');
        expect(env).toEqual({ PATH: '/usr/bin:/bin', NOTIFY_SOCKET: '/run/notify' });
        const end = (code: number): Promise<void> => {
          onExit(code, undefined);
          return settle();
        };
        told.push({ words: command.slice(1), end });
        return Promise.resolve(ok({ pid: 500 + told.length }));
      },
    },
  });
  const sweep = async (passedMs: number): Promise<void> => {
    now += passedMs;
    notifier.swept();
    await settle();
  };
  return {
    ...{ notifier, told, warnings, killed, sweep, settle },
    timeOut: () => [...timers].map((run) => run()),
    waiting: timers,
    become: (text: string) => {
      status = text;
    },
    lose: (is: boolean) => {
      startable = !is;
    },
    words: () => told.map(({ words }) => words.join(' ')),
  };
}

describe('without systemd', () => {
  it('nothing is started', async () => {
    const { notifier, told, sweep } = world({ WATCHDOG_USEC: '30000000' });
    notifier.ready();
    await sweep(60_000);
    notifier.stopping();
    expect(told).toEqual([]);
  });
});

describe('with systemd', () => {
  it('READY is said once, then a feed each third of the time, and only from sweeps', async () => {
    const { notifier, told, sweep, words, waiting } = world(WATCHED);
    notifier.ready();
    await told[0]?.end(0);
    for (let tenths = 0; tenths < 300; tenths += 1) {
      await sweep(100);
      const last = told.at(-1);
      if (last !== undefined) await last.end(0);
    }
    expect(words()).toEqual([
      'READY=1 STATUS=0 of 3 components ready',
      'WATCHDOG=1',
      'WATCHDOG=1',
      'WATCHDOG=1',
    ]);
    // No timer is left that could feed it while no sweep comes.
    expect(waiting.size).toBe(0);
  });

  it('the line for people goes with a feed when it is another one', async () => {
    const { notifier, told, sweep, become, words } = world(WATCHED);
    notifier.ready();
    await told[0]?.end(0);
    become('3 of 3 components ready');
    await sweep(0);
    expect(words()[1]).toBe('WATCHDOG=1 STATUS=3 of 3 components ready');
  });

  it('without a watchdog of its own the agent says READY and STOPPING only', async () => {
    for (const other of [{}, { WATCHDOG_USEC: '0' }, { ...WATCHED, WATCHDOG_PID: '76' }]) {
      const { notifier, told, sweep, words } = world({ NOTIFY_SOCKET: '/run/notify', ...other });
      notifier.ready();
      await told[0]?.end(0);
      await sweep(60_000);
      await sweep(60_000);
      notifier.stopping();
      expect(words()).toEqual(['READY=1 STATUS=0 of 3 components ready', 'STOPPING=1']);
    }
  });

  it('one process at a time: a feed that is due meanwhile comes with the sweep after it', async () => {
    const { notifier, told, sweep, words } = world(WATCHED);
    notifier.ready();
    await sweep(100);
    await sweep(20_000);
    expect(told.length).toBe(1);
    await told[0]?.end(0);
    expect(told.length).toBe(1);
    await sweep(250);
    expect(words()[1]).toBe('WATCHDOG=1');
  });

  it('one that does not end is killed, and counted as a failure when it has ended', async () => {
    const { notifier, told, sweep, timeOut, killed, warnings } = world(WATCHED);
    notifier.ready();
    await sweep(NOTIFY_MS_MAX);
    timeOut();
    expect(killed).toEqual([501]);
    await told[0]?.end(0);
    expect(notifier.failures()).toBe(1);
    expect(warnings[0]).toMatch(/did not end in time/);
  });

  it('what failed is said again, not at once, and told to people once', async () => {
    const { notifier, told, sweep, settle, lose, words, warnings } = world(WATCHED);
    lose(true);
    notifier.ready();
    await settle();
    await sweep(RETRY_MS - 1);
    await sweep(1);
    expect(notifier.failures()).toBe(2);
    expect(warnings).toEqual([
      'systemd cannot be told how the agent is: cannot start systemd-notify: ENOENT',
    ]);
    lose(false);
    await sweep(RETRY_MS);
    expect(words()).toEqual(['READY=1 WATCHDOG=1 STATUS=0 of 3 components ready']);
    await told[0]?.end(1);
    await sweep(RETRY_MS);
    await told[1]?.end(0);
    await sweep(RETRY_MS);
    expect(words().slice(1)).toEqual(['READY=1 WATCHDOG=1 STATUS=0 of 3 components ready']);
  });

  it('STOPPING waits for the process that runs, and no feed comes with it', async () => {
    const { notifier, told, sweep, settle, words } = world(WATCHED);
    notifier.ready();
    await sweep(20_000);
    notifier.stopping();
    expect(told.length).toBe(1);
    await told[0]?.end(0);
    await settle();
    expect(words()[1]).toBe('STOPPING=1');
  });
});

describe('the time between feeds', () => {
  it('is what systemd set for this very process, in microseconds', () => {
    expect(watchdogMs(WATCHED, 77)).toBe(30_000);
    expect(watchdogMs(WATCHED, 78)).toBeUndefined();
    expect(watchdogMs({ WATCHDOG_USEC: '30000000' }, 78)).toBe(30_000);
    for (const usec of ['', '-1', '0', 'abc', '1e9', ' 5', '99999999999999999999']) {
      expect(watchdogMs({ WATCHDOG_USEC: usec }, 77), usec).toBeUndefined();
    }
  });
});
