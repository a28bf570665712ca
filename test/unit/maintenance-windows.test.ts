// Recurring windows in the local time of each store: days and times as people write them, both changes of daylight
// saving, midnight, a broker that was down, clocks that go back, and never twice on one date.

import { describe, expect, it } from 'vitest';
import {
  atText,
  dueWindows,
  nextOf,
  readAt,
  runKey,
  type Window,
  type WindowStore,
} from '../../broker/maintenance/windows.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const at = (text: string): number => Date.parse(text);

const berlin: WindowStore = {
  ...{ id: 'berlin', zone: 'Europe/Berlin', region: 'east', labels: ['pilot'] },
};
const lisbon: WindowStore = { ...berlin, id: 'lisbon', zone: 'Europe/Lisbon', region: 'west' };
const nowhere: WindowStore = { ...berlin, id: 'nowhere', zone: undefined };

function window(begins: string, more: Partial<Window> = {}): Window {
  const read = readAt(begins);
  if (!read.ok) throw new Error(read.reason);
  return {
    ...{ name: 'nightly', where: { all: true }, ...read.value, forMs: 30 * MINUTE },
    ...{ action: 'reboot', by: 'ada', reason: 'patches', addedMs: 0 },
    ...more,
  };
}
const never = () => false;
const dueAt = (
  of: Window,
  ms: number,
  stores = [berlin],
  ran = never as (key: string) => boolean,
) => dueWindows([of], stores, ran, ms).due.map(({ store, date }) => `${store} ${date}`);

describe('when a window begins', () => {
  it.each([
    ['sun 03:00', 'sun 03:00'],
    ['Mon,Thu 22:30', 'mon,thu 22:30'],
    ['mon-fri 04:15', 'mon,tue,wed,thu,fri 04:15'],
    ['fri-mon 5:05', 'mon,fri,sat,sun 05:05'],
    ['daily 00:00', 'daily 00:00'],
  ])('can be written as %s', (text, shown) => {
    const read = readAt(text);
    expect(read.ok ? atText(read.value) : read.reason).toBe(shown);
  });

  it.each(['', 'sun', '03:00', 'someday 03:00', 'sun 24:00', 'sun 03:60', 'mon-tue-wed 1:00'])(
    'cannot be written as "%s"',
    (text) => expect(readAt(text)).toMatchObject({ ok: false, reason: /say days and a time/ }),
  );
});

describe('a window', () => {
  it('is due in the local time of each store, from its beginning to its end', () => {
    const sunday = window('sun 03:00');
    // The 25th of January 2026 is a Sunday; Berlin is an hour ahead of Lisbon.
    expect(dueAt(sunday, at('2026-01-25T01:59:59Z'), [berlin, lisbon])).toEqual([]);
    expect(dueAt(sunday, at('2026-01-25T02:00:00Z'), [berlin, lisbon])).toEqual([
      'berlin 2026-01-25',
    ]);
    expect(dueAt(sunday, at('2026-01-25T03:00:00Z'), [berlin, lisbon])).toEqual([
      'lisbon 2026-01-25',
    ]);
    expect(dueAt(sunday, at('2026-01-25T03:30:00Z'), [berlin, lisbon])).toEqual([]);
    expect(dueAt(sunday, at('2026-01-26T02:00:00Z'))).toEqual([]);
  });

  it('means one of: named stores, a region, a label, all; nothing is due where no zone is known', () => {
    const now = at('2026-01-25T02:10:00Z');
    const of = (where: Window['where']) =>
      dueAt(window('daily 03:00', { where }), now, [berlin, nowhere]);
    expect(of({ stores: ['berlin'] })).toHaveLength(1);
    expect(of({ region: 'east' })).toHaveLength(1);
    expect(of({ label: 'pilot' })).toHaveLength(1);
    expect(of({ all: true })).toHaveLength(1);
    expect(of({ region: 'west' })).toEqual([]);
    expect(of({ stores: ['nowhere'] })).toEqual([]);
  });

  it('begins once in the night in which clocks are put forward over it', () => {
    // 02:30 does not exist on the 29th of March 2026 in Berlin: it is as much after the change, 03:30.
    const spring = window('daily 02:30');
    expect(dueAt(spring, at('2026-03-29T01:29:00Z'))).toEqual([]);
    expect(dueAt(spring, at('2026-03-29T01:30:00Z'))).toEqual(['berlin 2026-03-29']);
    expect(dueAt(spring, at('2026-03-30T00:30:00Z'))).toEqual(['berlin 2026-03-30']);
  });

  it('begins once in the night in which an hour comes twice', () => {
    // 02:30 comes at 00:30Z and at 01:30Z on the 25th of October 2026 in Berlin.
    const autumn = window('daily 02:30');
    expect(dueAt(autumn, at('2026-10-25T00:30:00Z'))).toEqual(['berlin 2026-10-25']);
    expect(dueAt(autumn, at('2026-10-25T01:30:00Z'))).toEqual([]);
  });

  it.each(['2026-03-28', '2026-10-24'])(
    'runs once on each local date, looked at each minute over the change after %s',
    (from) => {
      const daily = window('daily 02:30');
      const ran: string[] = [];
      for (let ms = at(`${from}T00:00:00Z`), end = ms + 72 * HOUR; ms < end; ms += MINUTE) {
        const { due } = dueWindows([daily], [berlin], (key) => ran.includes(key), ms);
        ran.push(...due.map(({ store, date }) => runKey({ window: 'nightly', store, date })));
      }
      expect(new Set(ran).size).toBe(ran.length);
      expect(ran).toHaveLength(3);
    },
  );

  it('goes over midnight and belongs to the date on which it began', () => {
    const late = window('sun 23:30', { forMs: 2 * HOUR });
    expect(dueAt(late, at('2026-01-26T00:10:00Z'))).toEqual(['berlin 2026-01-25']);
    expect(dueAt(late, at('2026-01-26T00:30:00Z'))).toEqual([]);
  });

  it('runs late within its duration after a broker was down, and is missed after it', () => {
    const sunday = window('sun 03:00');
    expect(dueAt(sunday, at('2026-01-25T02:29:59Z'))).toHaveLength(1);
    const after = dueWindows([sunday], [berlin], never, at('2026-01-25T09:00:00Z'));
    expect([after.due, after.missed.map(({ date }) => date)]).toEqual([[], ['2026-01-25']]);
    // What was missed long ago is told to nobody.
    expect(dueWindows([sunday], [berlin], never, at('2026-01-29T09:00:00Z')).missed).toEqual([]);
  });

  it('is not due for what had begun before it was added', () => {
    const added = window('sun 03:00', { addedMs: at('2026-01-25T02:05:00Z') });
    const { due, missed } = dueWindows([added], [berlin], never, at('2026-01-25T02:10:00Z'));
    expect([due, missed]).toEqual([[], []]);
    expect(dueAt(added, at('2026-02-01T02:00:00Z'))).toHaveLength(1);
  });

  it('is not due again on a date that it had, whatever the clock does', () => {
    const daily = window('daily 03:00');
    const ran = new Set<string>();
    const runAt = (ms: number) => {
      const { due } = dueWindows([daily], [berlin], (key) => ran.has(key), ms);
      for (const { store, date } of due) ran.add(runKey({ window: 'nightly', store, date }));
      return due.length;
    };
    expect(runAt(at('2026-01-25T02:00:00Z'))).toBe(1);
    expect(runAt(at('2026-01-26T02:00:00Z'))).toBe(1);
    // Put back by a day, and by an hour.
    expect(runAt(at('2026-01-25T02:10:00Z'))).toBe(0);
    expect(runAt(at('2026-01-26T02:20:00Z'))).toBe(0);
    expect(runAt(at('2026-01-27T02:00:00Z'))).toBe(1);
  });

  it('says when it begins next', () => {
    const sunday = window('sun 03:00');
    const next = nextOf(sunday, 'Europe/Berlin', at('2026-03-28T12:00:00Z'));
    // The change is at two: three is an hour sooner.
    expect(next).toBe(at('2026-03-29T01:00:00Z'));
    expect(nextOf(sunday, 'Europe/Berlin', next ?? 0)).toBe(at('2026-04-05T01:00:00Z'));
  });
});
