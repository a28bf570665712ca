// Whether the first thread of a program is the one that beats: only then its sleep means anything.

import { describe, expect, it } from 'vitest';
import { tell } from './watchdog-story.ts';

describe('a component', () => {
  it('whose first thread only waits for others is not judged by its sleep', () => {
    const story = tell();
    story.send({ kind: 'start', reason: 'first start' });
    story.hands.lying = true;
    story.send({ kind: 'ready' });
    story.pass(60_000, 'blocked');
    expect(story.state()).toBe('ready');
    expect(story.kills()).toEqual([]);
    story.hands.lying = false;
    story.pass(9_750, 'blocked');
    expect(story.kills()).toEqual([]);
    story.pass(250, 'blocked');
    expect(story.kills()).toHaveLength(1);
  });

  it('was seen awake: the next agent is to know', () => {
    const story = tell();
    story.send({ kind: 'start', reason: 'first start' });
    story.send({ kind: 'ready' });
    const before = story.of('persist').length;
    story.pass(5_000, 'healthy');
    expect(story.of('persist').length).toBe(before + 1);
    expect(story.model().watch.turns).toBe(true);
  });
});
