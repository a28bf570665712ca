// The small parts of the agent's core, each with a clock that is moved by hand.

import { describe, expect, it } from 'vitest';
import { openBudgets } from '../../agent/budgets.ts';
import { Loop, QUEUE_EVENTS_MAX, SWEEP_MS } from '../../agent/loop.ts';
import { createPauseWatch, ordinaryLateMs } from '../../agent/pause.ts';
import type { BootClock, Files } from '../../agent/ports.ts';
import { ok } from '../../protocol/result.ts';

const warnings: string[] = [];
const log = {
  info: () => undefined,
  warn: (text: string) => warnings.push(text),
  error: (text: string) => warnings.push(text),
};

describe('the watch for pauses of the agent itself', () => {
  const MONO = 1_000;
  const BOOT = 500_000;
  const watchOf = () => createPauseWatch(750, MONO, BOOT);

  it('says nothing while sweeps come in time, or a little late', () => {
    const watch = watchOf();
    for (const passed of [250, 500, 1_200]) {
      expect(watch.look(MONO + passed)).toBe(0);
      expect(watch.swept(MONO + passed, BOOT + passed)).toBe(0);
    }
  });

  it('tells the whole gap when it was stopped, and only once', () => {
    const watch = watchOf();
    expect(watch.look(MONO + 5_250)).toBe(5_250);
    expect(watch.look(MONO + 5_251)).toBe(0);
  });

  it('sees a sleep of the machine, of which the monotonic clock knows nothing', () => {
    const watch = watchOf();
    expect(watch.swept(MONO + 100, BOOT + 60_100)).toBe(60_000);
    expect(watch.swept(MONO + 350, BOOT + 60_350)).toBe(0);
  });

  it('is not misled by the coarse clock of the machine', () => {
    const watch = watchOf();
    expect(watch.swept(MONO + 200, BOOT + 290)).toBe(0);
    expect(watch.swept(MONO + 210, BOOT + 120)).toBe(0);
  });

  it('takes a quarter of the shortest deadline for ordinary, within bounds', () => {
    expect(ordinaryLateMs([2_000, 5_000])).toBe(500);
    expect(ordinaryLateMs([60_000])).toBe(1_000);
    expect(ordinaryLateMs([2_000, 200])).toBe(100);
  });
});

/** A loop whose time stands still until it is told. */
function fakeLoop(onHandle: (kind: string, loop: Loop) => void = () => undefined) {
  let now = 0;
  const seen: string[] = [];
  let sweep = (): void => undefined;
  let later = (): void => undefined;
  const clock: BootClock = {
    monotonicMs: () => now,
    wallMs: () => now,
    bootMs: () => now,
    bootId: () => 'boot',
  };
  const loop: Loop = new Loop({
    clock,
    timers: {
      after: (_ms, run) => {
        later = run;
        return () => undefined;
      },
      every: (_ms, run) => {
        sweep = run;
        return () => undefined;
      },
    },
    log,
    handle: (component, event) => {
      seen.push(`${component} ${event.kind}`);
      onHandle(event.kind, loop);
    },
    settled: () => seen.push('settled'),
    paused: (gapMs) => seen.push(`paused ${gapMs}`),
    lateMsMax: 500,
    observe: () => seen.push('observe'),
  });
  const pass = (ms: number): void => {
    now += ms;
  };
  return { loop, seen, pass, sweep: () => sweep(), later: () => later() };
}

describe('the loop', () => {
  it('runs each event to its end before the next, also those that it causes', () => {
    const { loop, seen } = fakeLoop((kind, self) => {
      if (kind === 'ready') self.push('sync', { kind: 'tick' });
      seen.push('done');
    });
    loop.push('sale', { kind: 'ready' });
    expect(seen).toEqual(['sale ready', 'done', 'sync tick', 'done', 'settled']);
  });

  it('tells all of what concerns all before anything follows from it', () => {
    // A till that is let go: one climbs at once, and stops the other, who must know by then.
    const { loop, seen } = fakeLoop((kind, self) => {
      const isFirst = seen.at(-1) === 'sale hold';
      if (kind === 'hold' && isFirst) self.push('sync', { kind: 'stop', reason: 'for sale' });
    });
    loop.pushAll(['sale', 'sync'], { kind: 'hold', active: false });
    expect(seen).toEqual(['sale hold', 'sync hold', 'sync stop', 'settled']);
  });

  it('looks and judges only after what waited in sockets was read', () => {
    const { seen, pass, sweep, later } = fakeLoop();
    pass(SWEEP_MS);
    sweep();
    expect(seen).toEqual(['settled']);
    later();
    expect(seen).toEqual(['settled', 'observe']);
  });

  it('tells of its own pause before anything else', () => {
    const { loop, seen, pass } = fakeLoop();
    pass(5_000);
    loop.push('sale', { kind: 'beat', loopDelayMsMax: 0 });
    expect(seen).toEqual(['paused 5000', 'sale beat', 'settled']);
    expect(loop.stats()).toMatchObject({ pauses: 1 });
  });

  it('drops only what comes again when too much is waiting, and counts it', () => {
    const { loop, seen } = fakeLoop((kind, self) => {
      if (kind !== 'start') return;
      for (let n = 0; n < QUEUE_EVENTS_MAX + 5; n += 1) self.push('sale', { kind: 'tick' });
      self.push('sale', { kind: 'exited', code: 1, signal: undefined });
    });
    loop.push('sale', { kind: 'start', reason: '' });
    expect(loop.stats().dropped).toBe(5);
    expect(seen.at(-2)).toBe('sale exited');
  });
});

describe('budgets', () => {
  let text: string | undefined;
  const files = {
    read: () => text,
    replace: (_path: string, content: string) => {
      text = content;
      return ok(undefined);
    },
  } as unknown as Files;
  const at = (monotonic: number, boot: number, bootId = 'boot-1'): BootClock => ({
    monotonicMs: () => monotonic,
    wallMs: () => 0,
    bootMs: () => boot,
    bootId: () => bootId,
  });

  it('mean the same moments to the next agent of the same boot, and nothing after a reboot', () => {
    const path = 'budgets.json';
    const first = openBudgets({ path, clock: at(1_000, 90_000), files, log });
    first.save(
      new Map([
        [
          'sale',
          {
            restarts: [
              { at: 400, cause: 'crash' },
              { at: 900, cause: 'hang' },
            ],
          },
        ],
        ['setup', { restarts: [], rested: '1.0.0' }],
      ]),
    );
    const next = openBudgets({ path, clock: at(50, 100_000), files, log });
    // 89 400 and 89 900 since boot; now is 100 000 since boot and 50 here.
    expect(next.restored('sale')).toEqual([
      { at: -10_550, cause: 'crash' },
      { at: -10_050, cause: 'hang' },
    ]);
    expect(next.restored('toString')).toEqual([]);
    expect([next.rested('setup'), next.rested('sale')]).toEqual(['1.0.0', undefined]);
    const rebooted = openBudgets({ path, clock: at(50, 100, 'boot-2'), files, log });
    expect(rebooted.restored('sale')).toEqual([]);
    text = 'garbage';
    const damaged = openBudgets({ path, clock: at(50, 100), files, log });
    expect(damaged.restored('sale')).toEqual([]);
  });
});
