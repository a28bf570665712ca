// Stories of operations that restart several components: who is stopped and started in which order, what holds
// it back, and what happens when somebody does not come.

import { describe, expect, it } from 'vitest';
import { BUSY_WAIT_MS_MAX } from '../../agent/watchdog/recovery-model.ts';
import * as reasons from '../../agent/watchdog/recovery-reasons.ts';
import { MINUTE, running, setting, till, WHOLE } from './recovery-story.ts';

describe('a component is restarted with what depends on it', () => {
  it('stops three levels in reverse and starts them in order', () => {
    const story = running();
    story.fails('hardware', 'dependants');
    expect(story.take()).toEqual(WHOLE);
    expect(story.model()).toMatchObject({ phase: 'idle', operation: undefined });
  });

  it('stops the next only when the one above it is gone, and starts it only when what it needs is ready', () => {
    const story = running();
    story.ways.immortal.add('display');
    story.ways.slow.add('hardware');
    story.fails('hardware', 'dependants');
    story.pass(5_000);
    expect(story.take()).toEqual(['stop display']);
    story.be('display', 'stopped');
    expect(story.take()).toEqual(['stop sale', 'launch hardware']);
    story.pass(5_000);
    expect(story.take()).toEqual([]);
    story.be('hardware', 'ready');
    expect(story.take()).toEqual(['start sale', 'start display']);
  });

  it('restarts only those that were active', () => {
    const story = running();
    story.be('sale', 'stopped');
    story.fails('hardware', 'dependants');
    expect(story.take()).toEqual(['stop display', 'launch hardware', 'start display']);
    const none = running();
    none.fails('display', 'dependants');
    expect(none.take()).toEqual(['launch display']);
  });

  it('leaves alone who ends by itself before its turn', () => {
    const story = running();
    story.ways.immortal.add('display');
    story.fails('hardware', 'dependants');
    story.be('sale', 'stopped');
    story.be('display', 'stopped');
    expect(story.take()).toEqual(['stop display', 'launch hardware', 'start display']);
  });

  it('leaves alone who is only observed', () => {
    const timing = new Map(setting.timing);
    const sale = timing.get('sale');
    if (sale !== undefined) timing.set('sale', { ...sale, isObserved: true });
    const story = running({}, { timing });
    story.busy('sale');
    story.fails('hardware', 'dependants');
    expect(story.take()).toEqual(['stop display', 'launch hardware', 'start display']);
    story.fails('hardware', 'reboot');
    expect(story.take()).toEqual([]);
    story.busy('sale', false);
    expect(story.take()).toEqual(['note_reboot']);
  });

  it('says what it does in words that the operations centre can read', () => {
    const story = running();
    story.fails('hardware', 'dependants');
    const told = story.effects.flatMap((effect) => ('reason' in effect ? [effect.reason] : []));
    expect(new Set(told)).toEqual(
      new Set([
        'hardware is restarted with what depends on it: stopped for it',
        'restarted with what depends on it: it crashed',
        'hardware is restarted with what depends on it: started again',
      ]),
    );
  });
});

describe('a sale holds it back', () => {
  it('until it is over', () => {
    const story = running();
    story.busy('sale');
    story.fails('hardware', 'dependants');
    story.pass(10 * MINUTE);
    expect(story.take()).toEqual([]);
    story.busy('sale', false);
    expect(story.take()).toEqual(WHOLE);
  });

  it('but not for ever: at the ceiling it is refused, and nothing was touched', () => {
    const story = running();
    story.busy('sale');
    story.fails('hardware', 'dependants');
    story.pass(BUSY_WAIT_MS_MAX);
    const why = reasons.stillBusy(['sale'], BUSY_WAIT_MS_MAX);
    expect(why).toBe('sale stayed busy for 15.0 min');
    expect(story.take()).toEqual([`refuse hardware dependants: ${why}`]);
    expect(story.model().phase).toBe('idle');
  });

  it('not when it is another component that is busy', () => {
    const story = running();
    story.busy('sync');
    story.fails('hardware', 'dependants');
    expect(story.take()).toEqual(WHOLE);
  });

  it('not when its process is gone: nothing can be cut off there', () => {
    const story = running();
    story.busy('sale');
    story.be('sale', 'backoff');
    story.fails('hardware', 'dependants');
    expect(story.take()).toEqual(WHOLE);
  });

  it('also one that began while those above were stopping, and at its ceiling all goes back', () => {
    const story = running();
    story.ways.immortal.add('display');
    story.fails('hardware', 'dependants');
    story.busy('sale');
    story.be('display', 'stopped');
    expect(story.take()).toEqual(['stop display']);
    story.pass(BUSY_WAIT_MS_MAX - 1_000);
    expect(story.take()).toEqual([]);
    story.pass(1_000);
    const why = reasons.stillBusy(['sale'], BUSY_WAIT_MS_MAX);
    expect(story.take()).toEqual([`refuse hardware dependants: ${why}`, 'start display']);
    expect(story.model().phase).toBe('idle');
  });

  it('nobody is believed to be idle just after the agent began or was away', () => {
    const story = till();
    for (const name of ['hardware', 'sale', 'display']) story.be(name, 'ready');
    story.fails('hardware', 'dependants');
    story.pass(4_000);
    expect(story.take()).toEqual([]);
    story.busy('sale');
    story.pass(MINUTE);
    expect(story.take()).toEqual([]);
    story.send({ kind: 'paused', gapMs: 10_000 });
    story.busy('sale', false);
    expect(story.take()).toEqual([]);
    story.pass(5_000);
    expect(story.take()).toEqual(WHOLE);
  });
});

describe('somebody does not come', () => {
  it('a dependant that never becomes ready holds up those above it only for its own start time', () => {
    const story = running();
    story.ways.slow.add('sale');
    story.fails('hardware', 'dependants');
    expect(story.take()).toEqual(WHOLE.slice(0, 4));
    story.pass(MINUTE - 1_000);
    expect(story.take()).toEqual([]);
    story.pass(1_000);
    expect(story.take()).toEqual(['start display']);
    expect(story.model().phase).toBe('idle');
  });

  it('when the failing one fails again at once, the others are started without it', () => {
    const story = running();
    story.ways.failing.add('hardware');
    story.fails('hardware', 'dependants');
    expect(story.take()).toEqual(WHOLE);
  });

  it('a member that does not die is passed by, and wanted again', () => {
    const story = running();
    story.ways.immortal.add('sale');
    story.fails('hardware', 'dependants');
    story.pass(19_000);
    expect(story.take()).toEqual(['stop display', 'stop sale']);
    story.pass(1_000);
    expect(story.take()).toEqual(['launch hardware', 'start sale']);
    story.pass(MINUTE);
    expect(story.take()).toEqual(['start display']);
  });

  it('a pause of the agent moves its deadlines', () => {
    const story = running();
    story.ways.slow.add('hardware');
    story.fails('hardware', 'dependants');
    story.take();
    story.send({ kind: 'paused', gapMs: 30_000 });
    story.pass(MINUTE + 29_000);
    expect(story.take()).toEqual([]);
    story.pass(1_000);
    expect(story.take()).toEqual(['start sale', 'start display']);
  });
});

describe('everything is restarted', () => {
  it('in reverse and in order, with the failing one in its place', () => {
    const story = running();
    story.fails('sale', 'all');
    expect(story.take()).toEqual([
      'stop display',
      'stop sync',
      'stop hardware',
      'start hardware',
      'start sync',
      'launch sale',
      'start display',
    ]);
  });

  it('waits for every component that is busy', () => {
    const story = running();
    story.busy('sync');
    story.fails('hardware', 'all');
    story.pass(MINUTE);
    expect(story.take()).toEqual([]);
    story.busy('sync', false);
    expect(story.take()).toHaveLength(7);
  });
});
