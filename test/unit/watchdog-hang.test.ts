// Stories about hangs: what is killed, how soon and why, and above all what is not.

import { describe, expect, it } from 'vitest';
import type { ThreadSample } from '../../agent/watchdog/model.ts';
import { type Story, type Thread, tell } from './watchdog-story.ts';

/** From the last beat (or good probe) to the kill. */
function timeToKill(story: Story, as: Thread, withinMs = 60_000): number | undefined {
  const from = story.now();
  story.pass(withinMs, as, () => story.kills().length > 0);
  const kill = story.kills()[0];
  return kill && kill.at - from;
}

describe('an instrumented component', () => {
  it('is killed 2 s after its last beat when its main thread is stopped', () => {
    const story = tell();
    story.run();
    expect(timeToKill(story, 'stopped')).toBe(2_000);
    expect(story.kills()[0]?.reason).toBe('main thread is stopped: no beat for 2.0 s');
    expect(story.state()).toBe('ready');
    expect(story.lives()).toBe(2);
  });

  it('is killed 2 s after its last beat when its main thread is blocked', () => {
    const story = tell();
    story.run();
    expect(timeToKill(story, 'blocked')).toBe(2_000);
    expect(story.kills()[0]?.reason).toBe(
      'main thread is blocked: no beat for 2.0 s and it is asleep without waking',
    );
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'hang', version: '1.0.0', evidence: { proofs: ['missed_beats', 'thread_blocked'] } },
    ]);
  });

  it('is killed 5 s after its last beat when its main thread spins', () => {
    const story = tell();
    story.run();
    expect(timeToKill(story, 'spinning')).toBe(5_000);
    expect(story.kills()[0]?.reason).toContain('main thread is spinning');
  });

  it('is suspect at half of the deadline, with first evidence, and confirmed with second', () => {
    const story = tell();
    story.run();
    story.pass(1_000, 'blocked');
    expect(story.state()).toBe('suspect');
    expect(story.of('collect_evidence')).toMatchObject([{ phase: 'suspect' }]);
    story.pass(1_000);
    const order = story.effects().map((effect) => {
      return effect.kind === 'report' ? effect.event.kind : effect.kind;
    });
    expect(order).toEqual([
      'component_state',
      'collect_evidence',
      'collect_evidence',
      'incident_opened',
      'kill',
      'component_state',
      'persist',
      'recovery',
      'count_recovery',
      'component_state',
      'spawn',
      'count_restart',
      'persist',
      'component_state',
      'incident_recovered',
      'persist',
    ]);
    const [opened] = story.reports('incident_opened');
    expect(opened).toMatchObject({
      incident: 'life-1',
      evidence: { suspect: { stack: 'suspect' }, confirmed: { stack: 'confirmed' } },
    });
  });

  it('is suspect after 2.5 s of spinning, not before', () => {
    const story = tell();
    story.run();
    story.pass(2_250, 'spinning');
    expect(story.state()).toBe('ready');
    story.pass(250);
    expect(story.state()).toBe('suspect');
  });

  it('computes for 4 s, beats again and is never killed', () => {
    const story = tell();
    story.run();
    for (let round = 0; round < 20; round += 1) {
      story.pass(4_000, 'spinning');
      expect(story.state()).toBe('suspect');
      story.pass(1_000, 'healthy');
      expect(story.state()).toBe('ready');
    }
    expect(story.kills()).toEqual([]);
    expect(story.lives()).toBe(1);
  });

  it('waits for 1.7 s in a synchronous call, again and again, and is never killed', () => {
    const story = tell();
    story.run();
    for (let round = 0; round < 20; round += 1) {
      story.pass(1_750, 'blocked');
      story.pass(750, 'healthy');
    }
    expect(story.kills()).toEqual([]);
  });

  it('finishes a 4 s computation just before its sample is taken: asleep once is not blocked', () => {
    const story = tell();
    story.run();
    story.pass(4_000, 'spinning');
    // It sleeps again, its beat is still in the socket, and the switch counter moved by one.
    story.pass(250, 'blocked');
    expect(story.kills()).toEqual([]);
    story.pass(1_000, 'healthy');
    expect(story.state()).toBe('ready');
  });

  it('turns slowly under 10 000 quick requests: late beats are beats', () => {
    const story = tell();
    story.run();
    for (let round = 0; round < 20; round += 1) {
      story.pass(3_000, 'spinning');
      story.send({ kind: 'beat', loopDelayMsMax: 3_000 });
    }
    expect(story.kills()).toEqual([]);
  });

  it('is found when a worker keeps beating for a stopped or blocked main thread', () => {
    for (const thread of ['stopped', 'blocked'] as const) {
      const story = tell();
      story.run();
      story.hands.lying = true;
      const ms = timeToKill(story, thread) ?? Number.POSITIVE_INFINITY;
      expect(ms).toBeLessThanOrEqual(2_500);
      expect(story.kills()[0]?.reason).toContain('although beats arrive');
      expect(story.reports('incident_opened')).toMatchObject([{ cause: 'hang' }]);
    }
  });

  it('that spins behind a beating worker needs failed probes as the second proof', () => {
    const story = tell({ hasProbes: true });
    story.run();
    story.hands.lying = true;
    story.pass(30_000, 'spinning');
    expect(story.kills()).toEqual([]);
    expect(story.state()).toBe('ready');
    for (let failures = 0; failures < 3; failures += 1) {
      story.pass(1_000);
      story.send({ kind: 'probe', probe: 'http', ok: false, reason: 'timed out' });
    }
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'hang', evidence: { proofs: ['probes_failed', 'thread_spinning'] } },
    ]);
    expect(story.lives()).toBe(2);
  });

  it('is killed on missed beats alone only at twice their deadline', () => {
    const story = tell();
    story.run();
    expect(timeToKill(story, 'stuck-in-fsync')).toBe(10_000);
  });

  it('is killed on missed beats alone when its thread cannot be sampled at all', () => {
    const story = tell();
    story.hands.samples = false;
    story.run();
    expect(timeToKill(story, 'blocked')).toBe(10_000);
  });

  it('is never killed because the machine is starved', () => {
    const story = tell({ hasProbes: true });
    story.run();
    story.send({ kind: 'begin', id: '1', name: 'print', deadlineMs: 1_000 });
    for (let second = 0; second < 120; second += 1) {
      story.pass(1_000, 'starved');
      story.send({ kind: 'probe', probe: 'http', ok: false, reason: 'timed out' });
    }
    expect(story.kills()).toEqual([]);
    expect(story.state()).toBe('suspect');
    story.send({ kind: 'end', id: '1' });
    story.send({ kind: 'probe', probe: 'http', ok: true, reason: '' });
    story.pass(1_000, 'healthy');
    expect(story.state()).toBe('ready');
  });

  it('spins on a crowded machine and is killed once it had a whole deadline of processor time', () => {
    const story = tell();
    story.run();
    const ms = timeToKill(story, 'crowded') ?? Number.POSITIVE_INFINITY;
    expect(ms).toBeGreaterThan(19_500);
    expect(ms).toBeLessThanOrEqual(21_000);
    expect(story.kills()[0]?.reason).toContain('no beat in 5.0 s of processor time');
  });

  it('spins behind a beating worker on a crowded machine and is found by its probes', () => {
    const story = tell({ hasProbes: true });
    story.run();
    story.hands.lying = true;
    for (let second = 0; second < 19; second += 1) {
      story.pass(1_000, 'crowded');
      story.send({ kind: 'probe', probe: 'http', ok: second % 6 === 5, reason: '' });
    }
    expect(story.kills()).toEqual([]);
    for (let second = 0; second < 21; second += 1) {
      story.pass(1_000);
      if (story.lives() === 1) story.send({ kind: 'probe', probe: 'http', ok: false, reason: '' });
    }
    expect(story.kills()[0]?.reason).toContain('used 5.0 s of processor time meanwhile');
  });

  it('is never touched while a debugger holds it, and gets a full period afterwards', () => {
    const story = tell();
    story.run();
    story.pass(1_500, 'blocked');
    expect(story.state()).toBe('suspect');
    story.pass(60_000, 'traced');
    expect(story.state()).toBe('ready');
    story.pass(1_750, 'blocked');
    expect(story.kills()).toEqual([]);
    expect(timeToKill(story, 'blocked')).toBeLessThanOrEqual(750);
  });

  it('takes a verdict back when it beats before the evidence is in', () => {
    const story = tell();
    story.run();
    story.hands.collects = false;
    story.pass(2_250, 'blocked');
    expect(story.model().condemned).toBeDefined();
    story.pass(500, 'healthy');
    expect(story.state()).toBe('ready');
    expect(story.kills()).toEqual([]);
  });

  it('is killed 1.5 s after the verdict at the latest when evidence does not come', () => {
    const story = tell();
    story.run();
    story.hands.collects = false;
    expect(timeToKill(story, 'blocked')).toBe(3_500);
  });

  it('is killed for a confirmed hang although it said that it is busy', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'busy', id: 'sale', reason: 'sale in progress', ceilingMs: 300_000 });
    expect(timeToKill(story, 'blocked')).toBe(2_000);
  });

  it('in uninterruptible sleep without a switch counts as stopped, with much disk work it does not', () => {
    const stuck = tell();
    stuck.run();
    expect(timeToKill(stuck, 'disk')).toBe(2_000);
    const slow = tell();
    slow.run();
    slow.pass(4_000, 'stuck-in-fsync');
    slow.pass(1_000, 'healthy');
    expect(slow.kills()).toEqual([]);
  });

  it('whose switches are not counted on this machine is not held to be a liar', () => {
    const story = tell();
    story.run(1_000);
    const sample: ThreadSample = { state: 'S', cpuMs: 5_000, voluntarySwitches: 0, runDelayMs: 0 };
    story.hands.samples = false;
    for (let sweep = 0; sweep < 100; sweep += 1) {
      story.pass(250, 'healthy');
      story.send({ kind: 'sample', sample });
    }
    expect(story.state()).toBe('ready');
    expect(story.kills()).toEqual([]);
  });

  it('reports trouble and is put right at once', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'trouble', reason: 'database is gone' });
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'self_reported', reason: 'it reported trouble: database is gone' },
    ]);
    expect(story.lives()).toBe(2);
  });
});
