// Stories about proofs beyond beats and threads: no progress, the same frame twice, a starved machine, a debugger of
// the language, and a remote party.

import { describe, expect, it } from 'vitest';
import type { Policy } from '../../agent/watchdog/model.ts';
import { type Story, type Thread, tell } from './watchdog-story.ts';

function started(changes: Partial<Policy> = {}): Story {
  const story = tell(changes);
  story.run();
  return story;
}

describe('no progress', () => {
  const scrapes = (story: Story, count: number, said: { done: number; down?: boolean }) => {
    for (let round = 0; round < count; round += 1) {
      story.pass(15_000, 'healthy', () => story.kills().length > 0);
      const remoteDown = said.down ?? false;
      story.send({ kind: 'progress', waiting: 7, completed: said.done, remoteDown });
    }
  };

  it('is suspect when work waits and none was completed, and confirmed at twice that', () => {
    const story = started();
    scrapes(story, 9, { done: 3 });
    story.pass(250);
    expect(story.state()).toBe('suspect');
    scrapes(story, 7, { done: 3 });
    expect(story.kills()).toEqual([]);
    scrapes(story, 2, { done: 3 });
    expect(story.kills()).toHaveLength(1);
    expect(story.reports('incident_opened')).toMatchObject([
      {
        cause: 'stalled',
        reason: 'work waits and none was completed for 240.3 s',
        evidence: { proofs: ['no_progress'] },
      },
    ]);
  });

  it('with a second proof is confirmed at once', () => {
    const story = started();
    story.send({ kind: 'begin', id: 'w', name: 'upload', deadlineMs: 120_000 });
    scrapes(story, 9, { done: 3 });
    expect(story.kills()).toHaveLength(1);
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'stalled', evidence: { proofs: ['no_progress', 'overdue_work'] } },
    ]);
  });

  it('is none while something is completed, nothing waits, or a remote party is away', () => {
    const story = started();
    for (let done = 0; done < 40; done += 1) scrapes(story, 1, { done });
    scrapes(story, 40, { done: 99, down: true });
    story.send({ kind: 'progress', waiting: 0, completed: 99, remoteDown: false });
    story.pass(600_000, 'healthy');
    expect(story.state()).toBe('ready');
    expect(story.reports('component_state')).toEqual([]);
  });
});

describe('the same frame', () => {
  const frames = (story: Story, first: string, second: string): void => {
    story.hands.collects = false;
    story.hands.samples = false;
    story.pass(10_000, 'blocked', () => story.of('collect_evidence').length > 0);
    story.pass(4_000, 'blocked', () => story.state() === 'suspect' && story.kills().length > 0);
    story.send({ kind: 'evidence', phase: 'suspect', summary: {}, topFrame: first });
    story.pass(4_000, 'blocked', () => story.of('collect_evidence').length > 1);
    story.send({ kind: 'evidence', phase: 'suspect', summary: {}, topFrame: second });
  };

  it('in two looks at a silent main thread is the second proof', () => {
    const story = started();
    frames(story, 'total (sale.js:10)', 'total (sale.js:10)');
    story.hands.collects = true;
    const silent = () => story.now() - story.model().watch.beatAt;
    story.pass(3_000, 'blocked', () => story.kills().length > 0);
    expect(story.kills()).toHaveLength(1);
    expect(silent()).toBeLessThan(10_000);
    expect(story.reports('incident_opened')).toMatchObject([
      { cause: 'hang', evidence: { proofs: ['missed_beats', 'same_frame'] } },
    ]);
  });

  it('in one look and another one in the other is none', () => {
    const story = started();
    frames(story, 'total (sale.js:10)', 'round (sale.js:20)');
    expect(story.model().watch.sameFrame).toBe(false);
    story.pass(1_500, 'blocked');
    const early = story.of('collect_evidence').filter(({ phase }) => phase === 'suspect');
    expect(early).toHaveLength(2);
  });

  it('of a main thread that beats proves nothing: it is always found in its timer', () => {
    const story = started();
    for (let look = 0; look < 5; look += 1) {
      story.pass(2_000, 'healthy');
      story.send({ kind: 'begin', id: 'w', name: 'pay', deadlineMs: 1_000 });
      story.pass(1_250, 'healthy');
      story.send({
        kind: 'evidence',
        phase: 'suspect',
        summary: {},
        topFrame: 'tick (timer.js:1)',
      });
    }
    expect(story.model().watch.frame).toBeUndefined();
  });

  it('is told beside other proofs, and is part of the signature', () => {
    const story = started();
    story.hands.collects = false;
    story.pass(1_500, 'blocked');
    story.send({ kind: 'evidence', phase: 'suspect', summary: {}, topFrame: 'f (a.js:1)' });
    story.pass(500);
    story.send({ kind: 'evidence', phase: 'confirmed', summary: {}, topFrame: 'f (a.js:1)' });
    expect(story.reports('incident_opened')).toMatchObject([
      { evidence: { proofs: ['missed_beats', 'thread_blocked', 'same_frame'] } },
    ]);
    expect(story.reports('recovery')[0]?.['signature']).toContain('f (a.js:1)');
  });
});

describe('a starved machine', () => {
  const press = (story: Story, ms: number, as: Thread, cpuSome = 95): void => {
    for (let at = 0; at < ms; at += 1_000) {
      story.send({ kind: 'pressure', cpuSome });
      story.pass(1_000, as);
    }
  };

  it('is given twice each deadline, and suspected as ever', () => {
    const story = started();
    press(story, 2_000, 'blocked');
    expect(story.state()).toBe('suspect');
    expect(story.of('collect_evidence')).toMatchObject([{ phase: 'suspect' }]);
    press(story, 1_000, 'blocked');
    expect(story.kills()).toEqual([]);
    press(story, 1_000, 'blocked');
    expect(story.kills()).toHaveLength(1);
    expect(story.reports('incident_opened')[0]?.['reason']).toContain('no beat for 4.0 s');
  });

  it('counts overdue work twice as long too', () => {
    const story = started();
    story.send({ kind: 'begin', id: 'w', name: 'pay', deadlineMs: 10_000 });
    press(story, 39_000, 'healthy');
    expect(story.kills()).toEqual([]);
    press(story, 2_000, 'healthy');
    expect(story.kills()).toHaveLength(1);
  });

  it('is no longer starved a while after it was last told so, nor below the threshold', () => {
    const story = started();
    press(story, 5_000, 'healthy');
    story.pass(3_500, 'healthy');
    story.pass(2_000, 'blocked');
    expect(story.kills()).toHaveLength(1);
    const calm = started();
    press(calm, 2_000, 'blocked', 79);
    expect(calm.kills()).toHaveLength(1);
  });
});

describe('a debugger of its own language', () => {
  it('that is found with the evidence ends the suspicion, for as long as it is there', () => {
    const story = started();
    story.hands.collects = false;
    for (let round = 0; round < 10; round += 1) {
      const looks = story.of('collect_evidence').length;
      story.pass(20_000, 'blocked', () => story.of('collect_evidence').length > looks);
      story.send({ kind: 'debugged' });
      story.send({ kind: 'evidence', summary: {}, phase: 'suspect' });
      expect(story.state()).toBe('ready');
    }
    expect(story.kills()).toEqual([]);
    story.pass(14_000, 'blocked');
    expect(story.kills()).toHaveLength(1);
  });

  it('is looked for again only after a while', () => {
    const story = started();
    story.hands.collects = false;
    for (let round = 0; round < 240; round += 1) {
      const looks = story.of('collect_evidence').length;
      story.pass(250, 'blocked');
      if (story.of('collect_evidence').length > looks) story.send({ kind: 'debugged' });
    }
    expect(story.of('collect_evidence').length).toBeLessThanOrEqual(6);
    expect(story.kills()).toEqual([]);
  });

  it('that comes with the second evidence still is in time', () => {
    const story = started();
    story.hands.collects = false;
    story.pass(2_000, 'blocked');
    story.send({ kind: 'debugged' });
    story.send({ kind: 'evidence', summary: {}, phase: 'confirmed' });
    expect(story.kills()).toEqual([]);
    expect(story.state()).toBe('ready');
  });

  it('stops the clock of a start', () => {
    const story = tell();
    story.hands.becomesReady = false;
    story.send({ kind: 'start', reason: 'first start' });
    for (let round = 0; round < 10; round += 1) {
      story.pass(8_000, 'healthy');
      story.send({ kind: 'debugged' });
    }
    expect(story.kills()).toEqual([]);
  });
});

describe('a remote party that is away', () => {
  const away = { kind: 'trouble', reason: 'the bank does not answer', remote: true } as const;

  it('is told once in a while, and nothing is done about it', () => {
    const story = started();
    for (let minute = 0; minute < 15; minute += 1) {
      story.send(away);
      story.pass(60_000, 'healthy');
    }
    expect(story.kills()).toEqual([]);
    expect(story.state()).toBe('ready');
    const told = story.reports('component_state');
    expect(told).toHaveLength(2);
    expect(told[0]).toMatchObject({
      from: 'ready',
      to: 'ready',
      reason: 'a remote party is to blame, no restart would help: the bank does not answer',
    });
  });

  it('gives a start its time, and what fails then never climbs', () => {
    const rungs = [{ rung: 'all', times: 2, windowMs: 900_000, coolDownMs: 0 }] as const;
    const story = tell({ restartsMax: 1, rungs });
    story.hands.becomesReady = false;
    story.send({ kind: 'start', reason: 'first start' });
    for (let round = 0; round < 60; round += 1) {
      story.pass(5_000, 'healthy');
      story.send(away);
    }
    expect(story.kills().length).toBeGreaterThan(1);
    expect(story.kills()[0]?.at).toBe(1_000 + 60_000);
    expect(story.of('escalate')).toEqual([]);
    expect(story.model().restarts).toEqual([]);
  });
});
