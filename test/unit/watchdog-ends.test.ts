// Stories about how a life ends: what exit codes say, how long a stop may take, and a tender that is in flight.

import { describe, expect, it } from 'vitest';
import { tell } from './watchdog-story.ts';

const exited = (code: number) => ({ kind: 'exited', code, signal: undefined }) as const;

describe('an exit code', () => {
  it('that says permanent is quarantined at once, and slowly tried for ever', () => {
    const story = tell();
    story.run();
    story.send(exited(125));
    expect(story.state()).toBe('quarantined');
    expect(story.reports('incident_opened')[0]?.['reason']).toContain(
      'starting it again cannot help',
    );
    expect(story.reports('incident_quarantined')[0]?.['reason']).toContain('a human is needed');
    story.pass(60_000);
    expect(story.lives()).toBe(2);
  });

  it('that blames a remote party backs off, spends no budget and never climbs', () => {
    const rungs = [{ rung: 'all', times: 2, windowMs: 900_000, coolDownMs: 0 }] as const;
    const story = tell({ restartsMax: 1, rungs });
    story.run();
    story.hands.becomesReady = false;
    for (let round = 0; round < 12; round += 1) {
      story.send(exited(75));
      expect(story.state()).toBe('backoff');
      story.pass(60_000, 'healthy', () => story.model().process === 'alive');
    }
    expect(story.of('escalate')).toEqual([]);
    expect(story.model().restarts).toEqual([]);
    expect(story.reports('incident_opened')).toHaveLength(1);
    expect(story.reports('incident_opened')[0]?.['reason']).toContain('a remote party is to blame');
  });

  it('that says success ends a transient component for good', () => {
    const success = { success: [0, 3], permanent: [125], remote: [75] };
    const story = tell({ restart: 'transient', exit: success });
    story.run();
    story.send(exited(3));
    expect(story.state()).toBe('stopped');
    expect(story.reports('incident_opened')).toEqual([]);
  });

  it('means nothing when a verdict killed it', () => {
    const story = tell();
    story.run();
    story.hands.collects = false;
    story.pass(2_000, 'blocked');
    story.send(exited(125));
    expect(story.state()).toBe('ready');
    expect(story.reports('incident_opened')).toMatchObject([{ cause: 'hang' }]);
  });
});

describe('a stop', () => {
  it('may be extended up to its own ceiling', () => {
    const story = tell({ graceMsMax: 20_000 });
    story.run();
    story.hands.stops = false;
    story.send({ kind: 'stop', reason: 'agent ends' });
    for (let round = 0; round < 10; round += 1) {
      story.pass(2_000, 'healthy', () => story.kills().length > 0);
      story.send({ kind: 'extend', ms: 5_000 });
    }
    expect(story.kills()).toHaveLength(1);
    expect(story.now() - (story.kills()[0]?.at ?? 0)).toBe(0);
    expect(story.kills()[0]?.at).toBe(1_000 + 10_000 + 20_000);
  });

  it('has time for a dump between its grace and its kill, where that is wanted', () => {
    const story = tell({ abortMs: 1_000 });
    story.run();
    story.hands.stops = false;
    story.send({ kind: 'stop', reason: 'agent ends' });
    story.pass(3_000, 'healthy');
    expect(story.of('abort')).toHaveLength(1);
    story.send({ kind: 'extend', ms: 50_000 });
    expect(story.kills()).toEqual([]);
    story.pass(1_000);
    expect(story.kills()).toHaveLength(1);
  });

  it('of a hang goes the same way, without the grace', () => {
    const story = tell({ abortMs: 1_000 });
    story.run();
    story.pass(2_000, 'blocked');
    expect(story.of('abort')).toHaveLength(1);
    expect(story.of('terminate')).toEqual([]);
    story.pass(1_000);
    expect(story.kills()).toHaveLength(1);
    expect(story.state()).toBe('ready');
  });
});

describe('a tender in flight', () => {
  const begin = (deadlineMs: number, name = 'tender:card') =>
    ({ kind: 'begin', id: 't', name, deadlineMs }) as const;

  it('delays the kill until its own deadline, and says so', () => {
    const story = tell();
    story.run();
    story.send(begin(60_000));
    story.pass(59_750, 'blocked');
    expect(story.kills()).toEqual([]);
    const told = story.reports('component_state').filter(({ from, to }) => from === to);
    expect(told).toMatchObject([
      { reason: 'killed only after the tender that is in flight, at most 58.0 s', cause: 'hang' },
    ]);
    story.pass(250);
    expect(story.kills()).toHaveLength(1);
    expect(story.reports('incident_opened')).toMatchObject([{ cause: 'hang' }]);
  });

  it('delays it at most so long from the verdict', () => {
    const story = tell({ tenderMsMax: 30_000 });
    story.run();
    story.send(begin(600_000, 'tender'));
    story.pass(31_750, 'blocked');
    expect(story.kills()).toEqual([]);
    story.pass(250);
    expect(story.kills()).toHaveLength(1);
  });

  it('that ends lets the kill go on', () => {
    const story = tell();
    story.run();
    story.send(begin(60_000));
    story.pass(10_000, 'blocked');
    story.send({ kind: 'end', id: 't' });
    story.pass(250);
    expect(story.kills()).toHaveLength(1);
  });

  it('gives a component that comes round its life back', () => {
    const story = tell();
    story.run();
    story.send(begin(60_000));
    story.pass(10_000, 'blocked');
    story.pass(5_000, 'healthy');
    expect(story.state()).toBe('ready');
    expect(story.kills()).toEqual([]);
  });

  it('holds for trouble as well, not for a crash, nor for other work', () => {
    const story = tell();
    story.run();
    story.send(begin(60_000, 'receipt of a tender'));
    story.send({ kind: 'trouble', reason: 'sick' });
    expect(story.kills()).toHaveLength(1);
    story.send(begin(60_000));
    story.send({ kind: 'trouble', reason: 'sick' });
    story.pass(10_000, 'healthy');
    expect(story.kills()).toHaveLength(1);
    story.send(exited(1));
    story.pass(2_000);
    expect(story.lives()).toBe(3);
  });

  it('may be said again after a new connection before the kill goes on', () => {
    const story = tell();
    story.run();
    story.send(begin(60_000));
    story.send({ kind: 'trouble', reason: 'sick' });
    story.pass(1_000, 'healthy');
    story.send({ kind: 'connected' });
    story.pass(1_000);
    expect(story.kills()).toEqual([]);
    story.send({ ...begin(60_000), leftMs: 50_000 });
    story.pass(20_000);
    expect(story.kills()).toEqual([]);
  });

  it('gives way to an operator who forces a restart', () => {
    const story = tell();
    story.run();
    story.send(begin(60_000));
    story.pass(5_000, 'blocked');
    story.send({ kind: 'restart', reason: 'now', command: 'c1', force: false });
    expect(story.kills()).toEqual([]);
    story.send({ kind: 'restart', reason: 'now', command: 'c2', force: true });
    expect(story.kills()).toHaveLength(1);
    expect(story.of('command_done')).toMatchObject([{ ok: true }, { ok: true }]);
  });
});
