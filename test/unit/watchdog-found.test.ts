// What the simulation found in the machine of one component, each as the shortest story that shows it. The seed
// that found it is gone with the world that it was drawn in; the story stays.

import { describe, expect, it } from 'vitest';
import { tell } from './watchdog-story.ts';

describe('a start that is late when the agent comes back', () => {
  it('has its full grace, whatever the component asks for in it', () => {
    const story = tell({ startTimeoutMs: 3_000, startTimeoutMsMax: 4_000 });
    story.hands.becomesReady = false;
    story.send({ kind: 'start', reason: 'first start' });
    story.pass(2_750);
    story.send({ kind: 'extend', ms: 1_000 });
    story.pass(500);
    story.sleep(10_000);
    // It asks for more than it may have: that must not take back the grace.
    story.send({ kind: 'extend', ms: 60_000 });
    story.pass(1_750);
    expect(story.kills()).toEqual([]);
    story.pass(500);
    expect(story.kills()).toHaveLength(1);
  });
});

describe('a planned restart of the watchdog’s own that waits for a sale', () => {
  const limits = {
    memoryBytes: 100,
    descriptorsRatio: 0.9,
    everyMs: 1_000,
    k: 1,
    n: 1,
  };
  const large = { kind: 'usage', residentBytes: 200, cpuSeconds: 0 } as const;
  const stops = (story: ReturnType<typeof tell>) => story.of('terminate').length;

  it('is not done when the sale ends while a technician holds the till', () => {
    const story = tell({ limits });
    story.run();
    story.send({ kind: 'busy', id: 'a', reason: 'sale', ceilingMs: 60_000 });
    story.send(large);
    story.send({ kind: 'hold', active: true });
    story.send({ kind: 'idle', id: 'a' });
    story.pass(5_000);
    expect(stops(story)).toBe(0);
    story.send({ kind: 'hold', active: false });
    story.send(large);
    expect(stops(story)).toBe(1);
  });

  it('because of its age, is done once the till is let go', () => {
    const story = tell({ age: { maxMs: 20_000, jitterMs: 0 } });
    story.run();
    story.send({ kind: 'busy', id: 'a', reason: 'sale', ceilingMs: 60_000 });
    story.pass(15_000);
    story.send({ kind: 'hold', active: true });
    story.send({ kind: 'idle', id: 'a' });
    story.pass(5_000);
    expect(stops(story)).toBe(0);
    story.send({ kind: 'hold', active: false });
    story.pass(11 * 60_000, 'healthy', () => stops(story) > 0);
    expect(stops(story)).toBe(1);
  });

  it('is still done when a person asked for it as well', () => {
    const story = tell({ limits });
    story.run();
    story.send({ kind: 'busy', id: 'a', reason: 'sale', ceilingMs: 60_000 });
    story.send(large);
    story.send({ kind: 'restart', reason: 'asked', command: 'c1', force: false });
    story.send({ kind: 'hold', active: true });
    story.send({ kind: 'idle', id: 'a' });
    expect(stops(story)).toBe(1);
  });
});
