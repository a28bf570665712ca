// Stories about deciding without doing: observe, and a till that a technician holds.

import { describe, expect, it } from 'vitest';
import { tell } from './watchdog-story.ts';

const crash = { kind: 'exited', code: 1, signal: undefined } as const;
const observed = (changes = {}) => {
  const story = tell({ mode: 'observe', ...changes });
  story.run();
  return story;
};

describe('in observe', () => {
  it('a hang is found, explained, given its evidence and counted once, and nothing is killed', () => {
    const story = observed();
    story.pass(60_000, 'blocked');
    expect(story.kills()).toEqual([]);
    expect(story.state()).toBe('suspect');
    expect(story.reports('recovery_suppressed')).toMatchObject([
      {
        incident: 'life-1',
        rung: 'restart',
        cause: 'hang',
        by: 'observe',
        version: '1.0.0',
        evidence: { proofs: ['missed_beats', 'thread_blocked'], confirmed: { stack: 'confirmed' } },
      },
    ]);
    expect(story.of('count_suppressed')).toMatchObject([{ rung: 'restart', cause: 'hang' }]);
    expect(story.of('collect_evidence')).toHaveLength(2);
    expect(story.reports('incident_opened')).toEqual([]);
  });

  it('it is told again after ten minutes, or when the evidence had cleared', () => {
    const story = observed();
    story.pass(602_500, 'blocked');
    expect(story.reports('recovery_suppressed')).toHaveLength(2);
    story.pass(5_000, 'healthy');
    expect(story.state()).toBe('ready');
    story.pass(5_000, 'blocked');
    expect(story.reports('recovery_suppressed')).toHaveLength(3);
  });

  it('a pause of the agent makes no new episode', () => {
    const story = observed();
    story.pass(5_000, 'blocked');
    story.sleep(5_000);
    story.pass(10_000);
    expect(story.reports('recovery_suppressed')).toHaveLength(1);
  });

  it('a start that takes too long goes on, and may still be ready', () => {
    const story = tell({ mode: 'observe' });
    story.hands.becomesReady = false;
    story.send({ kind: 'start', reason: 'first start' });
    story.pass(120_000, 'healthy');
    expect(story.kills()).toEqual([]);
    expect(story.reports('recovery_suppressed')).toMatchObject([{ cause: 'start_timeout' }]);
    story.send({ kind: 'ready' });
    expect(story.state()).toBe('ready');
  });

  it('trouble that is reported again and again is told once', () => {
    const story = observed();
    for (let round = 0; round < 20; round += 1) {
      story.send({ kind: 'trouble', reason: 'database is gone' });
      story.pass(2_000, 'healthy');
    }
    expect(story.kills()).toEqual([]);
    expect(story.reports('recovery_suppressed')).toHaveLength(1);
  });

  it('what crashed is started again, and an operator’s restart is done', () => {
    const story = observed();
    story.send(crash);
    expect(story.lives()).toBe(2);
    story.send({ kind: 'restart', reason: 'now', command: 'c1', force: true });
    expect(story.lives()).toBe(3);
    expect(story.reports('recovery_suppressed')).toEqual([]);
  });

  it('no rung above a restart is used: it is told, and quarantine comes instead', () => {
    const rungs = [{ rung: 'all', times: 2, windowMs: 900_000, coolDownMs: 0 }] as const;
    const story = observed({ restartsMax: 0, rungs });
    story.send(crash);
    expect(story.of('escalate')).toEqual([]);
    expect(story.state()).toBe('quarantined');
    expect(story.reports('recovery_suppressed')).toMatchObject([{ rung: 'all', cause: 'crash' }]);
  });

  it('it is not stopped for the recovery of another one, but for anything else', () => {
    const story = observed();
    story.send({ kind: 'stop', reason: 'hardware is restarted', cause: 'dependency' });
    expect(story.state()).toBe('ready');
    expect(story.of('count_suppressed')).toMatchObject([{ rung: 'dependants' }]);
    story.send({ kind: 'stop', reason: 'agent ends' });
    expect(story.state()).toBe('stopped');
  });
});

describe('while a technician holds the till', () => {
  const hold = (active: boolean) => ({ kind: 'hold', active }) as const;

  it('nothing is killed; when he lets it go, what is still true is acted upon', () => {
    const story = tell();
    story.run();
    story.send(hold(true));
    story.pass(30_000, 'blocked');
    expect(story.kills()).toEqual([]);
    expect(story.reports('recovery_suppressed')).toMatchObject([{ by: 'hold' }]);
    story.send(hold(false));
    story.pass(2_000, 'blocked');
    expect(story.kills()).toHaveLength(1);
  });

  it('a verdict that waits for its evidence is not carried out any more', () => {
    const story = tell();
    story.run();
    story.hands.collects = false;
    story.pass(2_000, 'blocked');
    story.send(hold(true));
    story.pass(10_000, 'blocked');
    expect(story.kills()).toEqual([]);
  });

  it('a start that takes too long is forgiven until then', () => {
    const story = tell();
    story.hands.becomesReady = false;
    story.send(hold(true));
    story.send({ kind: 'start', reason: 'first start' });
    story.pass(60_000, 'healthy');
    story.send(hold(false));
    expect(story.kills()).toEqual([]);
    story.pass(2_500);
    expect(story.kills()).toHaveLength(1);
  });

  it('what could not be climbed meanwhile is climbed afterwards', () => {
    const rungs = [{ rung: 'all', times: 2, windowMs: 900_000, coolDownMs: 0 }] as const;
    const story = tell({ restartsMax: 0, rungs });
    story.run();
    story.send(hold(true));
    story.send(crash);
    expect(story.state()).toBe('quarantined');
    story.send(hold(false));
    expect(story.of('escalate')).toMatchObject([{ rung: 'all' }]);
  });
});
