// What recurring windows do: once for each store and date, never where somebody works, and never without a word.

import { describe, expect, it } from 'vitest';
import type { WindowWish } from '../../broker/maintenance/calendar.ts';
import { ADA, HOUR, MINUTE, open, START, TWO } from './maintenance-rig.ts';

describe('a recurring window', () => {
  const weekly = {
    ...{ name: 'weekly', where: { all: true }, at: 'sun 03:00', forMs: HOUR },
    ...{ action: 'reboot', reason: 'patches', actor: ADA },
  } as WindowWish;

  it('reboots each store once, by one bulk action, and says what it did', () => {
    const it = open(TWO);
    expect(it.room.windows.add(weekly)).toMatchObject({
      ok: true,
      window: { stores: 2, next: { atMs: START + 90 * MINUTE, zone: 'Europe/Berlin' } },
    });
    it.pass(89 * MINUTE);
    expect(it.bulks.size).toBe(0);
    it.pass(MINUTE);
    it.pass(MINUTE);
    expect([...it.bulks.values()]).toMatchObject([
      { kind: 'reboot', terminals: ['lane-1', 'lane-2', 'lane-9'], state: 'running' },
    ]);
    const next = open(TWO, { database: it.database, wall: it.time.wall });
    next.pass(MINUTE);
    expect(next.bulks.size).toBe(0);
    expect(next.room.windows.list()[0]?.runs).toMatchObject([
      { store: 's-1', date: '2026-01-25', state: 'started' },
      { store: 's-2', date: '2026-01-25', state: 'started' },
    ]);
    expect(it.audit.map(({ action }) => action)).toContain('maintenance.window.started');
  });

  it('lets a store alone that is in another maintenance, and does it once that is over', () => {
    const it = open(TWO);
    it.room.windows.add(weekly);
    it.start('store', 's-1', 100 * MINUTE);
    it.start('terminal', 'lane-9', 4 * HOUR);
    it.pass(91 * MINUTE);
    // lane-9 alone stands in s-2, and somebody works on it.
    expect([...it.bulks.values()]).toEqual([]);
    it.pass(10 * MINUTE);
    expect([...it.bulks.values()]).toMatchObject([{ terminals: ['lane-1', 'lane-2'] }]);
  });

  it('that a maintenance kept from running the whole time is missed, and says why', () => {
    const it = open(TWO);
    it.room.windows.add(weekly);
    it.start('store', 's-1', 4 * HOUR);
    it.pass(91 * MINUTE);
    it.pass(2 * HOUR);
    const run = it.room.windows.list()[0]?.runs.find(({ store }) => store === 's-1');
    expect(run).toMatchObject({ state: 'missed', why: expect.stringContaining('by ada') });
  });

  it('waits where too many bulk actions are open, and runs while it lasts', () => {
    const it = open(TWO);
    it.room.windows.add(weekly);
    it.refuse('20 bulk actions are not over');
    it.pass(91 * MINUTE);
    it.refuse(undefined);
    it.pass(MINUTE);
    expect(it.bulks.size).toBe(1);
  });

  it('that observes is a maintenance of each store until the window is over', () => {
    const it = open(TWO);
    it.room.windows.add({ ...weekly, action: 'observe' });
    it.pass(100 * MINUTE);
    expect(it.running()).toMatchObject([
      { subject: 's-1', by: 'broker', window: 'weekly' },
      { subject: 's-2' },
    ]);
    it.pass(49 * MINUTE);
    expect(it.running()).toHaveLength(2);
    it.pass(MINUTE);
    expect(it.running()).toEqual([]);
  });

  it.each([
    [{ at: 'someday' }, /say days and a time/],
    [{ name: 'Weekly!' }, /name/],
    [{ where: {} }, /which stores/],
    [{ where: { stores: ['s-7'] } }, /no store "s-7"/],
    [{ where: { all: true, region: 'n' } }, /one of/],
    [{ forMs: 5 * HOUR }, /4 hours/],
    [{ reason: '' }, /reason/],
  ])('is refused with %j', (wrong, sentence) => {
    const answer = open(TWO).room.windows.add({ ...weekly, ...wrong } as WindowWish);
    expect(answer.ok ? '' : answer.reason).toMatch(sentence);
  });

  it('has its name once, and is removed with a reason', () => {
    const it = open(TWO);
    it.room.windows.add(weekly);
    expect(it.room.windows.add(weekly)).toMatchObject({ ok: false, kind: 'conflict' });
    expect(it.room.windows.remove('weekly', ADA, '')).toMatchObject({ ok: false });
    expect(it.room.windows.remove('weekly', ADA, 'no more').ok).toBe(true);
    expect(it.room.windows.remove('weekly', ADA, 'no more')).toMatchObject({ ok: false });
    it.pass(91 * MINUTE);
    expect(it.bulks.size).toBe(0);
  });
});
