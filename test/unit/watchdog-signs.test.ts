// Other signs than beats: overdue work, black boxes, and what a pause of the agent itself changes.

import { describe, expect, it } from 'vitest';
import { type Story, type Thread, tell } from './watchdog-story.ts';

/** From the last beat (or good probe) to the kill. */
function timeToKill(story: Story, as: Thread, withinMs = 60_000): number | undefined {
  const from = story.now();
  story.pass(withinMs, as, () => story.kills().length > 0);
  const kill = story.kills()[0];
  return kill && kill.at - from;
}

describe('work items', () => {
  it('overdue are suspect at their deadline and stalled at twice of it', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'begin', id: '1', name: 'print receipt', deadlineMs: 10_000 });
    story.pass(9_750, 'healthy');
    expect(story.state()).toBe('ready');
    story.pass(250);
    expect(story.state()).toBe('suspect');
    expect(timeToKill(story, 'healthy')).toBe(10_000);
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'stalled', reason: 'work item print receipt is overdue by 10.0 s' },
    ]);
  });

  it('that are touched or ended in time prove nothing', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'begin', id: '1', name: 'card', deadlineMs: 10_000 });
    for (let round = 0; round < 10; round += 1) {
      story.pass(9_000, 'healthy');
      story.send({ kind: 'touch', id: '1' });
    }
    story.send({ kind: 'end', id: '1' });
    story.pass(60_000, 'healthy');
    expect(story.reports('component_state')).toEqual([]);
  });

  it('overdue with failed probes are two proofs', () => {
    const story = tell({ hasProbes: true });
    story.run();
    story.send({ kind: 'begin', id: '1', name: 'card', deadlineMs: 1_000 });
    for (let failures = 0; failures < 3; failures += 1) {
      story.pass(500, 'healthy');
      story.send({ kind: 'probe', probe: 'http', ok: false, reason: 'refused' });
    }
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'stalled', evidence: { proofs: ['overdue_work', 'probes_failed'] } },
    ]);
  });
});

describe('a black box', () => {
  const box = { instrumented: false, hasProbes: true } as const;

  it('that spins is found within five seconds, and one that computes for four is spared', () => {
    const story = tell(box);
    story.run();
    story.send({ kind: 'probe', probe: 'http', ok: true, reason: '' });
    const failEachSecond = (ms: number): void => {
      for (let at = 1_000; at <= ms; at += 1_000) {
        story.pass(1_000, 'spinning');
        story.send({ kind: 'probe', probe: 'http', ok: false, reason: 'timed out' });
      }
    };
    failEachSecond(4_000);
    story.pass(250, 'spinning');
    expect(story.kills()).toEqual([]);
    story.pass(1_000, 'healthy');
    story.send({ kind: 'probe', probe: 'http', ok: true, reason: '' });
    expect(story.state()).toBe('ready');
    failEachSecond(4_000);
    story.pass(750, 'spinning');
    expect(story.reports('incident_opened')).toMatchObject([{ cause: 'unresponsive' }]);
  });
  const probe = (story: Story, ok: boolean): void => {
    story.send({ kind: 'probe', probe: 'tcp', ok, reason: ok ? '' : 'timed out' });
  };

  it('is killed after three failed probes when its thread is stopped or asleep', () => {
    const story = tell(box);
    story.send({ kind: 'start', reason: 'first start' });
    probe(story, true);
    expect(story.state()).toBe('ready');
    story.pass(5_000, 'healthy');
    probe(story, true);
    const from = story.now();
    for (let failures = 0; failures < 3; failures += 1) {
      expect(story.kills()).toEqual([]);
      story.pass(1_000, 'blocked');
      probe(story, false);
    }
    expect(story.kills()).toMatchObject([{ at: from + 3_000 }]);
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'unresponsive', evidence: { proofs: ['probes_failed', 'thread_blocked'] } },
    ]);
  });

  it('that is idle but answers is left alone', () => {
    const story = tell(box);
    story.send({ kind: 'start', reason: 'first start' });
    for (let round = 0; round < 60; round += 1) {
      probe(story, true);
      story.pass(1_000, 'blocked');
    }
    expect(story.state()).toBe('ready');
    expect(story.kills()).toEqual([]);
  });

  it('that only does not answer is killed at twice as many failures', () => {
    const story = tell(box);
    story.send({ kind: 'start', reason: 'first start' });
    probe(story, true);
    for (let failures = 1; failures <= 6; failures += 1) {
      expect(story.kills()).toEqual([]);
      story.pass(1_000, 'healthy');
      probe(story, false);
    }
    expect(story.kills()).toMatchObject([{ reason: '6 probes in a row failed' }]);
  });

  it('without probes is ready after one second and killed only when a signal stops it', () => {
    const story = tell({ instrumented: false });
    story.send({ kind: 'start', reason: 'first start' });
    story.pass(750, 'healthy');
    expect(story.state()).toBe('starting');
    story.pass(250);
    expect(story.state()).toBe('ready');
    story.pass(60_000, 'spinning');
    story.pass(60_000, 'blocked');
    expect(story.kills()).toEqual([]);
    expect(timeToKill(story, 'stopped')).toBeLessThanOrEqual(4_250);
  });
});

describe('when the agent itself was paused', () => {
  it('nothing that was seen before counts, and a full period of grace follows', () => {
    const story = tell({ hasProbes: true });
    story.run();
    story.pass(1_750, 'blocked');
    expect(story.state()).toBe('suspect');
    story.sleep(5_000);
    expect(story.state()).toBe('ready');
    story.pass(1_750, 'blocked');
    expect(story.kills()).toEqual([]);
    expect(timeToKill(story, 'blocked')).toBe(250);
  });

  it('a verdict that waits for evidence has to be proven again', () => {
    const story = tell();
    story.run();
    story.hands.collects = false;
    story.pass(2_250, 'blocked');
    expect(story.model().condemned).toBeDefined();
    story.sleep(5_000);
    story.pass(10_000, 'healthy');
    expect(story.kills()).toEqual([]);
  });

  it('a component that computed meanwhile is not held to have spun since its last sample', () => {
    const story = tell();
    story.run();
    story.pass(1_000, 'spinning');
    story.sleep(5_000);
    story.pass(4_000, 'spinning');
    expect(story.kills()).toEqual([]);
  });

  it('start timeouts and work items move by the gap', () => {
    const story = tell();
    story.hands.becomesReady = false;
    story.send({ kind: 'start', reason: 'first start' });
    story.pass(19_000, 'healthy');
    story.sleep(30_000);
    story.send({ kind: 'ready' });
    story.send({ kind: 'begin', id: '1', name: 'card', deadlineMs: 10_000 });
    story.pass(9_000, 'healthy');
    story.sleep(30_000);
    story.pass(1_750, 'healthy');
    expect(story.state()).toBe('ready');
    story.pass(5_000, 'healthy');
    expect(story.state()).toBe('suspect');
    expect(story.kills()).toEqual([]);
  });
});
