// What people and plans ask of a component: stop, restart when it may, adopt what runs.

import { describe, expect, it } from 'vitest';
import { tell } from './watchdog-story.ts';

const crash = { kind: 'exited', code: 1, signal: undefined } as const;

describe('stopping', () => {
  it('asks first, kills when the grace is over, and rests', () => {
    const story = tell();
    story.run();
    story.hands.stops = false;
    story.send({ kind: 'stop', reason: 'agent ends' });
    expect(story.of('terminate')).toMatchObject([{ graceMs: 3_000, reason: 'agent ends' }]);
    story.pass(2_750, 'healthy');
    expect(story.kills()).toEqual([]);
    story.pass(250);
    expect(story.kills()).toHaveLength(1);
    expect(story.state()).toBe('stopped');
    expect(story.reports('incident_opened')).toEqual([]);
  });

  it('may be extended', () => {
    const story = tell();
    story.run();
    story.hands.stops = false;
    story.send({ kind: 'stop', reason: 'agent ends' });
    story.send({ kind: 'extend', ms: 10_000 });
    story.pass(9_750, 'healthy');
    expect(story.kills()).toEqual([]);
    story.pass(250);
    expect(story.kills()).toHaveLength(1);
  });

  it('ends a backoff and a quarantine', () => {
    const story = tell({ restartsMax: 0 });
    story.run();
    story.send(crash);
    story.send({ kind: 'stop', reason: 'agent ends' });
    expect(story.state()).toBe('stopped');
    story.pass(600_000);
    expect(story.lives()).toBe(1);
  });

  it('and starting again in between waits for the old copy to be gone', () => {
    const story = tell();
    story.run();
    story.hands.stops = false;
    story.send({ kind: 'stop', reason: 'stop' });
    story.send({ kind: 'start', reason: 'start' });
    expect(story.lives()).toBe(1);
    story.send({ kind: 'exited', code: 0, signal: undefined });
    expect(story.lives()).toBe(2);
    expect(story.of('count_restart')).toEqual([]);
  });
});

describe('an operator’s restart', () => {
  const restart = (command: string, force = false) =>
    ({ kind: 'restart', reason: 'printer stuck', command, force }) as const;

  it('stops, starts and answers when ready again', () => {
    const story = tell();
    story.run();
    story.send(restart('c1'));
    expect(story.of('terminate')).toHaveLength(1);
    expect(story.of('count_restart')).toMatchObject([{ cause: 'operator' }]);
    expect(story.of('command_done')).toMatchObject([
      { command: 'c1', ok: true, reason: 'ready again' },
    ]);
    expect(story.reports('incident_opened')).toEqual([]);
  });

  it('waits while a sale is in progress and goes on when it ends', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'busy', id: 'sale', reason: 'sale', ceilingMs: 120_000 });
    story.send(restart('c1'));
    story.pass(60_000, 'healthy');
    expect(story.of('terminate')).toEqual([]);
    story.send({ kind: 'idle', id: 'sale' });
    expect(story.of('terminate')).toHaveLength(1);
    expect(story.of('command_done')).toMatchObject([{ ok: true }]);
  });

  it('waits no longer than the ceiling that the component gave', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'busy', id: 'sale', reason: 'sale', ceilingMs: 30_000 });
    story.send(restart('c1'));
    story.pass(29_750, 'healthy');
    expect(story.of('terminate')).toEqual([]);
    story.pass(250);
    expect(story.of('terminate')).toHaveLength(1);
  });

  it('gives up rather than cut off a sale when one follows the other without a gap', () => {
    const story = tell();
    story.run();
    story.send(restart('c0', true));
    story.send({ kind: 'busy', id: '0', reason: 'sale', ceilingMs: 120_000 });
    story.send(restart('c1'));
    for (let sale = 1; sale <= 20; sale += 1) {
      story.pass(60_000, 'healthy');
      story.send({ kind: 'busy', id: `${sale}`, reason: 'sale', ceilingMs: 120_000 });
      story.send({ kind: 'idle', id: `${sale - 1}` });
    }
    expect(story.of('terminate')).toHaveLength(1);
    expect(story.of('command_done')[1]).toMatchObject({ command: 'c1', ok: false });
  });

  it('does not wait when forced', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'busy', id: 'sale', reason: 'sale', ceilingMs: 120_000 });
    story.send(restart('c1', true));
    expect(story.of('terminate')).toHaveLength(1);
  });

  it('answers each command once, also when several come together', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'busy', id: 'sale', reason: 'sale', ceilingMs: 120_000 });
    for (const command of ['c1', 'c2', 'c2', 'c3']) story.send(restart(command));
    story.send({ kind: 'idle', id: 'sale' });
    expect(story.of('command_done').map(({ command }) => command)).toEqual(['c1', 'c2', 'c3']);
    expect(story.lives()).toBe(2);
  });

  it('leaves quarantine at once and begins budget and backoff anew', () => {
    const story = tell();
    story.run();
    for (let crashes = 0; crashes < 6; crashes += 1) {
      story.send(crash);
      story.pass(50_000, 'healthy', () => story.state() === 'ready');
    }
    expect(story.state()).toBe('quarantined');
    story.send(restart('c1'));
    expect(story.state()).toBe('ready');
    expect(story.of('command_done')).toMatchObject([{ ok: true }]);
    story.send(crash);
    expect(story.state()).toBe('ready');
  });

  it('fails with the reason when the new start fails, which is then healed', () => {
    const story = tell();
    story.run();
    story.hands.becomesReady = false;
    story.send(restart('c1'));
    story.send(crash);
    expect(story.of('command_done')).toMatchObject([
      { ok: false, reason: 'not ready again: the process ended with code 1' },
    ]);
    expect(story.lives()).toBe(3);
  });

  it('is answered when a hang gets in first', () => {
    const story = tell();
    story.run();
    story.send({ kind: 'busy', id: 'sale', reason: 'sale', ceilingMs: 120_000 });
    story.send(restart('c1'));
    story.pass(2_000, 'blocked');
    expect(story.reports('incident_opened')).toMatchObject([{ cause: 'hang' }]);
    expect(story.of('command_done')).toMatchObject([{ command: 'c1', ok: true }]);
  });

  it('is answered when a stop gets in first', () => {
    const story = tell();
    story.run();
    story.hands.stops = false;
    story.send(restart('c1'));
    story.send({ kind: 'stop', reason: 'agent ends' });
    expect(story.of('command_done')).toMatchObject([{ command: 'c1', ok: false }]);
  });

  it('starts a component that was stopped', () => {
    const story = tell();
    story.send(restart('c1'));
    expect(story.state()).toBe('ready');
    expect(story.of('command_done')).toMatchObject([{ ok: true }]);
  });
});

describe('adoption', () => {
  const adopted = { kind: 'adopted', instance: 'old', pid: 7 } as const;

  it('takes over what was ready, without a start, and gives its client time to come back', () => {
    const story = tell();
    story.send({ ...adopted, wasReady: true, turns: true });
    expect(story.state()).toBe('ready');
    expect(story.of('spawn')).toEqual([]);
    story.pass(3_500, 'blocked');
    expect(story.kills()).toEqual([]);
    story.pass(500);
    expect(story.kills()).toHaveLength(1);
  });

  it('takes over what was still starting and waits for its word', () => {
    const story = tell();
    story.send({ ...adopted, wasReady: false });
    expect(story.state()).toBe('starting');
    story.pass(1_000, 'healthy');
    story.send({ kind: 'ready' });
    expect(story.state()).toBe('ready');
    story.send(crash);
    expect(story.lives()).toBe(1);
  });

  it('keeps what counts: desired state and readiness are persisted', () => {
    const story = tell();
    story.send({ ...adopted, wasReady: true });
    expect(story.of('persist')).toHaveLength(1);
    story.send({ kind: 'stop', reason: 'agent ends' });
    expect(story.of('persist').length).toBeGreaterThan(1);
  });
});

describe('budgets that an operator gives back', () => {
  it('are whole again, and a quarantine stays what it is', () => {
    const story = tell({ restartsMax: 1, backoffMsMin: 10 });
    story.run();
    for (let n = 0; n < 2; n += 1) {
      story.send(crash);
      story.pass(1_000, 'healthy');
    }
    expect(story.state()).toBe('quarantined');
    story.send({ kind: 'refill' });
    expect(story.state()).toBe('quarantined');
    const { restarts, uses } = story.model();
    expect([restarts, uses]).toEqual([[], []]);
    expect(story.of('remember').length).toBeGreaterThan(0);
  });
});
