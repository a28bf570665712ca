// Stories of operations that meet something else: a second escalation, a component that recovers by itself, a
// technician who holds the till, and an agent that ends in the middle.

import { describe, expect, it } from 'vitest';
import { BUSY_WAIT_MS_MAX, QUEUE_MS_MAX } from '../../agent/watchdog/recovery-model.ts';
import * as reasons from '../../agent/watchdog/recovery-reasons.ts';
import { MINUTE, running, till, WHOLE } from './recovery-story.ts';

describe('two at once', () => {
  it('the second waits until the first is done', () => {
    const story = running();
    story.ways.slow.add('hardware');
    story.fails('hardware', 'dependants');
    story.fails('sync', 'dependants', 'i-2');
    expect(story.take()).toEqual(WHOLE.slice(0, 3));
    story.be('hardware', 'ready');
    expect(story.take()).toEqual([...WHOLE.slice(3), 'launch sync']);
  });

  it('a member of the first that had asked for more is restarted with it, and no more', () => {
    const story = running();
    story.busy('display');
    story.fails('hardware', 'dependants');
    story.fails('sale', 'dependants', 'i-2');
    story.busy('display', false);
    expect(story.take()).toEqual(WHOLE);
    expect(story.model().queue).toEqual([]);
  });

  it('the newest wish of a component counts', () => {
    const story = running();
    story.busy('sale');
    story.fails('hardware', 'dependants');
    story.fails('sync', 'dependants', 'i-2');
    story.fails('sync', 'all', 'i-2');
    expect(story.model().queue).toMatchObject([{ component: 'sync', rung: 'all' }]);
  });

  it('waits no longer than half an hour, whatever is before it', () => {
    const story = running();
    story.ways.immortal.add('display');
    story.busy('sale');
    story.fails('hardware', 'dependants');
    story.fails('sync', 'dependants', 'i-2');
    story.pass(BUSY_WAIT_MS_MAX - 1_000);
    story.busy('sale', false);
    story.busy('sale');
    story.pass(QUEUE_MS_MAX - BUSY_WAIT_MS_MAX);
    expect(story.take()).toEqual(['stop display']);
    story.pass(1_000);
    expect(story.take()).toEqual([`refuse sync dependants: ${reasons.QUEUED_TOO_LONG}`]);
    expect(story.model().phase).toBe('stopping');
  });
});

describe('it is no longer wanted', () => {
  it('when the failing one recovers by itself while it waits', () => {
    const story = running();
    story.busy('sale');
    story.fails('hardware', 'dependants');
    story.be('hardware', 'starting');
    story.busy('sale', false);
    story.pass(MINUTE);
    expect(story.take()).toEqual([]);
    const told = running();
    told.busy('sale');
    told.fails('hardware', 'dependants');
    told.send({ kind: 'abandoned', component: 'hardware' });
    told.busy('sale', false);
    expect(told.take()).toEqual([]);
  });

  it('when it recovers while others are stopped already, they come back without it', () => {
    const story = running();
    story.ways.immortal.add('sale');
    story.fails('hardware', 'dependants');
    story.be('hardware', 'ready');
    expect(story.take()).toEqual(['stop display', 'stop sale', 'start sale']);
    story.be('sale', 'stopped');
    story.be('sale', 'starting');
    story.be('sale', 'ready');
    expect(story.take()).toEqual(['start display']);
  });

  it('when it waits in the queue', () => {
    const story = running();
    story.busy('sale');
    story.fails('hardware', 'dependants');
    story.fails('sync', 'dependants', 'i-2');
    story.be('sync', 'ready');
    expect(story.model().queue).toEqual([]);
  });
});

describe('the till is held', () => {
  it('before it: refused', () => {
    const story = running();
    story.send({ kind: 'hold', active: true });
    story.fails('hardware', 'dependants');
    expect(story.take()).toEqual([`refuse hardware dependants: ${reasons.HELD}`]);
  });

  it('while it waits: refused', () => {
    const story = running();
    story.busy('sale');
    story.fails('hardware', 'dependants');
    story.send({ kind: 'hold', active: true });
    expect(story.take()).toEqual([`refuse hardware dependants: ${reasons.HELD}`]);
  });

  it('in the middle: what was stopped is not left so', () => {
    const story = running();
    story.ways.immortal.add('display');
    story.fails('hardware', 'dependants');
    story.send({ kind: 'hold', active: true });
    story.be('display', 'stopped');
    expect(story.take()).toEqual(WHOLE);
  });
});

describe('the agent ends in the middle', () => {
  it('and the next starts those that were stopped, in order', () => {
    const before = running();
    before.ways.immortal.add('sale');
    before.fails('hardware', 'dependants');
    const kept = before.effects.findLast((effect) => effect.kind === 'persist');
    const interrupted = kept?.kind === 'persist' ? kept.interrupted : undefined;
    expect(interrupted).toEqual({
      component: 'hardware',
      rung: 'dependants',
      members: ['hardware', 'sale', 'display'],
    });
    const after = till({ interrupted });
    after.pass(1_000);
    expect(after.take()).toEqual([]);
    after.be('hardware', 'starting');
    after.be('hardware', 'ready');
    expect(after.take()).toEqual(['start sale', 'start display']);
    expect(after.lines).toEqual([]);
    expect(after.effects.at(-1)).toEqual({ kind: 'persist', interrupted: undefined });
  });

  it('and waits for nobody who ran on all the time', () => {
    const after = till({
      interrupted: {
        component: 'sync',
        rung: 'all',
        members: ['hardware', 'sync', 'sale', 'display'],
      },
    });
    // Adopted: the agent before had not come to them yet.
    after.be('sale', 'ready');
    after.be('sync', 'backoff');
    after.be('hardware', 'ready');
    after.pass(1_000);
    expect(after.take().at(-1)).toBe('start display');
    expect(after.model().phase).toBe('idle');
  });

  it('also when what they need does not come back', () => {
    const after = till({
      interrupted: { component: 'hardware', rung: 'dependants', members: ['sale', 'display'] },
    });
    after.pass(10_000);
    expect(after.take()).toEqual(['start sale', 'start display']);
  });

  it('nothing is kept once everybody was started', () => {
    const story = running();
    story.fails('hardware', 'dependants');
    expect(story.effects.at(-1)).toEqual({ kind: 'persist', interrupted: undefined });
  });
});
