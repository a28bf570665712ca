// The small print of the watchdog: limits, races and second thoughts, each with the case that needs it.

import { describe, expect, it } from 'vitest';
import { onSample } from '../../agent/watchdog/samples.ts';
import { BUSY_ITEMS_MAX, COMMANDS_MAX } from '../../agent/watchdog/state.ts';
import { newWatch, WORK_ITEMS_MAX } from '../../agent/watchdog/watch.ts';
import { policy, tell } from './watchdog-story.ts';

describe('evidence', () => {
  it('of a thread that waits for a processor half of the time proves nothing', () => {
    const story = tell({ instrumented: false, hasProbes: true });
    story.send({ kind: 'start', reason: 'first start' });
    story.send({ kind: 'probe', probe: 'http', ok: true, reason: '' });
    for (let failures = 0; failures < 20; failures += 1) {
      story.pass(1_000, 'contended');
      story.send({ kind: 'probe', probe: 'http', ok: false, reason: 'timed out' });
    }
    expect(story.kills()).toEqual([]);
  });

  it('of a healthy component whose probes fail because the machine is starved is no hang', () => {
    const story = tell({ hasProbes: true });
    story.run();
    for (let failures = 0; failures < 5; failures += 1) {
      story.pass(5_000, 'busy-and-starved');
      story.send({ kind: 'probe', probe: 'http', ok: false, reason: 'timed out' });
    }
    story.pass(20_000);
    expect(story.kills()).toEqual([]);
  });

  it('of a running thread with half a core is not a whole core', () => {
    const story = tell();
    story.run();
    story.pass(8_000, 'half-a-core');
    expect(story.kills()).toEqual([]);
  });

  it('of a computation of 4 s is no proof on a crowded machine either, where it takes 16 s', () => {
    const story = tell();
    story.run();
    for (let round = 0; round < 5; round += 1) {
      story.pass(16_000, 'crowded');
      story.pass(1_000, 'healthy');
      expect(story.state()).toBe('ready');
    }
    expect(story.kills()).toEqual([]);
  });

  it('that is too old is not used', () => {
    const story = tell({ blockedMs: 4_000 });
    story.run();
    story.pass(2_500, 'blocked');
    story.hands.samples = false;
    story.pass(7_250);
    expect(story.kills()).toEqual([]);
    story.pass(250);
    expect(story.kills()).toHaveLength(1);
  });

  it('of spinning must cover most of the silence', () => {
    const story = tell();
    story.run();
    story.hands.samples = false;
    story.pass(1_000, 'healthy');
    story.pass(4_000, 'spinning');
    story.hands.samples = true;
    story.pass(3_000);
    expect(story.kills()).toEqual([]);
    story.pass(1_500);
    expect(story.kills()).toHaveLength(1);
  });

  it('that a thread woke once is not evidence that it lives', () => {
    const story = tell();
    story.run();
    story.pass(1_000, 'blocked');
    story.pass(250, 'one-switch');
    story.pass(750, 'blocked');
    expect(story.kills()).toHaveLength(1);
  });

  it('begins anew when the counters of a thread go back', () => {
    const sample = { state: 'S', cpuMs: 10, voluntarySwitches: 10, runDelayMs: 0 };
    const first = onSample({ ...newWatch(0), turns: true }, policy, sample, 100);
    const second = onSample(first, policy, sample, 200);
    expect(second.still?.at).toBe(100);
    const other = onSample(second, policy, { ...sample, voluntarySwitches: 3 }, 300);
    // Whoever it is, it has yet to be seen awake.
    expect(other.still).toBeUndefined();
  });

  it('of spinning before a pause of the agent is not added to what comes after', () => {
    const story = tell({ hasProbes: true });
    story.run();
    story.hands.lying = true;
    story.pass(3_000, 'spinning');
    story.sleep(5_000);
    for (let failures = 0; failures < 3; failures += 1) {
      story.pass(1_000);
      story.send({ kind: 'probe', probe: 'http', ok: false, reason: 'timed out' });
    }
    expect(story.kills()).toEqual([]);
    story.pass(2_500);
    expect(story.kills()).toHaveLength(1);
  });

  it('is collected once for suspicions that follow each other closely', () => {
    const story = tell();
    story.run();
    for (let round = 0; round < 4; round += 1) {
      story.pass(1_500, 'blocked');
      story.pass(500, 'healthy');
    }
    expect(story.of('collect_evidence')).toHaveLength(1);
    story.pass(10_000, 'healthy');
    story.pass(1_500, 'blocked');
    expect(story.of('collect_evidence')).toHaveLength(2);
  });

  it('of a suspicion that cleared is not told with a later crash', () => {
    const story = tell();
    story.run();
    story.pass(1_500, 'blocked');
    story.pass(1_000, 'healthy');
    story.send({ kind: 'exited', code: 1, signal: undefined });
    expect(story.reports('incident_opened')[0]?.['evidence']).not.toHaveProperty('suspect');
  });
});

describe('slow beats', () => {
  it('are given two periods before suspicion and three before the verdict', () => {
    const story = tell({ beatMs: 2_000 });
    story.run(11_000);
    story.pass(3_750, 'blocked');
    expect(story.state()).toBe('ready');
    story.pass(250);
    expect(story.state()).toBe('suspect');
    story.pass(1_750);
    expect(story.kills()).toEqual([]);
    story.pass(250);
    expect(story.kills()).toHaveLength(1);
  });
});

describe('limits', () => {
  it('hold for work items, and what is not watched is counted', () => {
    const story = tell();
    story.run();
    for (let id = 0; id < WORK_ITEMS_MAX + 3; id += 1) {
      story.send({ kind: 'begin', id: `${id}`, name: 'work', deadlineMs: 1_000 });
    }
    expect(story.model().watch.work.size).toBe(WORK_ITEMS_MAX);
    expect(story.model().watch.dropped).toBe(3);
  });

  it('hold for busy items, of which those that are over make room', () => {
    const story = tell();
    story.run();
    for (let id = 0; id < BUSY_ITEMS_MAX + 3; id += 1) {
      story.send({ kind: 'busy', id: `${id}`, reason: 'sale', ceilingMs: 1_000 });
    }
    expect(story.model().busy.size).toBe(BUSY_ITEMS_MAX);
    expect(story.model().watch.dropped).toBe(3);
    story.pass(1_000, 'healthy');
    story.send({ kind: 'busy', id: 'later', reason: 'sale', ceilingMs: 1_000 });
    expect([...story.model().busy.keys()]).toEqual(['later']);
  });

  it('hold for commands that wait for one restart: one too many is answered at once', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'busy', id: 'sale', reason: 'sale', ceilingMs: 100_000 });
    for (let number = 0; number <= COMMANDS_MAX; number += 1) {
      const command = `c${number}`;
      story.send({ kind: 'restart', reason: 'now', command, force: false });
    }
    expect(story.of('command_done')).toMatchObject([{ command: `c${COMMANDS_MAX}`, ok: false }]);
  });
});

describe('second thoughts', () => {
  it('trouble that is reported after a verdict keeps it, whatever beats follow', () => {
    const story = tell();
    story.run();
    story.hands.collects = false;
    story.pass(2_000, 'blocked');
    story.send({ kind: 'trouble', reason: 'deadlock seen' });
    story.pass(1_500, 'healthy');
    expect(story.kills()).toHaveLength(1);
  });

  it('trouble stays true over a pause of the agent', () => {
    const story = tell();
    story.run();
    story.hands.collects = false;
    story.send({ kind: 'trouble', reason: 'database is gone' });
    story.sleep(1_000, 'healthy');
    story.pass(500);
    expect(story.kills()).toHaveLength(1);
  });

  it('a debugger stops the clock of a start', () => {
    const story = tell();
    story.hands.becomesReady = false;
    story.send({ kind: 'start', reason: 'first start' });
    story.pass(90_000, 'traced');
    expect(story.kills()).toEqual([]);
    story.pass(2_500, 'healthy');
    expect(story.kills()).toHaveLength(1);
  });

  it('a pause of the agent is not time in which a component was stable', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'exited', code: 1, signal: undefined });
    story.sleep(120_000, 'healthy');
    story.pass(1_000);
    expect(story.model().failures).toBe(1);
    story.pass(60_000);
    expect(story.model().failures).toBe(0);
  });

  it('a clean end of a transient component whose restart waits is no incident', () => {
    const story = tell({ restart: 'transient' });
    story.run();
    story.send({ kind: 'busy', id: 'sale', reason: 'sale', ceilingMs: 100_000 });
    story.send({ kind: 'restart', reason: 'now', command: 'c1', force: false });
    story.send({ kind: 'exited', code: 0, signal: undefined });
    expect(story.reports('incident_opened')).toEqual([]);
    expect(story.of('command_done')).toMatchObject([{ ok: true }]);
  });

  it('a beat of an adopted component counts from then on, after the grace', () => {
    const story = tell();
    story.send({ kind: 'adopted', instance: 'old', pid: 7, wasReady: true });
    story.pass(500, 'healthy');
    story.pass(1_750, 'blocked');
    expect(story.kills()).toEqual([]);
    story.pass(250);
    expect(story.kills()).toHaveLength(1);
  });

  it('a start that is ready after its time but before its kill is ready', () => {
    const story = tell();
    story.hands.becomesReady = false;
    story.hands.collects = false;
    story.send({ kind: 'start', reason: 'first start' });
    story.pass(20_500, 'healthy');
    story.send({ kind: 'ready' });
    story.pass(5_000, 'healthy');
    expect(story.state()).toBe('ready');
    expect(story.kills()).toEqual([]);
  });
});
