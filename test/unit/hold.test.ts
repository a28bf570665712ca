// Holding a till: bounded, ends by itself, goes on with the next agent of the same boot and not after a reboot.

import { beforeEach, describe, expect, it } from 'vitest';
import { HOLD_MS_MAX, Hold, type HoldView } from '../../agent/hold.ts';
import type { BootClock, Files, Log } from '../../agent/ports.ts';
import { fail, ok } from '../../protocol/result.ts';

let text: string | undefined;
/** Of a maintenance. */
let beside: string | undefined;
let said: string[];
let told: { active: boolean; view: HoldView }[];
let boot: number;
let bootId: string;
let full: boolean;
beforeEach(() => {
  text = undefined;
  beside = undefined;
  said = [];
  told = [];
  boot = 1_000_000;
  bootId = 'boot-1';
  full = false;
});

const log: Log = {
  info: () => undefined,
  warn: (message) => said.push(message),
  error: (message) => said.push(message),
};
const files = {
  read: (path: string) => (path === 'hold.json' ? text : beside),
  replace: (path: string, content: string) => {
    if (full) return fail('ENOSPC');
    if (path === 'hold.json') text = content;
    else beside = content;
    return ok(undefined);
  },
  remove: (path: string) => {
    if (path === 'hold.json') text = undefined;
    else beside = undefined;
  },
} as unknown as Files;
const clock: BootClock = {
  monotonicMs: () => boot,
  wallMs: () => 5_000,
  bootMs: () => boot,
  bootId: () => bootId,
};
const open = () =>
  new Hold({
    path: 'hold.json',
    ...{ clock, files, log },
    changed: (active, view) => told.push({ active, view }),
  });

describe('a till that is held', () => {
  it('is so until the time is over, and says both', () => {
    const hold = open();
    const begun = hold.begin({ forMs: 60_000, reason: 'printer', by: 'maria' });
    expect(begun).toEqual(ok({ reason: 'printer', by: 'maria', leftMs: 60_000, untilMs: 65_000 }));
    boot += 59_999;
    hold.look();
    expect([hold.active(), hold.view()?.leftMs]).toEqual([true, 1]);
    boot += 1;
    // Also before anybody looks.
    expect([hold.active(), hold.view()]).toEqual([false, undefined]);
    hold.look();
    hold.look();
    expect(told.map(({ active }) => active)).toEqual([true, false]);
    expect(told[1]?.view.reason).toBe('its time is over');
    expect(text).toBeUndefined();
  });

  it('goes on under the next agent with what is left, also when the clock jumped', () => {
    open().begin({ forMs: 60_000 });
    boot += 50_000;
    const next = open();
    expect(next.view()?.leftMs).toBe(10_000);
    boot += 10_000;
    expect(next.active()).toBe(false);
    next.look();
    expect(told.at(-1)?.active).toBe(false);
  });

  it('is free after a reboot', () => {
    open().begin({ forMs: 60_000 });
    bootId = 'boot-2';
    boot = 10;
    expect(open().active()).toBe(false);
  });

  it('takes from a second to a day, and nothing else', () => {
    const hold = open();
    for (const forMs of [0, 999, -1, Number.NaN, Infinity, HOLD_MS_MAX + 1, '60000', undefined]) {
      expect(hold.begin({ forMs }).ok, String(forMs)).toBe(false);
    }
    expect(hold.begin({ forMs: 1_000, reason: 7 }).ok).toBe(false);
    expect(hold.begin({ forMs: 1_000, by: {} }).ok).toBe(false);
    expect([hold.active(), told]).toEqual([false, []]);
  });

  it('shows one bounded line of whatever reason was given', () => {
    const hold = open();
    hold.begin({ forMs: 1_000, reason: `a\nb\u001b[2J${'x'.repeat(500)}` });
    const reason = hold.view()?.reason ?? '';
    expect(reason.startsWith('a b [2J')).toBe(true);
    expect(reason).toHaveLength(200);
  });

  it('can be released by anybody, once', () => {
    const hold = open();
    hold.begin({ forMs: 60_000, by: 'maria' });
    expect([hold.release('jo'), hold.release('jo'), hold.active()]).toEqual([true, false, false]);
    expect(told.at(-1)).toMatchObject({ active: false, view: { by: 'jo', leftMs: 0 } });
  });

  it('is held from memory when the folder is full, and says that a restart forgets it', () => {
    full = true;
    const hold = open();
    expect(hold.begin({ forMs: 60_000 }).ok).toBe(true);
    expect(hold.active()).toBe(true);
    expect(said.join()).toContain('does not outlive this agent');
  });

  it('is not held by a damaged file, nor for ever by one that was written by hand', () => {
    text = '{"bootId":';
    expect(open().active()).toBe(false);
    expect(said.join()).toContain('cannot be read');
    text = JSON.stringify({
      ...{ bootId, fromBootMs: boot, untilBootMs: 1e15, reason: '', by: '' },
    });
    expect(open().view()?.leftMs).toBe(HOLD_MS_MAX);
  });

  it('has an end also when a file says that it began in the future, or never', () => {
    for (const fromBootMs of ['1e15', '1e999', '-1e999']) {
      const ends = '"untilBootMs":1e999,"reason":"","by":""';
      text = `{"bootId":"${bootId}","fromBootMs":${fromBootMs},${ends}}`;
      expect(open().view()?.leftMs ?? 0, fromBootMs).toBeLessThanOrEqual(HOLD_MS_MAX);
    }
  });
});

describe('a till in maintenance', () => {
  const one = 'a1a1a1a1-0000-4000-8000-000000000001';
  const other = 'a1a1a1a1-0000-4000-8000-000000000002';

  it('is held as by anybody, and says by which maintenance, also under the next agent', () => {
    open().begin({ forMs: 60_000, by: 'broker', reason: 'floor works', maintenance: one });
    expect(told[0]).toMatchObject({ active: true, view: { maintenance: one } });
    boot += 10_000;
    const next = open();
    expect(next.view()).toMatchObject({ maintenance: one, leftMs: 50_000 });
    boot += 50_000;
    next.look();
    expect([next.active(), told.at(-1)?.active, beside]).toEqual([false, false, undefined]);
  });

  it("does not end somebody's own hold with its end, and is not ended by a release of that", () => {
    const hold = open();
    hold.begin({ forMs: 600_000, by: 'maria', reason: 'printer' });
    hold.begin({ forMs: 60_000, by: 'broker', maintenance: one });
    expect(hold.release('broker', one)).toBe(true);
    expect([hold.active(), hold.view()?.by, told.at(-1)?.active]).toEqual([true, 'maria', true]);
    hold.begin({ forMs: 60_000, by: 'broker', maintenance: one });
    expect(hold.release('maria')).toBe(true);
    expect(hold.view()).toMatchObject({ by: 'broker', maintenance: one });
    expect(told.at(-1)).toMatchObject({ active: true, view: { maintenance: one } });
    boot += 60_000;
    hold.look();
    expect(told.at(-1)?.active).toBe(false);
  });

  it('goes on for somebody whose own hold is longer, and says so', () => {
    const hold = open();
    hold.begin({ forMs: 60_000, by: 'broker', maintenance: one });
    hold.begin({ forMs: 120_000, by: 'maria' });
    boot += 60_000;
    hold.look();
    expect(told.at(-1)).toMatchObject({ active: true, view: { by: 'maria', leftMs: 60_000 } });
  });

  it('is replaced by another maintenance, whose end alone ends it then', () => {
    const hold = open();
    hold.begin({ forMs: 60_000, maintenance: one });
    hold.begin({ forMs: 90_000, maintenance: other });
    expect([hold.release('broker', one), hold.active()]).toEqual([false, true]);
    expect([hold.release('broker', other), hold.active()]).toEqual([true, false]);
  });

  it('hears of the same one after each reconnect and tells it once', () => {
    const hold = open();
    hold.begin({ forMs: 60_000, reason: 'floor', maintenance: one });
    boot += 20_000;
    hold.begin({ forMs: 40_900, reason: 'floor', maintenance: one });
    expect([told.length, hold.view()?.leftMs]).toEqual([1, 40_900]);
    hold.begin({ forMs: 600_000, reason: 'floor', maintenance: one });
    expect(told).toHaveLength(2);
  });

  it('is free of it after a reboot, and held again when the centre says so again', () => {
    open().begin({ forMs: 60_000, maintenance: one });
    [bootId, boot] = ['boot-2', 10];
    const next = open();
    expect(next.active()).toBe(false);
    next.begin({ forMs: 30_000, maintenance: one });
    expect(next.view()).toMatchObject({ maintenance: one, leftMs: 30_000 });
  });
});
