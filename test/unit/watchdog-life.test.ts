// Stories about starting, crashing, stopping and being asked: backoff, budget, quarantine, commands.

import { describe, expect, it } from 'vitest';
import type { Policy } from '../../agent/watchdog/model.ts';
import { tell } from './watchdog-story.ts';

const crash = { kind: 'exited', code: 1, signal: undefined } as const;

describe('starting', () => {
  it('is ready when it says so, and tells each state', () => {
    const story = tell();
    story.send({ kind: 'start', reason: 'first start' });
    expect(story.reports('component_state')).toMatchObject([
      { from: 'stopped', to: 'starting', reason: 'first start', version: '1.0.0' },
      { from: 'starting', to: 'ready', instance: 'life-1', pid: 101 },
    ]);
    expect(story.of('count_restart')).toEqual([]);
  });

  it('that takes too long is killed with its evidence and tried again', () => {
    const story = tell();
    story.hands.becomesReady = false;
    story.send({ kind: 'start', reason: 'first start' });
    story.pass(19_750, 'healthy');
    expect(story.kills()).toEqual([]);
    story.pass(250);
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'start_timeout', reason: 'it was not ready within 20.0 s' },
    ]);
    expect(story.of('count_restart')).toMatchObject([{ cause: 'start_timeout' }]);
    expect(story.lives()).toBe(2);
  });

  it('may be extended again and again, up to the ceiling', () => {
    const story = tell();
    story.hands.becomesReady = false;
    story.send({ kind: 'start', reason: 'first start' });
    for (let round = 0; round < 11; round += 1) {
      story.pass(5_000, 'healthy');
      story.send({ kind: 'extend', ms: 20_000 });
    }
    expect(story.kills()).toEqual([]);
    story.pass(5_000);
    expect(story.kills()).toHaveLength(1);
    expect(story.kills()[0]?.at).toBe(1_000 + 60_000);
  });

  it('that cannot be done at all backs off, ends in quarantine and is tried for ever', () => {
    const story = tell();
    story.hands.spawns = 'fails';
    story.send({ kind: 'start', reason: 'first start' });
    story.pass(600_000);
    expect(story.state()).toBe('quarantined');
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'crash', reason: 'the process could not be started: no such file' },
    ]);
    const tries = story.of('spawn').length;
    story.hands.spawns = 'well';
    story.pass(300_000);
    expect(story.of('spawn')).toHaveLength(tries + 1);
    expect(story.state()).toBe('ready');
  });

  it('whose exit is told before its start waits for both: never two copies', () => {
    const story = tell();
    story.hands.spawns = 'never';
    story.send({ kind: 'start', reason: 'first start' });
    story.send(crash);
    expect(story.of('spawn')).toHaveLength(1);
    story.send({ kind: 'spawned', instance: 'short', pid: 5 });
    expect(story.of('spawn')).toHaveLength(2);
    expect(story.reports('incident_opened')).toMatchObject([{ incident: 'short' }]);
  });

  it('that is stopped before the process is there asks it to stop when it comes', () => {
    const story = tell();
    story.hands.spawns = 'never';
    story.send({ kind: 'start', reason: 'first start' });
    story.send({ kind: 'stop', reason: 'agent ends' });
    expect(story.of('terminate')).toEqual([]);
    story.send({ kind: 'spawned', instance: 'late', pid: 5 });
    expect(story.of('terminate')).toHaveLength(1);
    expect(story.state()).toBe('stopped');
  });

  it('of a second copy is not asked for while the first is on its way', () => {
    const story = tell();
    story.hands.spawns = 'never';
    story.send({ kind: 'start', reason: 'first start' });
    story.send({ kind: 'start', reason: 'again' });
    story.send({ kind: 'restart', reason: 'now', command: 'c1', force: true });
    story.pass(60_000);
    expect(story.of('spawn')).toHaveLength(1);
    story.hands.spawns = 'well';
    story.send({ kind: 'spawned', instance: 'late', pid: 5 });
    expect(story.of('spawn')).toHaveLength(2);
    expect(story.of('command_done')).toMatchObject([{ command: 'c1', ok: true }]);
  });
});

describe('a crash', () => {
  it('after a stable run is restarted at once and told as one incident', () => {
    const story = tell();
    story.run(120_000);
    story.send(crash);
    expect(story.state()).toBe('ready');
    expect(story.of('count_restart')).toMatchObject([{ cause: 'crash' }]);
    expect(story.reports('incident_opened')).toMatchObject([
      { incident: 'life-1', cause: 'crash', reason: 'the process ended with code 1' },
    ]);
    expect(story.reports('incident_recovered')).toMatchObject([
      { incident: 'life-1', cause: 'crash', detectedMs: 0, readyMs: 0, attempts: 1 },
    ]);
  });

  it('names the signal', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'exited', code: undefined, signal: 'SIGSEGV' });
    expect(story.reports('incident_opened')).toMatchObject([
      { reason: 'the process ended by signal SIGSEGV' },
    ]);
  });

  it('again and again waits longer each time, up to the budget, then slowly for ever', () => {
    const story = tell();
    story.run();
    story.hands.becomesReady = false;
    const waits: number[] = [];
    for (let crashes = 0; crashes < 11; crashes += 1) {
      const at = story.now();
      story.send(crash);
      story.pass(400_000, 'healthy', () => story.model().process === 'alive');
      waits.push(story.now() - at);
    }
    expect(waits[0]).toBe(0);
    // Sweeps round up to 250 ms; the jitter is 25 %.
    for (const [index, base] of [250, 500, 1_000, 2_000].entries()) {
      expect(waits[index + 1]).toBeGreaterThanOrEqual(base * 0.75);
      expect(waits[index + 1]).toBeLessThanOrEqual(base * 1.25 + 250);
    }
    expect(waits.slice(5)).toEqual([60_000, 120_000, 240_000, 300_000, 300_000, 300_000]);
    expect(story.reports('incident_opened')).toHaveLength(1);
    expect(story.reports('incident_quarantined')).toMatchObject([
      { incident: 'life-1', cause: 'crash', attempts: 5 },
    ]);
    expect(story.reports('incident_quarantined')[0]?.['reason']).toContain('a human is needed');
  });

  it('leaves quarantine when it was stable', () => {
    const story = tell({ restartsMax: 0 });
    story.run();
    story.send(crash);
    expect(story.state()).toBe('quarantined');
    story.pass(60_000);
    expect(story.state()).toBe('ready');
    expect(story.reports('incident_recovered')).toHaveLength(1);
    expect(story.model().quarantine).toBe(1);
    story.pass(60_250, 'healthy');
    expect(story.model().quarantine).toBeUndefined();
    expect(story.model().incident).toBeUndefined();
    expect(story.model().deadline).toBeUndefined();
  });

  it('of a component that was not stable keeps the incident and opens it again', () => {
    const story = tell();
    story.run();
    story.send(crash);
    story.pass(5_000, 'healthy');
    story.send(crash);
    story.pass(5_000, 'healthy');
    const told = story.reports('incident_opened').map(({ incident }) => incident);
    expect(told).toEqual(['life-1', 'life-1']);
    expect(story.reports('incident_recovered')).toMatchObject([{ attempts: 1 }, { attempts: 2 }]);
    story.pass(61_000, 'healthy');
    story.send(crash);
    expect(story.reports('incident_opened')[2]).toMatchObject({ incident: 'life-3' });
  });

  it('follows the three words of OTP', () => {
    const lives = (restart: Policy['restart'], code: number): number => {
      const story = tell({ restart });
      story.run();
      story.send({ kind: 'exited', code, signal: undefined });
      return story.lives();
    };
    expect(lives('permanent', 0)).toBe(2);
    expect(lives('permanent', 1)).toBe(2);
    expect(lives('transient', 0)).toBe(1);
    expect(lives('transient', 1)).toBe(2);
    expect(lives('temporary', 0)).toBe(1);
    expect(lives('temporary', 1)).toBe(1);
  });
});

describe('recovery of a hang', () => {
  it('is measured from the last sign of health', () => {
    const story = tell();
    story.run();
    story.hands.becomesReady = false;
    story.pass(2_000, 'blocked');
    story.pass(1_000, 'healthy');
    story.send({ kind: 'ready' });
    expect(story.reports('incident_recovered')).toMatchObject([
      { cause: 'hang', detectedMs: 2_000, readyMs: 3_000, attempts: 1 },
    ]);
  });

  it('that cannot be killed is told once and tried each 5 s', () => {
    const story = tell();
    story.run();
    story.hands.dies = false;
    story.pass(22_000, 'disk');
    expect(story.kills().map(({ at }) => at - (story.kills()[0]?.at ?? 0))).toEqual([
      0, 5_000, 10_000, 15_000, 20_000,
    ]);
    const told = story.reports('component_state').filter(({ from, to }) => from === to);
    expect(told).toMatchObject([{ reason: 'the process does not die: it is in the kernel' }]);
    expect(story.lives()).toBe(1);
    story.send({ kind: 'exited', code: undefined, signal: 'SIGKILL' });
    expect(story.state()).toBe('ready');
  });
});
