// Stories about the recovery ladder: what comes after a restart, what is skipped, and what became of it.

import { describe, expect, it } from 'vitest';
import { chooseRung, type Question, signatureOf } from '../../agent/watchdog/ladder.ts';
import { initialModel, step } from '../../agent/watchdog/machine.ts';
import type { Policy, RungRule } from '../../agent/watchdog/model.ts';
import { policy, tell } from './watchdog-story.ts';

const crash = { kind: 'exited', code: 1, signal: undefined } as const;
const rung = (name: RungRule['rung'], changes: Partial<RungRule> = {}): RungRule => ({
  rung: name,
  times: 2,
  windowMs: 900_000,
  coolDownMs: 0,
  ...changes,
});
/** One restart, then upwards. */
const climber: Partial<Policy> = {
  restartsMax: 1,
  rungs: [rung('dependants'), rung('reset'), rung('all')],
};

describe('the choice of a rung', () => {
  const question: Question = {
    rungs: [rung('dependants'), rung('reset'), rung('reboot', { times: 1 })],
    used: [],
    refused: [],
    signature: 'crash',
    incident: 'one',
    restartAllowed: false,
    now: 1_000_000,
  };
  const use = (name: RungRule['rung'], at: number, more = {}) => {
    const known = { rung: name, at, signature: 'crash', incident: 'one' };
    return { ...known, held: undefined as boolean | undefined, ...more };
  };
  const choice = (changes: Partial<Question>) => chooseRung({ ...question, ...changes });

  it('is a restart until its budget is spent, then the gentlest above it', () => {
    expect(choice({ restartAllowed: true })).toEqual({ kind: 'restart' });
    expect(choice({})).toEqual({ kind: 'rung', rung: 'dependants' });
    expect(choice({ rungs: [] })).toEqual({ kind: 'quarantine' });
  });

  it('skips what did not help against the same signature, and only that', () => {
    const failed = use('dependants', 900_000, { held: false });
    expect(choice({ used: [failed] })).toEqual({ kind: 'rung', rung: 'reset' });
    expect(choice({ used: [failed], signature: 'hang' })).toMatchObject({ rung: 'dependants' });
    expect(choice({ used: [{ ...failed, held: true }] })).toMatchObject({ rung: 'dependants' });
    const long = { ...failed, at: 0 };
    expect(choice({ used: [long] })).toMatchObject({ rung: 'reset' });
    expect(choice({ used: [long], incident: 'two' })).toMatchObject({ rung: 'dependants' });
    expect(choice({ used: [failed], incident: 'two' })).toMatchObject({ rung: 'reset' });
  });

  it('keeps to the budget of each rung in its window', () => {
    const used = [use('dependants', 800_000), use('dependants', 900_000)];
    expect(choice({ used, signature: 'other' })).toMatchObject({ rung: 'reset' });
    expect(choice({ used, signature: 'other', now: 1_700_000 })).toMatchObject({
      rung: 'dependants',
    });
  });

  it('waits for a short cool-down and not for a long one, even from the future', () => {
    const rungs = [rung('dependants', { coolDownMs: 60_000 }), rung('reset')];
    const used = [use('dependants', 990_000, { held: false })];
    expect(choice({ rungs, used })).toEqual({ kind: 'cool_down', until: 1_050_000 });
    const future = [use('dependants', 5_000_000, { held: false })];
    expect(choice({ rungs, used: future })).toEqual({ kind: 'cool_down', until: 1_060_000 });
    const long = [rung('dependants', { coolDownMs: 3_600_000 }), rung('reset')];
    expect(choice({ rungs: long, used })).toEqual({ kind: 'quarantine' });
  });

  it('leaves out what was refused', () => {
    expect(choice({ refused: ['dependants', 'reset'] })).toMatchObject({ rung: 'reboot' });
    expect(choice({ refused: ['dependants', 'reset', 'reboot'] })).toEqual({ kind: 'quarantine' });
  });

  it('has a signature that does not change with how long and how often', () => {
    const of = (reason: string, frame?: string) => signatureOf('hang', reason, frame);
    expect(of('no beat for 2.0 s')).toBe(of('no beat for 4.5 s'));
    expect(of('3 probes in a row failed')).toBe(of('14 probes in a row failed'));
    expect(of('ended with code 1')).not.toBe(of('ended with code 2'));
    expect(of('no beat', 'a.js:1')).not.toBe(of('no beat', 'b.js:1'));
    expect(of('x'.repeat(9_999)).length).toBeLessThanOrEqual(300);
  });
});

describe('climbing', () => {
  it('asks the plan when restarts are spent, and starts when the plan has done its part', () => {
    const story = tell(climber);
    story.run();
    story.send(crash);
    expect(story.state()).toBe('ready');
    story.pass(1_000, 'healthy');
    story.send(crash);
    expect(story.state()).toBe('backoff');
    const [asked] = story.of('escalate');
    expect(asked).toMatchObject({ rung: 'dependants', incident: 'life-1', cause: 'crash' });
    expect(story.reports('recovery')).toMatchObject([{ rung: 'restart' }, { rung: 'dependants' }]);
    expect(story.of('count_recovery').map((one) => one.rung)).toEqual(['restart', 'dependants']);
    story.pass(60_000);
    expect(story.lives()).toBe(2);
    story.send({ kind: 'launch', rung: 'reset', reason: 'another one' });
    expect(story.lives()).toBe(2);
    story.send({ kind: 'launch', rung: 'dependants', reason: 'those after it are stopped' });
    expect(story.state()).toBe('ready');
    expect(story.of('count_restart')).toHaveLength(2);
  });

  it('goes on to the next rung when one is refused, and takes nothing of its budget', () => {
    const story = tell(climber);
    story.run();
    story.send(crash);
    story.send(crash);
    expect(story.model().uses).toHaveLength(1);
    story.send({ kind: 'refused', rung: 'dependants', reason: 'a sale goes on' });
    expect(story.of('escalate').map((one) => one.rung)).toEqual(['dependants', 'reset']);
    expect(story.model().uses.map((use) => use.rung)).toEqual(['reset']);
    expect(story.reports('recovery_outcome').at(-1)).toMatchObject({
      rung: 'dependants',
      reason: 'dependants could not be done: a sale goes on',
    });
    // Nobody knows whether it would have held.
    expect(story.reports('recovery_outcome').at(-1)).not.toHaveProperty('held');
    story.send({ kind: 'refused', rung: 'reset', reason: 'no' });
    story.send({ kind: 'refused', rung: 'all', reason: 'no' });
    expect(story.state()).toBe('quarantined');
    expect(story.reports('incident_quarantined')[0]?.['reason']).toContain('a human is needed');
  });

  it('ends in quarantine when nothing helps, and remembers each use over a reboot', () => {
    const story = tell(climber);
    story.run();
    story.send(crash);
    for (const name of ['dependants', 'reset', 'all'] as const) {
      story.send(crash);
      story.send({ kind: 'launch', rung: name, reason: 'done' });
    }
    story.send(crash);
    expect(story.state()).toBe('quarantined');
    expect(story.reports('recovery').map((one) => one['rung'])).toEqual([
      'restart',
      'dependants',
      'reset',
      'all',
      'quarantine',
    ]);
    expect(story.reports('recovery_outcome')).toHaveLength(4);
    expect(story.model().uses.map((one) => one.held)).toEqual([false, false, false]);
    expect(story.of('remember')).toHaveLength(6);
    // Slowly for ever, and no rung is used again for it.
    story.hands.becomesReady = false;
    story.pass(2_000_000);
    expect(story.of('escalate')).toHaveLength(3);
    expect(story.lives()).toBeGreaterThan(6);
  });

  it('tells that a rung held when the component was stable', () => {
    const story = tell(climber);
    story.run();
    story.send(crash);
    story.send(crash);
    story.send({ kind: 'launch', rung: 'dependants', reason: 'done' });
    story.pass(59_000, 'healthy');
    expect(story.reports('recovery_outcome')).toHaveLength(1);
    story.pass(1_500, 'healthy');
    expect(story.reports('recovery_outcome')[1]).toMatchObject({ rung: 'dependants', held: true });
    expect(story.of('count_outcome')).toMatchObject([
      { rung: 'restart', held: false },
      { rung: 'dependants', held: true },
    ]);
    expect(story.model().uses).toMatchObject([{ held: true }]);
    expect(story.model().deadline).toBeUndefined();
  });

  it('learns the outcome of a rung that an earlier agent used', () => {
    const use = {
      rung: 'reboot',
      at: -5_000,
      incident: 'old',
      cause: 'hang',
      signature: 's',
    } as const;
    const rule = { ...policy, rungs: [rung('reboot')] };
    let model = initialModel(rule, { uses: [use] });
    const send = (event: Parameters<typeof step>[2], now: number) => {
      const result = step(rule, model, event, now);
      model = result.model;
      return result.effects;
    };
    send({ kind: 'start', reason: 'first' }, 0);
    send({ kind: 'spawned', instance: 'i', pid: 1 }, 10);
    send({ kind: 'ready' }, 20);
    send({ kind: 'beat', loopDelayMsMax: 1 }, 60_000);
    const kinds = send({ kind: 'tick' }, 60_020).map(({ kind }) => kind);
    expect(kinds).toContain('count_outcome');
    expect(kinds).toContain('remember');
    expect(model.uses).toMatchObject([{ held: true }]);
  });

  it('waits out a cool-down, then climbs', () => {
    const rungs = [rung('dependants', { coolDownMs: 30_000 }), rung('reset')];
    const story = tell({ ...climber, rungs });
    story.run();
    story.send(crash);
    story.send(crash);
    story.send({ kind: 'launch', rung: 'dependants', reason: 'done' });
    story.send(crash);
    expect(story.state()).toBe('backoff');
    expect(story.reports('component_state').at(-1)?.['reason']).toContain('the next in 30.0 s');
    story.pass(29_000);
    expect(story.of('escalate')).toHaveLength(1);
    story.pass(1_500);
    expect(story.of('escalate')[1]).toMatchObject({ rung: 'reset' });
  });

  it('tries by itself when the plan never answers', () => {
    const story = tell(climber);
    story.run();
    story.send(crash);
    story.send(crash);
    story.pass(20 * 60_000 + 500);
    expect(story.state()).toBe('ready');
    expect(story.lives()).toBe(3);
    expect(story.of('count_outcome').at(-1)).toMatchObject({ rung: 'dependants', held: false });
  });

  it('ends with an operator’s restart: backoff, budget and refusals begin anew', () => {
    const story = tell(climber);
    story.run();
    story.send(crash);
    story.send(crash);
    story.send({ kind: 'restart', reason: 'try', command: 'c1', force: false });
    expect(story.state()).toBe('ready');
    expect(story.model().escalation).toBeUndefined();
    story.send({ kind: 'launch', rung: 'dependants', reason: 'late' });
    expect(story.lives()).toBe(3);
    expect(story.model().restarts).toHaveLength(1);
  });

  it('ends with a stop', () => {
    const story = tell(climber);
    story.run();
    story.send(crash);
    story.send(crash);
    story.send({ kind: 'stop', reason: 'agent ends' });
    story.send({ kind: 'launch', rung: 'dependants', reason: 'late' });
    expect(story.state()).toBe('stopped');
  });

  it('of rest_for_one is with dependants from the first failure on, within the budget', () => {
    const story = tell({ ...climber, strategy: 'rest_for_one', restartsMax: 2 });
    story.run();
    story.send(crash);
    expect(story.of('escalate')).toMatchObject([{ rung: 'dependants' }]);
    story.send({ kind: 'launch', rung: 'dependants', reason: 'done' });
    story.send(crash);
    story.pass(1_000);
    expect(story.of('escalate')[1]).toMatchObject({ rung: 'dependants' });
    story.send({ kind: 'refused', rung: 'dependants', reason: 'a sale goes on' });
    expect(story.lives()).toBe(3);
    story.send(crash);
    // Now as a rung, for which it waits as long as a sale takes.
    const [, , rung] = story.of('escalate');
    expect(rung).toMatchObject({ rung: 'dependants' });
    expect(rung).not.toHaveProperty('patienceMs');
    story.send({ kind: 'refused', rung: 'dependants', reason: 'a sale goes on' });
    expect(story.of('escalate')[3]).toMatchObject({ rung: 'reset' });
  });
});
