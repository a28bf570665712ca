// Samples of a main thread while the agent itself has it asked for its stack.

import { describe, expect, it } from 'vitest';
import type { Timers } from '../../agent/ports.ts';
import { DISCOUNT_MAX, Disturbances, SETTLE_MS } from '../../agent/watchdog/disturbance.ts';
import type { ThreadSample } from '../../agent/watchdog/model.ts';

const blocked = (voluntarySwitches: number, state = 'S'): ThreadSample => ({
  ...{ state, voluntarySwitches, cpuMs: 100, runDelayMs: 0 },
});

function setUp() {
  const waiting: { ms: number; run: () => void }[] = [];
  const timers: Timers = {
    after: (ms, run) => {
      const one = { ms, run };
      waiting.push(one);
      return () => void waiting.splice(waiting.indexOf(one), 1);
    },
    every: () => () => undefined,
  };
  const pass = (ms: number): void => {
    for (const one of [...waiting].filter((each) => each.ms <= ms)) one.run();
  };
  let now = blocked(40);
  const disturbances = new Disturbances(timers);
  return {
    pass,
    set: (sample: ThreadSample) => {
      now = sample;
    },
    begin: (instance = 'i1') => disturbances.begin(instance, () => now),
    seen: (instance = 'i1') => disturbances.undone(instance, now),
  };
}

describe('a main thread that is asked for its stack', () => {
  it('looks as before meanwhile, and as if nobody had asked afterwards', () => {
    const thread = setUp();
    const end = thread.begin();
    thread.set(blocked(42, 'R'));
    expect(thread.seen()).toMatchObject({ state: 'S', voluntarySwitches: 40 });
    end();
    thread.set(blocked(43));
    expect(thread.seen()).toMatchObject({ voluntarySwitches: 40 });
    thread.pass(SETTLE_MS);
    expect(thread.seen()).toMatchObject({ voluntarySwitches: 40 });
    const again = thread.begin();
    thread.set(blocked(46));
    again();
    thread.pass(SETTLE_MS);
    expect(thread.seen()).toMatchObject({ voluntarySwitches: 40 });
    thread.set(blocked(47));
    expect(thread.seen()).toMatchObject({ voluntarySwitches: 41 });
  });

  it('is given more time where it still runs afterwards, on a busy machine', () => {
    const thread = setUp();
    const end = thread.begin();
    thread.set(blocked(42, 'R'));
    end();
    thread.pass(SETTLE_MS);
    thread.set(blocked(43));
    expect(thread.seen()).toMatchObject({ voluntarySwitches: 40 });
    thread.pass(SETTLE_MS);
    expect(thread.seen()).toMatchObject({ voluntarySwitches: 40 });
  });

  it('is alive when it wakes more often than asking can explain', () => {
    const thread = setUp();
    const end = thread.begin();
    thread.set(blocked(40 + DISCOUNT_MAX + 1));
    expect(thread.seen()).toMatchObject({ voluntarySwitches: 40 + DISCOUNT_MAX + 1 });
    end();
    thread.pass(SETTLE_MS);
    expect(thread.seen()).toMatchObject({ voluntarySwitches: 40 + DISCOUNT_MAX + 1 });
  });

  it('is looked at again as it is when no answer ever comes', () => {
    const thread = setUp();
    thread.begin();
    thread.pass(Number.POSITIVE_INFINITY);
    thread.set(blocked(45, 'R'));
    expect(thread.seen()).toMatchObject({ state: 'R', voluntarySwitches: 45 });
  });

  it('lends nothing to another life', () => {
    const thread = setUp();
    thread.begin('i1');
    thread.set(blocked(44, 'R'));
    expect(thread.seen('i2')).toMatchObject({ state: 'R', voluntarySwitches: 44 });
  });
});
