// Backups that the broker makes by itself: when one is due, which are kept, what is told.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dueMs, nameOf, openBackups, surplus } from '../../broker/backup/automatic.ts';
import { noteBad, noteGood } from '../../broker/backup/last.ts';
import { loadConfig } from '../../broker/config.ts';
import { folder } from './fleet-rig.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MINUTES_MS = 5 * 60_000;
const NOW = 1_800_000_000_000;
const good = (atMs: number) => ({
  ...{ atMs, endedMs: atMs + 1, file: '/x', bytes: 1, by: 'eve', without: [], verified: true },
});
const bad = (endedMs: number) => ({
  endedMs,
  file: '/x',
  by: 'broker',
  reason: 'the disk is full',
});

it.each([
  ['never made: soon after the start', {}, NOW, NOW + MINUTES_MS],
  ['made an hour ago', { good: good(NOW - HOUR_MS) }, NOW, NOW + 23 * HOUR_MS],
  ['overdue at the start', { good: good(NOW - 3 * DAY_MS) }, NOW, NOW + MINUTES_MS],
  ['from the future: the clock was set back', { good: good(NOW + DAY_MS) }, NOW, NOW + MINUTES_MS],
  [
    'failed just now: within the hour',
    { good: good(NOW - 2 * DAY_MS), bad: bad(NOW) },
    NOW - DAY_MS,
    NOW + HOUR_MS,
  ],
  [
    'failed before one was made',
    { good: good(NOW), bad: bad(NOW - 1) },
    NOW - DAY_MS,
    NOW + DAY_MS,
  ],
])('due: %s', (_what, last, startedMs, wanted) => {
  expect(dueMs(last, DAY_MS, startedMs, NOW)).toBe(wanted);
});

it('the newest are kept, and nothing that is not ours is touched', () => {
  const names = [3, 1, 2].map((day) => nameOf(NOW + day * DAY_MS));
  expect(names[0]).toMatch(/^tillwatch-\d{8}T\d{6}Z\.age$/);
  expect(surplus([...names, 'mine.age', 'tillwatch-old.age'], 2)).toEqual([names[1]]);
  expect(surplus(names, 5)).toEqual([]);
});

it.each([
  ['every: 5m, to: x, passphraseFile: y', 'backup.every: must be a time such as 24h'],
  ['to: x', 'backup.passphraseFile: is missing'],
  ['to: x, passphraseFile: y, keep: 0', 'backup.keep: must be a whole number from 1'],
  ['to: x, passphraseFile: y, evry: 1h', 'backup.evry: is not a setting'],
])('a configuration with { %s } is refused: %s', (text, sentence) => {
  const loaded = loadConfig(`backup: { ${text} }`, '/etc/tillwatch');
  const told = loaded.ok
    ? []
    : loaded.problems.map(({ path, sentence: said }) => `${path}: ${said}`);
  expect(told).toEqual([expect.stringContaining(sentence)]);
});

function openRig(keep: number) {
  const dir = folder();
  const to = join(dir, 'to');
  mkdirSync(to);
  const loaded = loadConfig(
    `dataDir: ${dir}\nplainText: true\nbackup: { to: ${to}, passphraseFile: pass, keep: ${keep} }`,
    dir,
  );
  if (!loaded.ok) throw new Error('bad configuration');
  const audited: object[] = [];
  const counted: string[] = [];
  let nowMs = NOW;
  let look = (): void => {};
  const outcomes: (string | undefined)[] = [];
  const stop = openBackups({
    ...{ config: loaded.config, configText: 'as it was' },
    audit: { write: (entry) => ({ ok: true, value: void audited.push(entry) }) },
    metrics: {
      watch: () => {},
      backups: (result, count) => void counted.push(`${result} ${count}`),
    },
    clock: { wallMs: () => nowMs },
    timers: {
      after: () => () => {},
      every: (_ms, run) => {
        look = run;
        return () => {};
      },
    },
    log: { info: () => {}, warn: () => {}, error: () => {} },
    run: ({ file }) => {
      const reason = outcomes.shift();
      const made = { ...good(nowMs), file, by: 'broker' };
      if (reason === undefined) {
        writeFileSync(file, 'sealed');
        noteGood(dir, made);
      }
      const done =
        reason === undefined ? { ok: true as const, value: made } : { ok: false as const, reason };
      return { done: Promise.resolve(done), stop: () => {} };
    },
  });
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    look();
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  };
  return { dir, to, audited, counted, outcomes, pass, stop };
}

it('one a day is made, so many are kept, and each is in the audit log', async () => {
  const rig = openRig(2);
  await rig.pass(0);
  expect(readdirSync(rig.to)).toEqual([]);
  for (let day = 0; day < 3; day += 1) await rig.pass(DAY_MS);
  expect(readdirSync(rig.to).length).toBe(2);
  expect(rig.counted).toEqual(['ok 1', 'ok 1', 'ok 1']);
  expect(rig.audited).toMatchObject(
    [1, 2, 3].map(() => ({ action: 'broker.backup', outcome: 'ok' })),
  );
  rig.stop();
});

it('one that fails is told and tried again within the hour; what is there stays', async () => {
  const rig = openRig(1);
  await rig.pass(DAY_MS);
  rig.outcomes.push('the disk is full');
  await rig.pass(DAY_MS);
  expect(rig.counted).toEqual(['ok 1', 'failed 1']);
  expect(rig.audited.at(-1)).toMatchObject({ outcome: 'the disk is full', operator: 'broker' });
  await rig.pass(HOUR_MS / 2);
  expect(rig.counted.length).toBe(2);
  expect(readdirSync(rig.to).length).toBe(1);
  await rig.pass(HOUR_MS);
  expect(rig.counted).toEqual(['ok 1', 'failed 1', 'ok 1']);
  rig.stop();
});

it('what somebody made by hand is told once, also by a broker that starts later', async () => {
  const first = openRig(1);
  noteGood(first.dir, good(NOW));
  noteBad(first.dir, bad(NOW));
  await first.pass(0);
  await first.pass(1_000);
  expect(first.counted).toEqual(['ok 1', 'failed 1']);
  expect(first.audited).toMatchObject([{ operator: 'eve' }, { operator: 'broker' }]);
  first.stop();
});
