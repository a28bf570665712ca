// What the simulation found in the machine of one component, each as the shortest story that shows it. The seed
// that found it is gone with the world that it was drawn in; the story stays.

import { describe, expect, it } from 'vitest';
import { isBusy } from '../../agent/watchdog/machine.ts';
import { type Story, tell } from './watchdog-story.ts';

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

describe('a debugger that is found while the agent has just come back', () => {
  it('does not shorten the grace', () => {
    const story = tell({
      blockedMs: 40_000,
      spinningMs: 60_000,
      hasProbes: true,
      probeFailures: 1,
    });
    story.run();
    story.sleep(20_000, 'blocked');
    story.pass(5_000, 'blocked');
    story.send({ kind: 'debugged' });
    story.send({ kind: 'probe', probe: 'http', ok: false, reason: 'no answer' });
    story.pass(34_000, 'blocked');
    expect(story.kills()).toEqual([]);
  });
});

describe('a component in quarantine', () => {
  const permanent = { kind: 'exited', code: 125, signal: undefined } as const;
  const rungs = [{ rung: 'all', times: 1, windowMs: 60_000, coolDownMs: 0 }] as const;

  it('that says that starting it again cannot help is not hurried by the end of a hold', () => {
    const story = tell({ rungs, restartsMax: 0, quarantineRetryMs: 60_000 });
    story.run();
    story.send({ kind: 'hold', active: true });
    story.send({ kind: 'exited', code: 1, signal: undefined });
    story.pass(61_000);
    story.send(permanent);
    expect(story.state()).toBe('quarantined');
    story.send({ kind: 'hold', active: false });
    expect(story.state()).toBe('quarantined');
  });

  it('that is only observed is not hurried by it either', () => {
    const story = tell({ rungs, restartsMax: 0, quarantineRetryMs: 60_000, mode: 'observe' });
    story.run();
    story.send({ kind: 'exited', code: 1, signal: undefined });
    const { deadline } = story.model();
    story.pass(1_000);
    story.send({ kind: 'hold', active: true });
    story.send({ kind: 'hold', active: false });
    expect(story.model()).toMatchObject({ state: 'quarantined', deadline });
  });
});

describe('a component that is old', () => {
  it('is restarted although a restart that somebody asked for was given up', () => {
    const story = tell({ age: { maxMs: 60_000, jitterMs: 0 } });
    story.run();
    story.send({ kind: 'busy', id: 'a', reason: 'sale', ceilingMs: 16 * 60_000 });
    story.send({ kind: 'restart', reason: 'asked', command: 'c1', force: false });
    story.pass(15 * 60_000, 'healthy', () => story.of('command_done').length > 0);
    expect(story.of('command_done')).toMatchObject([{ ok: false }]);
    // In the same breath it is wished, not only at the next look.
    expect(story.model().planned).toMatchObject({ asked: false });
  });

  it('already when it becomes ready is restarted by the same look, not by the next', () => {
    const story = tell({ instrumented: false, age: { maxMs: 60_000, jitterMs: 0 } });
    const ageMs = 3_600_000;
    story.send({ kind: 'adopted', instance: 'life-1', pid: 1, wasReady: false, ageMs });
    story.pass(10_000, 'traced');
    story.pass(5_000, 'healthy', () => story.state() !== 'starting');
    expect(story.reports('component_state')).toContainEqual(
      expect.objectContaining({ from: 'starting', to: 'ready' }),
    );
    expect(story.of('terminate')).toHaveLength(1);
  });
});

describe('a copy that an earlier agent started', () => {
  const adopted = { kind: 'adopted', instance: 'life-1', pid: 1, wasReady: true } as const;
  const asked = { kind: 'restart', reason: 'asked', command: 'c1', force: false } as const;

  it('is not restarted before it could say that a sale is open', () => {
    const story = tell();
    story.send(adopted);
    story.send(asked);
    story.pass(4_000, 'healthy');
    expect(story.of('terminate')).toEqual([]);
    story.send({ kind: 'connected' });
    story.send({ kind: 'busy', id: 'a', reason: 'sale', ceilingMs: 60_000 });
    story.pass(30_000, 'healthy');
    expect(story.of('terminate')).toEqual([]);
    story.send({ kind: 'idle', id: 'a' });
    expect(story.of('terminate')).toHaveLength(1);
  });

  it('is restarted when it says nothing', () => {
    const story = tell();
    story.send(adopted);
    story.send(asked);
    story.pass(5_000, 'healthy');
    expect(story.of('terminate')).toHaveLength(1);
  });
});

describe('what is said of a sale by a component that is being stopped', () => {
  const sale = { kind: 'busy', id: 'a', reason: 'sale', ceilingMs: 60_000 } as const;
  const tender = { kind: 'begin', id: 't', name: 'tender', deadlineMs: 30_000 } as const;
  const stopping = (changes: Partial<Story['hands']>) => {
    const story = tell({ stopGraceMs: 60_000 });
    Object.assign(story.hands, changes);
    return story;
  };
  const saysBusy = (story: Story) => isBusy(story.model(), story.now());

  it('is heard: its agent had only just adopted it, and the till must not be rebooted under it', () => {
    const story = stopping({ dies: false });
    story.send({ kind: 'adopted', instance: 'life-1', pid: 1, wasReady: true });
    story.pass(6_000, 'stopped');
    expect(story.state()).toBe('stopping');
    expect(saysBusy(story)).toBe(false);
    story.send(sale);
    expect(saysBusy(story)).toBe(true);
    story.send({ kind: 'idle', id: 'a' });
    expect(saysBusy(story)).toBe(false);
  });

  it('holds for a tender too', () => {
    const story = stopping({ stops: false });
    story.run();
    story.send({ kind: 'stop', reason: 'asked' });
    story.send(tender);
    expect(saysBusy(story)).toBe(true);
    story.pass(1_000);
    story.send({ kind: 'touch', id: 't' });
    story.pass(29_500);
    expect(saysBusy(story)).toBe(true);
    story.send({ kind: 'end', id: 't' });
    expect(saysBusy(story)).toBe(false);
  });

  it('never asks it politely once it is killed, although a restart waited for the end of the sale', () => {
    const story = stopping({ dies: false });
    story.run();
    story.send(sale);
    story.send({ kind: 'restart', reason: 'asked', command: 'c1', force: false });
    story.pass(10_000, 'blocked', () => story.state() === 'stopping');
    story.send({ kind: 'idle', id: 'a' });
    expect(story.of('terminate')).toEqual([]);
    expect(story.model()).toMatchObject({ state: 'stopping', killed: true });
  });
});
