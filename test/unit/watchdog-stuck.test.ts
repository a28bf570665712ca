// Stories of a till that must not be left lying: what was not possible at one time is tried again at another, and a
// component is not kept down for the sake of what it would be restarted with.

import { describe, expect, it } from 'vitest';
import { isBusy } from '../../agent/watchdog/machine.ts';
import type { Policy, RungRule } from '../../agent/watchdog/model.ts';
import { settingOf } from '../../agent/watchdog/recovery-glue.ts';
import { MINUTE, running, setting } from './recovery-story.ts';
import { policy, tell } from './watchdog-story.ts';

const crash = { kind: 'exited', code: 1, signal: undefined } as const;
const rung = (name: RungRule['rung']): RungRule => ({
  rung: name,
  times: 3,
  windowMs: 24 * 60 * MINUTE,
  coolDownMs: 0,
});
/** Two crashes, then what is above a restart. */
const climber: Partial<Policy> = { restartsMax: 1, rungs: [rung('all'), rung('reboot')] };

/** Restarted alone and with everything, in vain; the machine was too young for a reboot. */
function quarantined() {
  const story = tell(climber);
  story.run();
  story.send(crash);
  story.send(crash);
  story.send({ kind: 'launch', rung: 'all', reason: 'done' });
  story.send(crash);
  story.send({ kind: 'refused', rung: 'reboot', reason: 'the machine is up for 3.0 min' });
  expect(story.state()).toBe('quarantined');
  expect(story.of('escalate').map((one) => one.rung)).toEqual(['all', 'reboot']);
  return story;
}

/** Tried again and again, and each time it crashes. */
function retries(story: ReturnType<typeof tell>, ms: number): void {
  for (const end = story.now() + ms; story.now() < end; ) {
    story.pass(5_000, 'healthy', () => story.state() === 'ready');
    if (story.state() === 'ready') story.send(crash);
  }
}

describe('a component in quarantine', () => {
  it('is given the rung that was not possible before, once it may be', () => {
    const story = quarantined();
    retries(story, 10 * MINUTE);
    expect(story.of('escalate')).toHaveLength(2);
    retries(story, 20 * MINUTE);
    expect(story.of('escalate').map((one) => one.rung)).toEqual(['all', 'reboot', 'reboot']);
    story.send({ kind: 'refused', rung: 'reboot', reason: 'a sale goes on' });
    expect(story.state()).toBe('quarantined');
    const lives = story.lives();
    retries(story, 6 * MINUTE);
    expect(story.lives()).toBeGreaterThan(lives);
  });

  it('is not given again in the same incident what did not help, whatever it fails of now', () => {
    const story = quarantined();
    retries(story, 30 * MINUTE);
    story.send({ kind: 'launch', rung: 'reboot', reason: 'done' });
    for (let code = 2; code < 20; code += 1) {
      story.send({ ...crash, code });
      retries(story, 20 * MINUTE);
    }
    expect(story.of('escalate')).toHaveLength(3);
    expect(story.state()).toBe('quarantined');
  });

  it('is not given any while it is only observed', () => {
    const story = tell({ ...climber, mode: 'observe' });
    story.run();
    retries(story, 90 * MINUTE);
    expect(story.of('escalate')).toEqual([]);
  });
});

describe('rest_for_one', () => {
  const strategy = { ...climber, strategy: 'rest_for_one', rungs: [rung('dependants')] } as const;

  it('asks for patience of seconds only: a sale may need it to come to its end', () => {
    const story = tell(strategy);
    story.run();
    story.send(crash);
    const [asked] = story.of('escalate');
    expect(asked?.patienceMs).toBeLessThanOrEqual(10_000);
    story.send({ kind: 'refused', rung: 'dependants', reason: 'sale stayed busy' });
    expect(story.state()).toBe('ready');
    // The next failure may find nobody busy.
    story.pass(2 * MINUTE, 'healthy');
    story.send(crash);
    expect(story.of('escalate')).toHaveLength(2);
  });

  it('the plan waits no longer than that', () => {
    const story = running();
    story.busy('sale');
    story.be('hardware', 'backoff');
    const about = { incident: 'i-1', cause: 'crash', reason: 'it crashed' } as const;
    const escalation = { component: 'hardware', rung: 'dependants', ...about } as const;
    story.send({ kind: 'escalated', ...escalation, patienceMs: 10_000 });
    story.pass(11_000);
    expect(story.take()).toEqual(['refuse hardware dependants: sale stayed busy for 0.2 min']);
  });

  it('nor behind another recovery', () => {
    const story = running();
    story.busy('sale');
    story.fails('sync', 'all');
    story.be('hardware', 'backoff');
    const about = { incident: 'i-1', cause: 'crash', reason: 'it crashed' } as const;
    const escalation = { component: 'hardware', rung: 'dependants', ...about } as const;
    story.send({ kind: 'escalated', ...escalation, patienceMs: 10_000 });
    story.pass(11_000);
    expect(story.take()).toEqual(['refuse hardware dependants: other recoveries took too long']);
  });
});

describe('a recovery of several', () => {
  it('is not begun for one that meanwhile is in quarantine', () => {
    const story = running();
    story.busy('sale');
    story.fails('hardware', 'dependants');
    story.be('hardware', 'quarantined');
    story.busy('sale', false);
    expect(story.take()).toEqual([]);
    expect(story.model().phase).toBe('idle');
  });
});

describe('what the recovery of all', () => {
  it('restarts says whether it is busy: a black box may be in the middle of a sale', () => {
    const timing = new Map(setting.timing);
    const sync = timing.get('sync');
    if (sync !== undefined) timing.set('sync', { ...sync, saysBusy: false });
    const story = running({}, { timing });
    story.fails('sale', 'all');
    const touched = story.take().filter((line) => line.startsWith('stop '));
    expect(touched).toEqual(['stop display', 'stop hardware']);
  });

  it('would restart is known from its policy', () => {
    const [box, client] = [policy, { ...policy, component: 'b' }];
    const policies = [{ ...box, instrumented: false }, client];
    const { timing } = settingOf(setting.items, policies, new Map(), undefined);
    expect(timing.get(box.component)?.saysBusy).toBe(false);
    expect(timing.get('b')?.saysBusy).toBe(true);
  });
});

describe('the story of a recovery', () => {
  const limits = { ...policy.limits, memoryBytes: 200_000_000, everyMs: 5_000 };
  const large = { kind: 'usage', residentBytes: 300_000_000, cpuSeconds: 1 } as const;
  const grow = (story: ReturnType<typeof tell>, ms: number): void => {
    for (let passed = 0; passed < ms; passed += 5_000) {
      story.pass(5_000, 'healthy');
      story.send(large);
    }
  };

  it('of one that is too large again at once: it did not help, and is not repeated each minute', () => {
    const story = tell({ limits });
    story.run();
    grow(story, 30 * MINUTE);
    const restarts = story.reports('recovery').length;
    expect(restarts).toBeGreaterThanOrEqual(2);
    expect(restarts).toBeLessThanOrEqual(5);
    expect(story.reports('recovery_outcome')).toHaveLength(restarts);
    expect(story.reports('recovery_outcome').every(({ held }) => held === false)).toBe(true);
    const told = story.reports('component_state').map(({ reason }) => String(reason));
    expect(told.some((reason) => reason.includes('a human is needed'))).toBe(true);
  });

  it('that heals itself twice has two outcomes', () => {
    const heal = { times: 5, windowMs: MINUTE, coolDownMs: 1_000 };
    const story = tell({ canHeal: true, heal });
    story.run();
    for (let round = 0; round < 2; round += 1) {
      story.pass(1_500, 'blocked', () => story.state() === 'suspect');
      story.pass(5_000, 'healthy');
    }
    story.pass(2 * MINUTE, 'healthy');
    expect(story.reports('recovery')).toHaveLength(2);
    expect(story.reports('recovery_outcome')).toMatchObject([{ held: false }, { held: true }]);
  });

  it('of one that then has done its work ends with it', () => {
    const story = tell({ restart: 'transient' });
    story.run();
    story.hands.becomesReady = false;
    story.send(crash);
    story.send({ kind: 'exited', code: 0, signal: undefined });
    expect(story.state()).toBe('stopped');
    expect(story.reports('recovery_outcome')).toHaveLength(1);
    expect(story.reports('incident_opened')).toHaveLength(1);
    expect(story.reports('incident_recovered')).toHaveLength(1);
  });
});

describe('money that moves', () => {
  const tender = { kind: 'begin', id: 't', name: 'tender: card', deadlineMs: 60_000 } as const;
  const restart = { kind: 'restart', reason: 'upgrade', command: 'c', force: false } as const;

  it('is no idle moment, also where the component does not say that it is busy', () => {
    const story = tell();
    story.run();
    story.send(tender);
    story.send(restart);
    story.pass(10_000, 'healthy');
    expect(isBusy(story.model(), story.now())).toBe(true);
    expect(story.of('terminate')).toEqual([]);
    story.send({ kind: 'end', id: 't' });
    story.pass(500, 'healthy');
    expect(story.of('terminate')).toHaveLength(1);
  });

  it('is still none just after a new connection, over which it has yet to be said again', () => {
    const story = tell();
    story.run();
    story.send(tender);
    story.send(restart);
    story.send({ kind: 'connected' });
    story.pass(1_000, 'healthy');
    expect(story.of('terminate')).toEqual([]);
    story.pass(2_000, 'healthy');
    expect(story.of('terminate')).toHaveLength(1);
  });
});

describe('a work item', () => {
  it('of a deadline of milliseconds costs nobody a basket before it is late for as long as a hang', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'begin', id: 'w', name: 'lookup', deadlineMs: 50 });
    story.pass(1_500, 'healthy');
    expect(story.kills()).toEqual([]);
    story.pass(3_000, 'healthy');
    expect(story.kills()).toHaveLength(1);
  });

  it('without a deadline is never overdue', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'begin', id: 'w', name: 'lookup', deadlineMs: 0 });
    story.pass(60_000, 'healthy');
    expect(story.state()).toBe('ready');
    expect(story.kills()).toEqual([]);
  });
});
