// Maintenances of terminals and stores: whom they mean, what tills are told, who ends what, over clocks that jump, tills
// that are away, quick hands, and a broker that is killed.

import { describe, expect, it } from 'vitest';
import { TOLD_PER_TICK_MAX } from '../../broker/maintenance/telling.ts';
import { ADA, HOUR, MINUTE, open, START, TWO } from './maintenance-rig.ts';

describe('a maintenance', () => {
  it('of a store is told to each of its tills, mutes them and ends by itself at both sides', () => {
    const it = open(TWO);
    expect(it.start('store', 's-1').ok).toBe(true);
    expect(it.sent.map(({ args }) => args['forMs'])).toEqual([HOUR, HOUR]);
    it.sent.forEach((one) => void it.answer(one));
    expect(it.told()).toEqual(['hold lane-1', 'hold lane-2']);
    expect([it.muted('lane-1'), it.muted('lane-9'), it.room.count().never]).toEqual([1, 0, 2]);
    expect(it.running()).toMatchObject([{ subject: 's-1', terminals: 2, held: 2, by: 'ada' }]);
    it.pass(HOUR - 1_000);
    expect([it.told(), it.running().length]).toEqual([[], 1]);
    it.pass(1_000);
    // The tills end it by themselves: nothing is sent.
    expect([it.told(), it.running(), it.muted('lane-1')]).toEqual([[], [], 0]);
    expect(it.room.list(5)).toMatchObject([{ ended: { by: 'broker', why: 'its time is over' } }]);
    expect(it.audit.map(({ action, operator }) => `${action} ${operator}`)).toEqual([
      ...['maintenance.start ada', 'maintenance.end broker'],
    ]);
  });

  it.each([999, 4 * HOUR + 1, Number.NaN])('of %s ms is refused', (forMs) => {
    expect(open(TWO).start('store', 's-1', forMs)).toMatchObject({ ok: false, kind: 'invalid' });
  });

  it('of what is not in the fleet, or without a reason, is refused', () => {
    const it = open(TWO);
    const strange = it.start('store', 's-7');
    expect(strange.ok ? '' : strange.reason).toContain('there is no store "s-7"');
    const wish = { scope: 'terminal', subject: 'lane-1', forMs: HOUR, actor: ADA } as const;
    expect(it.room.start({ ...wish, reason: '' })).toMatchObject({ ok: false });
    expect(it.end('terminal', 'lane-1')).toMatchObject({ ok: false, kind: 'conflict' });
  });

  it('reaches a till that comes back with what is left, and one that was rebooted again', () => {
    const it = open(TWO);
    it.away.add('lane-1');
    it.start('store', 's-1');
    it.sent.forEach((one) => void it.answer(one));
    expect(it.told()).toEqual(['hold lane-2']);
    it.pass(20 * MINUTE);
    it.away.delete('lane-1');
    it.pass(1_000);
    expect(it.sent).toMatchObject([{ terminal: 'lane-1', args: { forMs: 40 * MINUTE - 1_000 } }]);
    it.sent.forEach((one) => void it.answer(one));
    it.told();
    it.room.terminalReady('lane-2');
    it.pass(1_000);
    expect(it.told()).toEqual(['hold lane-2']);
    // One that comes and goes is told as often as who does not answer.
    for (let at = 0; at < 20; at += 1) {
      it.room.terminalReady('lane-2');
      it.pass(1_000);
    }
    expect(it.told().length).toBeLessThanOrEqual(1);
  });

  it('that a till was away for as a whole is never told, and what it was told is forgotten', () => {
    const it = open(TWO);
    it.away.add('lane-1');
    it.start('terminal', 'lane-1', MINUTE);
    it.pass(2 * MINUTE);
    it.away.delete('lane-1');
    it.pass(10 * MINUTE);
    expect(it.told()).toEqual([]);
  });

  it('mutes at once, and only those that it means, also when it is over', () => {
    const it = open(TWO);
    it.start('store', 's-1');
    expect(it.observed.splice(0)).toEqual(['lane-1', 'lane-2']);
    expect(it.room.count()).toEqual({ never: 2, online: 0, late: 0, lost: 0 });
    it.start('terminal', 'lane-1', 2 * HOUR);
    expect(it.observed.splice(0)).toEqual([]);
    it.pass(HOUR);
    expect(it.observed.splice(0)).toEqual(['lane-2']);
    it.end('terminal', 'lane-1');
    expect(it.observed.splice(0)).toEqual(['lane-1']);
  });

  it('that is ended early is ended at the till, also when that was away then', () => {
    const it = open(TWO);
    it.start('store', 's-1');
    it.sent.forEach((one) => void it.answer(one));
    it.told();
    it.away.add('lane-2');
    expect(it.end('store', 's-1').ok).toBe(true);
    expect(it.sent).toMatchObject([{ kind: 'release', terminal: 'lane-1' }]);
    it.sent.forEach((one) => void it.answer(one));
    it.told();
    it.pass(MINUTE);
    it.away.delete('lane-2');
    it.pass(1_000);
    expect(it.told()).toEqual(['release lane-2']);
  });

  it('is started and ended in quick succession, and the last word holds', () => {
    const it = open(TWO);
    for (let at = 0; at < 5; at += 1) {
      it.start('terminal', 'lane-1');
      it.end('terminal', 'lane-1');
    }
    expect(it.sent.at(-1)).toMatchObject({ kind: 'release' });
    const last = it.sent.findLast(({ kind }) => kind === 'hold')?.args['maintenance'];
    expect(it.sent.at(-1)?.args['maintenance']).toBe(last);
    // Answers come late, in their order.
    for (const one of it.sent.splice(0)) it.answer(one);
    it.pass(MINUTE);
    expect([it.told(), it.muted('lane-1')]).toEqual([[], 0]);
    it.start('terminal', 'lane-1');
    expect(it.told()).toEqual(['hold lane-1']);
  });

  it('is tried again when a till does not take it, or too many wait for it already', () => {
    const it = open(TWO);
    it.start('terminal', 'lane-1');
    it.sent.forEach((one) => void it.answer(one, 'expired'));
    it.told();
    it.pass(5_000);
    expect(it.told()).toEqual([]);
    it.refuse('32 commands are not finished yet');
    it.pass(30_000);
    it.refuse(undefined);
    it.pass(30_000);
    expect(it.told()).toEqual(['hold lane-1']);
  });

  it('of a terminal and of its store do not end each other: the longer one holds', () => {
    const it = open(TWO);
    it.start('terminal', 'lane-1', 2 * HOUR);
    it.start('store', 's-1', HOUR);
    const own = it.sent[0]?.args['maintenance'];
    expect(it.told()).toEqual(['hold lane-1', 'hold lane-2']);
    it.end('store', 's-1');
    expect(it.told()).toEqual(['release lane-2']);
    it.start('store', 's-1', 3 * HOUR);
    expect(it.sent.filter(({ terminal }) => terminal === 'lane-1')).toMatchObject([
      { kind: 'hold', args: { forMs: 3 * HOUR } },
    ]);
    it.told();
    it.end('store', 's-1');
    // What is left of its own replaces it; nothing is released.
    expect(it.sent.filter(({ terminal }) => terminal === 'lane-1')).toMatchObject([
      { kind: 'hold', args: { maintenance: own } },
    ]);
  });

  it('that ends at the same moment as another is told anew when the other is ended', () => {
    const it = open(TWO);
    it.start('terminal', 'lane-1');
    it.start('store', 's-1');
    const [, second] = it.running();
    it.sent.forEach((one) => void it.answer(one));
    it.told();
    it.end('terminal', 'lane-1');
    expect(it.sent).toMatchObject([{ kind: 'hold', args: { maintenance: second?.id } }]);
  });

  it('started again replaces the one before', () => {
    const it = open(TWO);
    it.start('terminal', 'lane-1', HOUR);
    it.start('terminal', 'lane-1', 2 * HOUR);
    expect(it.running()).toHaveLength(1);
    expect(it.sent.map(({ args }) => args['forMs'])).toEqual([HOUR, 2 * HOUR]);
    expect(it.room.list(5)[1]?.ended?.why).toContain('replaced');
  });

  it('is not longer because the clock of the broker was put back, nor shorter when it was put forward', () => {
    for (const jump of [-2 * HOUR, 5 * HOUR]) {
      const it = open(TWO);
      it.start('terminal', 'lane-1', HOUR);
      it.time.wall += jump;
      it.pass(30 * MINUTE);
      // The time of day is the one that clocks show by now.
      expect(it.running()).toMatchObject([{ untilMs: it.time.wall + 30 * MINUTE }]);
      it.pass(29 * MINUTE);
      expect(it.running()).toHaveLength(1);
      it.pass(MINUTE);
      expect([it.running(), it.room.count().never]).toEqual([[], 0]);
    }
  });

  it('goes on in a broker that was killed, and ends what it had told', () => {
    const first = open(TWO);
    first.start('store', 's-1', HOUR);
    first.sent.forEach((one) => void first.answer(one));
    const next = open(TWO, { database: first.database, wall: START + 20 * MINUTE });
    expect(next.running()).toMatchObject([{ subject: 's-1', terminals: 2 }]);
    next.pass(1_000);
    expect(next.sent).toMatchObject([{ args: { forMs: 40 * MINUTE - 1_000 } }, {}]);
    next.sent.forEach((one) => void next.answer(one));
    next.told();
    next.away.add('lane-1');
    next.end('store', 's-1');
    const third = open(TWO, { database: first.database, wall: next.time.wall });
    third.pass(1_000);
    expect(third.told()).toEqual(expect.arrayContaining(['release lane-1']));
  });

  it('is no longer than its ceiling in a broker whose clock was put back while it was down', () => {
    const first = open(TWO);
    first.start('store', 's-1', HOUR);
    const next = open(TWO, { database: first.database, wall: START - 48 * HOUR });
    next.pass(HOUR);
    expect(next.running()).toEqual([]);
  });

  it('of ten thousand tills goes out in portions', () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`t-${at}`, 's-1']));
    const it = open(many);
    it.start('store', 's-1');
    expect(it.sent).toHaveLength(TOLD_PER_TICK_MAX);
    it.pass(1_000);
    expect(it.sent.length).toBeLessThanOrEqual(7 * TOLD_PER_TICK_MAX);
    expect(new Set(it.sent.map(({ terminal }) => terminal)).size).toBe(it.sent.length);
    expect(it.room.count().never).toBe(10_000);
  });
});
