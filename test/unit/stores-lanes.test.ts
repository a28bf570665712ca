import { describe, expect, it } from 'vitest';
import { lanesExpectedOf } from '../../broker/stores/expected.ts';
import type { StoreText } from '../../broker/stores/shape.ts';
import { decodeMetricColumns } from '../../protocol/metric-columns.ts';
import { must } from './fleet-rig.ts';
import { ADA, open, REASON, store } from './stores-rig.ts';

const lanes = (id: string): string[] => [1, 2, 3, 4].map((n) => `${id}-${n}`);
const week = (daily: string): Readonly<Record<string, string>> => ({ daily });
const fleet: readonly StoreText[] = [
  // Open across the night in which clocks change.
  store('night', { hours: week('22:00-02:30'), terminals: lanes('night') }),
  store('plain', { hours: { 'mon-sat': '08:00-20:00', sun: 'closed' }, terminals: lanes('plain') }),
  store('always', { hours: week('always'), lanes: 2, terminals: lanes('always') }),
  store('late', { hours: { sat: '18:00-03:00', sun: 'closed' }, terminals: lanes('late') }),
  store('dated', {
    ...{ hours: week('08:00-20:00'), terminals: lanes('dated') },
    exceptions: [{ from: '2026-12-24', to: '2026-12-24', hours: '08:00-14:00' }],
  }),
  store('boston', {
    ...{ timeZone: 'America/New_York', hours: week('00:30-01:30'), terminals: lanes('boston') },
  }),
  // Half an hour of daylight saving, in the other half of the year.
  store('howe', {
    ...{ timeZone: 'Australia/Lord_Howe', hours: week('01:00-02:00'), terminals: lanes('howe') },
  }),
  store('unknown', { terminals: lanes('unknown') }),
];

type Row = readonly [store: string, what: string, at: string, expected: number];
/** Times in UTC; Berlin is one hour ahead in winter and two in summer. */
const CASES: readonly Row[] = [
  ['night', 'clocks forward: before', '2026-03-29T00:59:00Z', 4],
  [
    'night',
    'clocks forward: 02:30 does not exist, and closing is as long after',
    '2026-03-29T01:29:00Z',
    4,
  ],
  ['night', 'clocks forward: closed after four and a half hours', '2026-03-29T01:30:00Z', 0],
  ['night', 'clocks back: open until the first 02:30', '2026-10-25T00:29:59Z', 4],
  ['night', 'clocks back: closed at the first 02:30', '2026-10-25T00:30:00Z', 0],
  ['night', 'clocks back: not open again at the second 02:15', '2026-10-25T01:15:00Z', 0],
  ['plain', 'the day of the change in spring: closed on Sunday', '2026-03-29T10:00:00Z', 0],
  ['plain', 'the day before: opens at eight of winter', '2026-03-28T07:00:00Z', 4],
  ['plain', 'the day after: opens at eight of summer', '2026-03-30T06:00:00Z', 4],
  ['plain', 'the day after: a minute earlier', '2026-03-30T05:59:00Z', 0],
  ['plain', 'after the change in autumn: eight of winter', '2026-10-26T07:00:00Z', 4],
  ['plain', 'after the change in autumn: not yet', '2026-10-26T06:59:00Z', 0],
  ['plain', 'a Sunday', '2026-06-14T10:00:00Z', 0],
  ['plain', 'closing time', '2026-06-10T18:00:00Z', 0],
  ['plain', 'a second before', '2026-06-10T17:59:59Z', 4],
  ['always', 'noon, and two lanes of four terminals', '2026-06-10T10:00:00Z', 2],
  ['always', 'midnight', '2026-06-09T22:00:00Z', 2],
  ['always', 'in the hour that does not exist', '2026-03-29T01:00:00Z', 2],
  ['always', 'in the hour that comes twice', '2026-10-25T01:00:00Z', 2],
  ['late', 'Saturday evening', '2026-06-13T16:00:00Z', 4],
  ['late', 'behind midnight, on the Sunday on which it is closed', '2026-06-14T00:59:00Z', 4],
  ['late', 'closing', '2026-06-14T01:00:00Z', 0],
  ['late', 'the evening of that Sunday', '2026-06-14T17:00:00Z', 0],
  ['dated', 'the exception: open in the morning', '2026-12-24T12:59:00Z', 4],
  ['dated', 'the exception: closed in the afternoon', '2026-12-24T13:00:00Z', 0],
  ['dated', 'the day after', '2026-12-25T13:00:00Z', 4],
  ['boston', 'clocks back at two: the first half past one ends it', '2026-11-01T05:29:00Z', 4],
  ['boston', 'clocks back at two: closed', '2026-11-01T05:30:00Z', 0],
  ['boston', 'clocks back at two: the second one o’clock is not open', '2026-11-01T06:15:00Z', 0],
  ['howe', 'clocks back by half an hour at two: before', '2026-04-04T14:59:00Z', 4],
  ['howe', 'clocks back by half an hour: it is not two yet', '2026-04-04T15:15:00Z', 4],
  ['howe', 'clocks back by half an hour: two', '2026-04-04T15:30:00Z', 0],
  ['unknown', 'nothing is known of its hours', '2026-06-10T10:00:00Z', 0],
];

/** As they are in the ledger's own lane, by name and store. */
function seriesOf(bodies: readonly Uint8Array[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const body of bodies) {
    for (const { name, labels, values } of must(decodeMetricColumns(body, { ownLabels: true }))
      .series) {
      const of = labels[labels.indexOf('store') + 1] ?? '';
      if (name.startsWith('pos_store_')) found.set(`${name} ${of}`, values[0] ?? Number.NaN);
    }
  }
  return found;
}

describe('lanes that should sell now', () => {
  it.each(CASES)('of %s: %s', (id, _what, when, expected) => {
    const { apply, at, rooms } = open();
    expect(apply(fleet)).toMatchObject({ ok: true, plan: { applied: true } });
    at(when);
    const now = Date.parse(when);
    const isOpen = id === 'unknown' ? undefined : expected !== 0;
    expect(rooms.stores.isOpen(id, now)).toBe(isOpen);
    expect(rooms.stores.lanesExpected(id, now)).toBe(expected);
    expect(rooms.stores.get(id)).toMatchObject({ open: isOpen, lanesExpected: expected });
  });

  const forMs = 2 * 3_600_000;
  const start = (scope: 'store' | 'terminal', subject: string) => ({
    ...{ scope, subject, forMs, reason: REASON, actor: ADA },
  });

  it('of a store in maintenance: none, and all again when it has ended by itself', () => {
    const { apply, rooms, back, at } = open();
    apply(fleet);
    const expected = () => rooms.stores.get('plain')?.lanesExpected;
    expect(rooms.maintenances.start(start('store', 'plain'))).toMatchObject({ ok: true });
    expect(expected()).toBe(0);
    expect(rooms.stores.get('plain')?.open).toBe(true);
    at('2026-06-10T12:00:00Z');
    back.time.pass(1_000);
    expect(expected()).toBe(4);
  });

  it('of a store with a terminal in maintenance: one fewer, unless it has one to spare', () => {
    const { apply, rooms } = open();
    apply(fleet);
    const expected = (id: string) => rooms.stores.get(id)?.lanesExpected;
    for (const id of ['plain-1', 'always-1', 'always-2']) {
      rooms.maintenances.start(start('terminal', id));
    }
    expect([expected('plain'), expected('always')]).toEqual([3, 2]);
    rooms.maintenances.start(start('terminal', 'always-3'));
    expect(expected('always')).toBe(1);
    rooms.maintenances.end({ ...start('terminal', 'always-3') });
    expect(expected('always')).toBe(2);
  });

  it('stand in the series of a store, with whether it is open; of unknown hours neither does', () => {
    const { apply, rooms, back } = open();
    apply(fleet);
    rooms.maintenances.start(start('terminal', 'plain-1'));
    rooms.maintenances.start(start('store', 'late'));
    back.time.pass(2_000);
    const series = seriesOf(back.ledger.own);
    const of = (name: string, id: string) => series.get(`pos_store_${name} ${id}`);
    expect(of('open', 'plain')).toBe(1);
    expect(of('lanes_expected', 'plain')).toBe(3);
    expect([of('open', 'late'), of('lanes_expected', 'late')]).toEqual([0, 0]);
    expect([of('maintenance', 'late'), of('maintenance', 'plain')]).toEqual([1, 0]);
    expect(of('info', 'unknown')).toBe(1);
    expect([of('open', 'unknown'), of('lanes_expected', 'unknown')]).toEqual([
      undefined,
      undefined,
    ]);
    expect(rooms.stores.counts()).toEqual({ open: 3, closed: 4, unknown: 1 });
  });
});

it('no lane is expected of a store in maintenance, also where more are wanted than stand there', () => {
  const known = { open: true, lanes: 5, standing: 3, maintained: 3, isMaintained: true };
  expect(lanesExpectedOf(known)).toBe(0);
  expect(lanesExpectedOf({ ...known, isMaintained: false })).toBe(2);
});
