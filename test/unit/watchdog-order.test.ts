// Stories of the first starts: what comes after another component waits for it, and never for ever. A till whose
// scanner is broken, or whose line is down, still sells.

import { describe, expect, it } from 'vitest';
import { Order } from '../../agent/order.ts';
import { orderState } from '../../agent/watchdog/plan.ts';
import { tell } from './watchdog-story.ts';

const PLAN = [
  { name: 'hardware', after: [] },
  { name: 'sale', after: ['hardware'] },
];

/** A component called hardware with its real machine, and the order that starts sale after it. */
function boot(changes: Parameters<typeof tell>[0] = {}, toStart = ['hardware', 'sale']) {
  const hardware = tell({ component: 'hardware', ...changes });
  const started: string[] = [];
  const order = new Order({
    plan: PLAN,
    states: () =>
      new Map([
        ['hardware', orderState(hardware.model())],
        ['sale', started.includes('sale') ? 'ready' : 'stopped'],
      ]),
    push: (name, event) => {
      started.push(name);
      if (name === 'hardware') hardware.send(event);
    },
  });
  for (const name of toStart) order.toStart(name);
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      hardware.pass(1_000);
      order.follow();
    }
  };
  return { hardware, order, started, pass };
}

describe('what comes after another component', () => {
  it('starts when that is ready, and not before', () => {
    const { hardware, started, order, pass } = boot();
    hardware.hands.becomesReady = false;
    order.follow();
    pass(10_000);
    expect(started).toEqual(['hardware']);
    hardware.send({ kind: 'ready' });
    order.follow();
    expect(started).toEqual(['hardware', 'sale']);
  });

  it('starts although that never becomes ready', () => {
    const { hardware, started, order, pass } = boot();
    hardware.hands.becomesReady = false;
    order.follow();
    pass(60_000);
    expect(started).toContain('sale');
  });

  it('starts although that waits for a remote party for ever', () => {
    const { hardware, started, order } = boot();
    hardware.hands.becomesReady = false;
    order.follow();
    hardware.send({ kind: 'exited', code: 75, signal: undefined });
    order.follow();
    expect(hardware.state()).toBe('backoff');
    expect(started).toContain('sale');
  });

  it('starts although that is only observed while its start takes too long', () => {
    const { hardware, started, order, pass } = boot({ mode: 'observe' });
    hardware.hands.becomesReady = false;
    order.follow();
    pass(60_000);
    expect(hardware.state()).toBe('starting');
    expect(started).toContain('sale');
  });

  it('starts although that ended for good under an earlier agent', () => {
    const { order, started } = boot({}, ['sale']);
    order.follow();
    expect(started).toEqual(['sale']);
  });
});
