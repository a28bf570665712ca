// Stories about an agent that is paused again and again: it must find what is stuck, and kill nothing within a grace.

import { describe, expect, it } from 'vitest';
import { type Story, type Thread, tell } from './watchdog-story.ts';

function started(): Story {
  const story = tell();
  story.run();
  return story;
}

describe('an agent that is paused again and again', () => {
  /** 600 ms in each two seconds. */
  const stutter = (story: Story, rounds: number, as: Thread): void => {
    for (let round = 0; round < rounds && story.kills().length === 0; round += 1) {
      story.pass(1_400, as, () => story.kills().length > 0);
      if (story.kills().length === 0) story.sleep(600, as);
    }
  };

  it('still confirms what is stuck, though not within a grace', () => {
    for (const thread of ['blocked', 'stopped', 'spinning'] as const) {
      const story = started();
      stutter(story, 15, thread);
      expect([thread, story.kills().length]).toEqual([thread, 1]);
      const sincePause = (story.kills()[0]?.at ?? 0) - story.model().watch.pausedAt;
      expect(sincePause).toBeGreaterThanOrEqual(1_000);
      expect(story.reports('incident_opened')[0]?.['reason']).toContain('between pauses');
    }
  });

  it('still confirms what is stuck when its evidence takes its time', () => {
    const story = started();
    story.hands.collects = false;
    for (let round = 0; round < 30 && story.kills().length === 0; round += 1) {
      const before = story.of('collect_evidence').length;
      story.pass(1_400, 'blocked', () => story.kills().length > 0);
      const asked = story.of('collect_evidence').slice(before);
      story.sleep(600, 'blocked');
      for (const { phase } of asked) story.send({ kind: 'evidence', summary: {}, phase });
    }
    expect(story.kills()).toHaveLength(1);
  });

  it('kills nothing that is well, and nothing that only is slow', () => {
    const story = started();
    stutter(story, 100, 'healthy');
    expect(story.kills()).toEqual([]);
    const slow = started();
    for (let round = 0; round < 30; round += 1) {
      slow.pass(1_400, 'healthy');
      slow.sleep(600, 'blocked');
      slow.pass(1_400, 'blocked');
      slow.sleep(600, 'blocked');
    }
    expect(slow.kills()).toEqual([]);
  });

  it('learns nothing from stretches in which two beats need not have come', () => {
    const story = started();
    story.hands.samples = false;
    for (let round = 0; round < 40; round += 1) {
      story.pass(900, 'blocked');
      story.sleep(600, 'blocked');
    }
    story.pass(1_500, 'blocked');
    story.pass(2_000, 'healthy');
    expect(story.kills()).toEqual([]);
  });

  it('finds a black box that a signal stopped, and one whose probes fail', () => {
    const blind = { instrumented: false, hasProbes: true } as const;
    const stopped = tell(blind);
    stopped.send({ kind: 'start', reason: 'first start' });
    stopped.send({ kind: 'probe', probe: 'http', ok: true, reason: '' });
    stutter(stopped, 15, 'stopped');
    expect(stopped.kills()).toHaveLength(1);
    const mute = tell(blind);
    mute.send({ kind: 'start', reason: 'first start' });
    mute.send({ kind: 'probe', probe: 'http', ok: true, reason: '' });
    for (let round = 0; round < 20 && mute.kills().length === 0; round += 1) {
      mute.pass(1_100, 'healthy');
      mute.send({ kind: 'probe', probe: 'http', ok: false, reason: 'timed out' });
      mute.pass(300, 'healthy');
      if (mute.kills().length === 0) mute.sleep(600);
    }
    expect(mute.kills()).toHaveLength(1);
  });

  it('still confirms overdue work', () => {
    const story = started();
    story.send({ kind: 'begin', id: 'w', name: 'pay', deadlineMs: 8_000 });
    stutter(story, 30, 'healthy');
    expect(story.kills()).toHaveLength(1);
    expect(story.reports('incident_opened')).toMatchObject([{ cause: 'stalled' }]);
  });
});
