// Stories about restarts that the watchdog wishes by itself: too old, too large, too busy. Never in a sale.

import { describe, expect, it } from 'vitest';
import { lookAtUsage, newCeilings } from '../../agent/watchdog/ceilings.ts';
import type { Limits, Policy } from '../../agent/watchdog/model.ts';
import { policy, type Story, tell } from './watchdog-story.ts';

const MB = 1_000_000;
const limits = { ...policy.limits, memoryBytes: 200 * MB, cpuRatio: 0.5 };
const sale = { kind: 'busy', id: 's', reason: 'sale', ceilingMs: 600_000 } as const;

function started(changes: Partial<Policy> = {}): Story {
  const story = tell({ limits, ...changes });
  story.run();
  return story;
}

/** Looks each 5 s; what is not said is as it should be. */
function look(story: Story, looks: number, said: { mb?: number; fds?: number; cores?: number }) {
  for (let round = 0; round < looks; round += 1) {
    story.pass(5_000, 'healthy');
    const { mb = 100, fds = 20, cores = 0.1 } = said;
    const cpuSeconds = (story.now() / 1_000) * cores;
    const residentBytes = mb * MB;
    story.send({
      kind: 'usage',
      residentBytes,
      descriptors: fds,
      descriptorsMax: 1_024,
      cpuSeconds,
    });
  }
}

describe('a ceiling', () => {
  it('of memory is put right at idle when it was broken at three of the last five looks', () => {
    const story = started();
    look(story, 1, { mb: 250 });
    look(story, 1, { mb: 100 });
    look(story, 1, { mb: 250 });
    expect(story.of('terminate')).toEqual([]);
    look(story, 1, { mb: 251 });
    expect(story.of('terminate')).toHaveLength(1);
    expect(story.of('count_restart')).toMatchObject([{ cause: 'memory' }]);
    const reason = 'it uses 251 MB of memory, its ceiling is 200 MB';
    expect(story.reports('incident_opened')).toMatchObject([{ cause: 'memory', reason }]);
    expect(story.reports('incident_recovered')).toMatchObject([{ cause: 'memory', attempts: 1 }]);
    expect(story.reports('recovery')).toMatchObject([{ rung: 'restart', cause: 'memory' }]);
    const told = story.reports('component_state').map((one) => one['reason']);
    expect(told).toContain(`${reason}; restarted at idle`);
    expect(story.kills()).toEqual([]);
  });

  it('of descriptors is a share of its own limit, its cause memory', () => {
    const story = started();
    look(story, 3, { fds: 922 });
    expect(story.of('count_restart')).toMatchObject([{ cause: 'memory' }]);
    expect(story.reports('incident_opened')[0]?.['reason']).toBe(
      'it has 922 descriptors open, its ceiling is 921',
    );
  });

  it('of processor time is stalled', () => {
    const story = started();
    look(story, 4, { cores: 0.9 });
    expect(story.of('count_restart')).toMatchObject([{ cause: 'stalled' }]);
    expect(story.reports('incident_opened')[0]?.['reason']).toBe(
      'it uses 90 % of a core, its ceiling is 50 %',
    );
  });

  it('waits for a sale for as long as that takes, and is never forced', () => {
    const story = started();
    story.send(sale);
    look(story, 5, { mb: 250 });
    for (let minute = 0; minute < 40; minute += 1) {
      story.send(sale);
      look(story, 12, { mb: 250 });
    }
    expect(story.of('terminate')).toEqual([]);
    story.send({ kind: 'idle', id: 's' });
    expect(story.of('terminate')).toHaveLength(1);
  });

  it('that is kept again while it waits is forgotten', () => {
    const story = started();
    story.send(sale);
    look(story, 3, { mb: 250 });
    look(story, 5, { mb: 100 });
    story.send({ kind: 'idle', id: 's' });
    story.pass(1_000, 'healthy');
    expect(story.of('terminate')).toEqual([]);
    expect(story.model().planned).toBeUndefined();
  });

  it('whose restarts do not help is told, and the component sells on', () => {
    const story = started({ budgetCauses: { memory: 2 } });
    look(story, 3 * 60, { mb: 250 });
    const told = story.reports('component_state').filter(({ from, to }) => from === to);
    expect(told[0]?.['reason']).toContain('a human is needed');
    expect(story.kills()).toEqual([]);
    // Two in each window of five minutes, in fifteen minutes.
    expect(story.of('count_restart').length).toBeLessThanOrEqual(6);
    expect(story.state()).toBe('ready');
  });

  it('is only told in observe', () => {
    const story = started({ mode: 'observe' });
    look(story, 20, { mb: 250 });
    expect(story.of('terminate')).toEqual([]);
    expect(story.reports('recovery_suppressed')).toMatchObject([
      { rung: 'restart', cause: 'memory' },
    ]);
  });

  it('whose restart waits when a technician comes is put off until he goes', () => {
    for (const age of [undefined, { maxMs: 20_000, jitterMs: 0 }]) {
      const story = started({ age, ...(age === undefined ? {} : { limits: policy.limits }) });
      story.send(sale);
      look(story, 4, { mb: 250 });
      expect(story.model().planned).toBeDefined();
      story.send({ kind: 'hold', active: true });
      story.send({ kind: 'idle', id: 's' });
      look(story, 2, { mb: 250 });
      expect(story.of('terminate')).toEqual([]);
      expect(story.of('count_suppressed')).toHaveLength(1);
      story.send({ kind: 'hold', active: false });
      story.pass(600_000, 'healthy', () => story.of('terminate').length > 0);
      look(story, 1, { mb: 250 });
      expect(story.of('terminate')).toHaveLength(1);
    }
  });

  it('does not ask twice: a crash before brings the restart with it, as a crash', () => {
    const story = started();
    story.send(sale);
    look(story, 3, { mb: 250 });
    story.send({ kind: 'exited', code: 1, signal: undefined });
    expect(story.of('count_restart')).toMatchObject([{ cause: 'crash' }]);
    expect(story.model().planned).toBeUndefined();
  });

  it('that is not configured, or not readable, is never broken', () => {
    const rule: Limits = { everyMs: 5_000, k: 1, n: 1, descriptorsRatio: 0.9 };
    const usage = { kind: 'usage', residentBytes: 1e12, cpuSeconds: 1e9 } as const;
    expect(lookAtUsage(rule, newCeilings, usage, 5_000).over).toBeUndefined();
    const hidden = { ...usage, residentBytes: Number.NaN };
    expect(lookAtUsage({ ...rule, memoryBytes: 1 }, newCeilings, hidden, 5).over).toBeUndefined();
  });

  it('of processor time is not measured across a pause of the agent', () => {
    const story = started();
    for (let round = 0; round < 10; round += 1) {
      look(story, 1, { cores: 0.9 });
      story.sleep(5_000, 'healthy');
    }
    expect(story.of('terminate')).toEqual([]);
  });
});

describe('age', () => {
  const age = { maxMs: 3_600_000, jitterMs: 600_000 };

  it('is put right at idle, a fleet apart, and is no failure', () => {
    const story = tell({ age });
    story.run();
    story.pass(3_580_000, 'healthy');
    expect(story.of('terminate')).toEqual([]);
    const until = () => story.of('terminate').length > 0;
    story.pass(620_000, 'healthy', until);
    expect(story.of('terminate')).toHaveLength(1);
    expect(story.reports('incident_opened')).toEqual([]);
    expect(story.reports('component_state')[0]?.['reason']).toContain('longer than 3600.0 s');
    expect(story.state()).toBe('ready');
    expect(story.model().restarts).toEqual([]);
  });

  it('waits for the end of a sale', () => {
    const story = tell({ age });
    story.run();
    for (let minute = 0; minute < 100; minute += 1) {
      story.send(sale);
      story.pass(60_000, 'healthy');
    }
    expect(story.of('terminate')).toEqual([]);
    story.send({ kind: 'idle', id: 's' });
    expect(story.of('terminate')).toHaveLength(1);
  });

  it('is answered together with an operator’s restart that gave up', () => {
    const story = tell({ age });
    story.run();
    story.send(sale);
    story.send({ kind: 'restart', reason: 'now', command: 'c1', force: false });
    for (let minute = 0; minute < 100; minute += 1) {
      story.send(sale);
      story.pass(60_000, 'healthy');
    }
    expect(story.of('command_done')).toMatchObject([{ command: 'c1', ok: false }]);
    story.send({ kind: 'idle', id: 's' });
    expect(story.of('terminate')).toHaveLength(1);
  });

  it('counts from the true start of a component that was adopted', () => {
    const story = tell({ age: { maxMs: 3_600_000, jitterMs: 0 } });
    const ageMs = 3_590_000;
    story.send({ kind: 'adopted', instance: 'old', pid: 7, wasReady: true, ageMs });
    story.pass(9_000, 'healthy');
    expect(story.of('terminate')).toEqual([]);
    story.pass(1_500, 'healthy');
    expect(story.of('terminate')).toHaveLength(1);
  });

  it('is only told in observe', () => {
    const story = tell({ age: { maxMs: 60_000, jitterMs: 0 }, mode: 'observe' });
    story.run();
    story.pass(300_000, 'healthy');
    expect(story.of('terminate')).toEqual([]);
    expect(story.of('count_suppressed')).toHaveLength(1);
    expect(story.model().deadline).toBeGreaterThan(story.now());
  });
});
