// Times of a store far away, as people type and read them.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { localClock, localDay, localStamp, parseWhen } from '../../cli/when.ts';
import { isZone, momentOf, offsetText, wallOf } from '../../cli/zone.ts';

const NOON = Date.UTC(2026, 10, 23, 12);

describe('a time in a zone', () => {
  it('is the wall clock of the store', () => {
    expect(localStamp(NOON, 'Europe/Berlin')).toBe('2026-11-23T13:00:00.000+01:00');
    expect(localStamp(NOON, 'America/St_Johns')).toBe('2026-11-23T08:30:00.000-03:30');
    expect(localStamp(NOON, 'UTC')).toBe('2026-11-23T12:00:00.000+00:00');
    expect([localDay(NOON, 'Pacific/Auckland'), localClock(NOON, 'Pacific/Auckland')]).toEqual([
      '2026-11-24',
      '01:00:00.000',
    ]);
  });
  it('is read as such, or as UTC where it says so', () => {
    const read = (text: string) => parseWhen('--since', text, NOON, 'Europe/Berlin');
    expect(read('11:30')).toEqual({ ok: true, value: NOON - 90 * 60_000 });
    expect(read('11:30Z')).toEqual({ ok: true, value: NOON - 30 * 60_000 });
    expect(read('2026-11-23 13:00')).toEqual({ ok: true, value: NOON });
    expect(read('2026-11-23')).toEqual({ ok: true, value: NOON - 13 * 3_600_000 });
    expect(read('2026-11-23T12:00Z')).toEqual({ ok: true, value: NOON });
    expect(read('2026-11-23T12:00+02:00')).toEqual({ ok: true, value: NOON - 7_200_000 });
    // Still to come in that zone: yesterday's.
    expect(read('13:30')).toEqual({ ok: true, value: NOON - 84_600_000 });
  });
  it('comes back as it was, but for the hour that a clock is put back or forward', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe'];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), fc.constantFrom(...zones), (ms, zone) => {
        const wall = wallOf(ms, zone).getTime();
        const back = momentOf(wall, zone);
        expect(wallOf(back, zone).getTime()).toBe(wall);
        expect(Math.abs(back - ms)).toBeLessThanOrEqual(3_600_000);
      }),
    );
  });
  it('that a clock shows twice is the first of the two', () => {
    const at = Date.UTC(2026, 9, 25, 2, 30);
    expect(momentOf(at, 'Europe/Berlin')).toBe(Date.UTC(2026, 9, 25, 0, 30));
  });
  it('that a clock never shows is as much later', () => {
    const at = Date.UTC(2026, 2, 29, 2, 30);
    expect(wallOf(momentOf(at, 'Europe/Berlin'), 'Europe/Berlin').getUTCHours()).toBe(3);
  });
  it('of a zone that nobody knows is UTC', () => {
    expect([isZone('Mars/Olympus'), isZone('Europe/Berlin')]).toEqual([false, true]);
    expect(offsetText(NOON, 'Mars/Olympus')).toBe('+00:00');
  });
});
