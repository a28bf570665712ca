// Stories of the deep reset hook and of the reboot: what is done before it, what forbids it, and that a loop of
// reboots is impossible.

import { describe, expect, it } from 'vitest';
import type { RebootToken } from '../../agent/watchdog/recovery.ts';
import {
  BUSY_WAIT_MS_MAX,
  DAY_MS,
  HOOK_EXTRA_MS,
  HOUR_MS,
  NOTE_MS_MAX,
  REBOOT_MS_MAX,
} from '../../agent/watchdog/recovery-model.ts';
import * as reasons from '../../agent/watchdog/recovery-reasons.ts';
import { rebootRefusal } from '../../agent/watchdog/recovery-reboot.ts';
import { MINUTE, running, setting, till } from './recovery-story.ts';

const hook = (ok: boolean, reason = 'done') =>
  ({ kind: 'hook', component: 'hardware', ok, reason }) as const;
const NOTED = { kind: 'noted', ok: true, reason: 'on disk' } as const;

describe('the deep reset hook', () => {
  it('runs, and then the component is launched; nobody else is touched', () => {
    const story = running();
    story.busy('sale');
    story.fails('hardware', 'reset');
    expect(story.take()).toEqual(['hook hardware']);
    story.pass(10_000);
    story.send(hook(true));
    expect(story.take()).toEqual(['launch hardware']);
    expect(story.model().phase).toBe('idle');
  });

  it('that fails is no reset: the next rung is taken', () => {
    const story = running();
    story.fails('hardware', 'reset');
    story.send(hook(false, 'exit 3'));
    const why = 'its deep reset hook failed: exit 3';
    expect(story.take()).toEqual(['hook hardware', `refuse hardware reset: ${why}`]);
  });

  it('that never answers is given up after its time-out', () => {
    const story = running();
    story.fails('hardware', 'reset');
    story.pass(30_000 + HOOK_EXTRA_MS - 1_000);
    expect(story.take()).toEqual(['hook hardware']);
    story.pass(1_000);
    expect(story.take()).toEqual([`refuse hardware reset: ${reasons.RESET_SILENT}`]);
    story.send(hook(true));
    expect(story.take()).toEqual([]);
  });

  it('of another component is not the answer', () => {
    const story = running();
    story.fails('hardware', 'reset');
    story.send({ ...hook(true), component: 'sale' });
    expect(story.take()).toEqual(['hook hardware']);
  });

  it('launches nobody who came back meanwhile', () => {
    const story = running();
    story.fails('hardware', 'reset');
    story.be('hardware', 'ready');
    story.send(hook(true));
    expect(story.take()).toEqual(['hook hardware']);
    expect(story.model().phase).toBe('idle');
  });

  it('that does not exist is refused', () => {
    const story = running();
    story.fails('sale', 'reset');
    expect(story.take()).toEqual([`refuse sale reset: ${reasons.NO_RESET}`]);
  });
});

describe('rungs that are not the plan’s', () => {
  it('are refused, and unknown components are not heard', () => {
    const story = running();
    story.fails('sale', 'restart');
    expect(story.take()).toEqual([`refuse sale restart: ${reasons.NOT_OF_THE_PLAN}`]);
    story.fails('nobody', 'dependants');
    story.busy('nobody');
    expect(story.take()).toEqual([]);
  });
});

describe('the reboot', () => {
  it('is on disk before it is done', () => {
    const story = running();
    story.fails('sale', 'reboot');
    expect(story.take()).toEqual(['note_reboot']);
    story.pass(3_000);
    expect(story.take()).toEqual([]);
    story.send(NOTED);
    expect(story.take()).toEqual(['reboot', 'reboot sale']);
    expect(story.model().reboots).toMatchObject([{ component: 'sale', incident: 'i-1' }]);
    const report = story.effects.find(({ kind }) => kind === 'report');
    expect(report).toMatchObject({
      event: {
        kind: 'reboot',
        component: 'sale',
        fields: { incident: 'i-1', reason: 'it crashed' },
      },
    });
  });

  it('is refused when it cannot be written down, or not in time', () => {
    const story = running();
    story.fails('sale', 'reboot');
    story.send({ kind: 'noted', ok: false, reason: 'the disk is read-only' });
    const why = 'the reboot could not be noted on disk: the disk is read-only';
    expect(story.take()).toEqual(['note_reboot', 'remember', `refuse sale reboot: ${why}`]);
    story.fails('sale', 'reboot');
    story.pass(NOTE_MS_MAX);
    const late = `refuse sale reboot: ${reasons.NOT_NOTED}`;
    expect(story.take()).toEqual(['note_reboot', 'remember', late]);
    expect(story.model().reboots).toEqual([]);
    story.send(NOTED);
    expect(story.take()).toEqual([]);
  });

  it('is refused when the machine is still up long after it', () => {
    const story = running();
    story.fails('sale', 'reboot');
    story.send(NOTED);
    story.take();
    story.pass(REBOOT_MS_MAX - 1_000);
    expect(story.take()).toEqual([]);
    story.pass(1_000);
    expect(story.take()).toEqual([`refuse sale reboot: ${reasons.STILL_UP}`]);
    // It counts all the same: a hook that does nothing must not be run again and again.
    expect(story.model().reboots).toHaveLength(1);
  });

  it('waits for everybody to be idle, and is refused at the ceiling', () => {
    const story = running();
    story.busy('sync');
    story.fails('sale', 'reboot');
    story.pass(BUSY_WAIT_MS_MAX - 1_000);
    expect(story.take()).toEqual([]);
    story.pass(1_000);
    const why = reasons.stillBusy(['sync'], BUSY_WAIT_MS_MAX);
    expect(story.take()).toEqual([`refuse sale reboot: ${why}`]);
  });

  it('waits again when a sale begins while it is written down', () => {
    const story = running();
    story.fails('sale', 'reboot');
    story.busy('sync');
    story.send(NOTED);
    expect(story.take()).toEqual(['note_reboot', 'remember']);
    expect(story.model()).toMatchObject({ phase: 'waiting', reboots: [] });
    story.busy('sync', false);
    story.send(NOTED);
    expect(story.take()).toEqual(['note_reboot', 'reboot', 'reboot sale']);
  });

  it('is noted again when the machine slept before the answer: the token must not be older', () => {
    const story = running();
    story.fails('sale', 'reboot');
    story.later(7 * HOUR_MS);
    story.send({ kind: 'paused', gapMs: 0 });
    story.pass(5_000);
    story.send(NOTED);
    expect(story.take()).toEqual(['note_reboot', 'remember', 'note_reboot']);
    story.send(NOTED);
    expect(story.take()).toEqual(['reboot', 'reboot sale']);
    const { reboots, totalMs = 0 } = story.model();
    expect(reboots).toMatchObject([{ atMs: totalMs }]);
  });

  it('is not done for a component that came back, nor on a held till', () => {
    const back = running();
    back.fails('sale', 'reboot');
    back.be('sale', 'ready');
    back.send(NOTED);
    expect(back.take()).toEqual(['note_reboot', 'remember']);
    const held = running();
    held.fails('sale', 'reboot');
    held.send({ kind: 'hold', active: true });
    held.send(NOTED);
    expect(held.take()).toEqual(['note_reboot', 'remember', `refuse sale reboot: ${reasons.HELD}`]);
  });

  it('is refused where no hook is configured', () => {
    const story = running({}, { reboot: undefined });
    story.fails('sale', 'reboot');
    expect(story.take()).toEqual([`refuse sale reboot: ${reasons.NO_REBOOT}`]);
  });

  it('is refused soon after a boot', () => {
    const story = running();
    const rule = setting.reboot;
    const known = { ...story.model(), uptimeMs: 3 * MINUTE };
    expect(rebootRefusal(rule, known)).toBe(
      'no reboot: the machine is up for 3.0 min, at least 15.0 min are asked',
    );
    expect(rebootRefusal(rule, { ...known, uptimeMs: undefined })).toBe(reasons.UPTIME_UNKNOWN);
  });
});

describe('a loop of reboots is impossible', () => {
  const rule = setting.reboot;
  const at = (hoursAgo: number, held?: boolean): RebootToken => ({
    atMs: 100 * HOUR_MS - hoursAgo * HOUR_MS,
    component: 'sale',
    incident: 'i-0',
    held,
  });
  const asked = (...reboots: RebootToken[]) =>
    rebootRefusal(rule, { uptimeMs: HOUR_MS, totalMs: 100 * HOUR_MS, reboots });

  /** A token may be so much older than its reboot, so it counts for so much longer. */
  const NOTE_HOURS = NOTE_MS_MAX / HOUR_MS;

  it('at most one an hour of uptime, from one reboot to the next', () => {
    expect(asked(at(0.9, true))).toBe('no reboot: 1 within the last hour of uptime');
    expect(asked(at(1 + 0.9 * NOTE_HOURS, true))).toMatch('1 within the last hour');
    expect(asked(at(1 + NOTE_HOURS, true))).toBeUndefined();
  });

  it('at most three a day of uptime', () => {
    const three = [at(23, true), at(12, true), at(2, true)];
    expect(asked(...three)).toBe('no reboot: 3 within the last day of uptime');
    expect(asked(at(24 + NOTE_HOURS, true), ...three.slice(1))).toBeUndefined();
  });

  it('after two that did not help none for a day', () => {
    const why = 'no reboot: the last 2 did not help, and a day has to pass';
    expect(asked(at(30, false), at(2, false))).toBe(why);
    expect(asked(at(30), at(2))).toBe(why);
    expect(asked(at(30, false), at(2, true))).toBeUndefined();
    expect(asked(at(60, false), at(24, false))).toBe(why);
    expect(asked(at(60, false), at(24 + NOTE_HOURS, false))).toBeUndefined();
    expect(asked(at(2, false))).toBeUndefined();
  });

  it('a token of a time that has not come counts', () => {
    expect(asked(at(-50, true))).toBe('no reboot: 1 within the last hour of uptime');
    expect(asked(at(Number.NaN, true))).toBe('no reboot: 1 within the last hour of uptime');
    expect(DAY_MS).toBe(24 * HOUR_MS);
  });

  it('it helped when the component is stable after it, and did not when it escalates again', () => {
    const story = running({ reboots: [at(50)] });
    story.send({ kind: 'stable', component: 'hardware' });
    expect(story.take()).toEqual([]);
    story.send({ kind: 'stable', component: 'sale' });
    expect(story.take()).toEqual(['remember']);
    expect(story.model().reboots).toMatchObject([{ held: true }]);
    const again = running({ reboots: [at(50)] });
    again.fails('sale', 'dependants');
    expect(again.model().reboots).toMatchObject([{ held: false }]);
  });

  it('one that was noted and never came did not help, although the component is stable', () => {
    // The agent died before it asked for it, or the hook did nothing: the machine has been up since before it.
    const story = running({ reboots: [at(50, false), at(0.1), at(0.05)] });
    story.send({ kind: 'stable', component: 'sale' });
    expect(story.model().reboots.map(({ held }) => held)).toEqual([false, false, false]);
  });

  it('nor did one after which another was needed', () => {
    const other = { ...at(30), component: 'sync' };
    const story = running({ reboots: [at(50), other, { ...at(0.1), incident: 'never came' }] });
    story.send({ kind: 'stable', component: 'sync' });
    story.send({ kind: 'stable', component: 'sale' });
    expect(story.model().reboots.map(({ held }) => held)).toEqual([false, true, false]);
  });

  it('nothing is said of one before the uptime is known', () => {
    const story = till({ reboots: [at(50)] });
    story.send({ kind: 'stable', component: 'sale' });
    expect(story.take()).toEqual([]);
    story.pass(1_000);
    story.send({ kind: 'stable', component: 'sale' });
    expect(story.model().reboots).toMatchObject([{ held: true }]);
  });

  it('uptime that goes back or cannot be read changes nothing', () => {
    const story = running();
    const { uptimeMs, totalMs } = story.model();
    story.send({ kind: 'tick', uptimeMs: 5, totalMs: Number.NaN });
    expect(story.model()).toMatchObject({ uptimeMs, totalMs });
  });
});
