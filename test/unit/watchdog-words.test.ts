// Words that come late or never: a connection that broke, and one that the agent reads more slowly than the
// component speaks. What was not heard for such a reason must not kill a till that works.

import { describe, expect, it } from 'vitest';
import { tell } from './watchdog-story.ts';

const card = { kind: 'begin', id: '1', name: 'card', deadlineMs: 10_000 } as const;

describe('a component that connects again', () => {
  it('is not held to work that ended while nobody listened', () => {
    const story = tell();
    story.run();
    story.send(card);
    story.pass(9_000, 'healthy');
    story.send({ kind: 'connected' });
    story.pass(60_000, 'healthy');
    expect(story.reports('component_state')).toEqual([]);
  });

  it('leaves a suspicion that rested on such work', () => {
    const story = tell();
    story.run();
    story.send(card);
    story.pass(12_000, 'healthy');
    expect(story.state()).toBe('suspect');
    story.send({ kind: 'connected' });
    story.pass(250, 'healthy');
    expect(story.state()).toBe('ready');
  });

  it('and says its work again has the rest of its deadline, and twice the deadline as before', () => {
    const story = tell();
    story.run();
    story.send(card);
    story.pass(9_000, 'healthy');
    story.send({ kind: 'connected' });
    story.send({ ...card, leftMs: 1_000 });
    story.pass(1_000, 'healthy');
    expect(story.state()).toBe('suspect');
    story.pass(9_750, 'healthy');
    expect(story.kills()).toEqual([]);
    story.pass(250, 'healthy');
    expect(story.kills()).toHaveLength(1);
  });

  it('is not killed at once for work that became overdue while the agent was away', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'connected' });
    story.send({ ...card, leftMs: 0 });
    story.pass(9_750, 'healthy');
    expect(story.kills()).toEqual([]);
    story.pass(250, 'healthy');
    expect(story.kills()).toHaveLength(1);
  });

  it('stays busy for as long as it takes to say so again, and no longer', () => {
    const sale = { kind: 'busy', id: 'sale', reason: 'a basket', ceilingMs: 60_000 } as const;
    const restart = { kind: 'restart', reason: 'asked', command: 'c1', force: false } as const;
    const again = tell();
    const silent = tell();
    for (const story of [again, silent]) {
      story.run();
      story.send(sale);
      story.send(restart);
      story.send({ kind: 'connected' });
      story.pass(1_000, 'healthy');
      expect(story.state()).toBe('ready');
    }
    again.send(sale);
    for (const story of [again, silent]) story.pass(5_000, 'healthy');
    expect([again.lives(), silent.lives()]).toEqual([1, 2]);
  });
});

describe('a component whose words wait in its socket', () => {
  it('is not killed for silence or overdue work meanwhile', () => {
    const story = tell();
    story.run();
    story.send({ ...card, deadlineMs: 3_000 });
    for (let second = 0; second < 60; second += 1) {
      story.pass(1_000, 'half-a-core');
      story.send({ kind: 'delayed' });
    }
    expect(story.kills()).toEqual([]);
  });

  it('is still found by its probes when its main thread is stuck', () => {
    const story = tell({ hasProbes: true });
    story.run();
    for (let second = 0; second < 10 && story.kills().length === 0; second += 1) {
      story.pass(1_000, 'blocked');
      story.send({ kind: 'probe', probe: 'http-0', ok: false, reason: 'no answer' });
      story.send({ kind: 'delayed' });
    }
    expect(story.reports('incident_opened')).toMatchObject([{ cause: 'hang' }]);
  });

  it('is found when it falls silent afterwards', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'delayed' });
    story.pass(2_250, 'blocked');
    expect(story.kills()).toHaveLength(1);
  });
});
