// Windows over the death of the broker: killed at each step between planning a bulk action and starting it, and restored
// from a backup that is older than what was done. At most once for each store and date, and not lost while there is time.

import { expect, it } from 'vitest';
import { tellRestored, writeRestored } from '../../broker/backup/restored.ts';
import type { WindowWish } from '../../broker/maintenance/calendar.ts';
import { folder } from './fleet-rig.ts';
import { ADA, type BulksSeen, HOUR, MINUTE, open, START, TWO } from './maintenance-rig.ts';

const weekly = {
  ...{ name: 'weekly', where: { all: true }, at: 'sun 03:00', forMs: 2 * HOUR },
  ...{ action: 'reboot', reason: 'patches', actor: ADA },
} as WindowWish;
/** On the wall clock of the rig. */
const BEGINS = START + 90 * MINUTE;

const begun = (bulks: BulksSeen) =>
  [...bulks.values()].filter((one) => one.startedMs !== undefined);
type Room = ReturnType<typeof open>;
const after = ({ database, bulks }: Room, wall: number): Room =>
  open(TWO, { database, bulks, wall });

function killed(at: 'planned' | 'kept'): Room {
  const it = open(TWO);
  it.room.windows.add(weekly);
  it.dieWhen(at);
  expect(() => it.pass(91 * MINUTE)).toThrow('killed');
  return it;
}

it.each(['planned', 'kept'] as const)('runs once where the broker died when it was %s', (at) => {
  const next = after(killed(at), BEGINS + 20 * MINUTE);
  next.pass(MINUTE);
  const [bulk, ...more] = begun(next.bulks);
  expect(more).toEqual([]);
  // Not later than the window, however long the broker was away.
  expect((bulk?.startedMs ?? 0) + (bulk?.lastsMs ?? 0)).toBeLessThanOrEqual(BEGINS + 2 * HOUR);
  const again = after(next, BEGINS + 40 * MINUTE);
  again.pass(MINUTE);
  expect(begun(again.bulks)).toHaveLength(1);
});

it.each(['planned', 'kept'] as const)('is missed where it died when %s and comes late', (at) => {
  const next = after(killed(at), BEGINS + 3 * HOUR);
  next.pass(MINUTE);
  expect(begun(next.bulks)).toEqual([]);
  const [window] = next.room.windows.list();
  expect(window?.runs.map(({ state }) => state)).toEqual(['missed', 'missed']);
});

it('is not lost when its plan was dropped meanwhile', () => {
  const it = killed('kept');
  for (const [id, bulk] of it.bulks) it.bulks.set(id, { ...bulk, state: 'expired' });
  const next = after(it, BEGINS + 70 * MINUTE);
  next.pass(MINUTE);
  expect(begun(next.bulks)).toHaveLength(1);
});

/** A broker at `restoredMs` that knows nothing of what was done since `backupMs`. */
function restored(it: Room, backupMs: number, restoredMs: number): Room {
  const dataDir = folder();
  const none = { from: 'b', newestAudit: 1, without: [], revoked: [] };
  writeRestored(dataDir, { backupMs, restoredMs, ...none, bulksPaused: 0, tokensEnded: 0 });
  const audit = { write: () => undefined };
  expect(tellRestored(dataDir, it.database, audit as never)).toMatchObject({ ok: true });
  return after(it, restoredMs);
}

it('does not run again after a restore from before it, and says so', () => {
  const it = open(TWO);
  it.room.windows.add(weekly);
  const next = restored(it, BEGINS - MINUTE, BEGINS + 30 * MINUTE);
  next.pass(MINUTE);
  expect(next.bulks.size).toBe(0);
  expect(next.room.windows.list()[0]?.runs).toMatchObject([
    { state: 'missed', why: expect.stringContaining('backup') },
    { state: 'missed' },
  ]);
});

it('does not go on after a restore with what was planned when the backup was taken', () => {
  const next = restored(killed('kept'), BEGINS + MINUTE, BEGINS + 30 * MINUTE);
  next.pass(MINUTE);
  expect(begun(next.bulks)).toEqual([]);
});

it('runs after a restore where it begins later', () => {
  const it = open(TWO);
  it.room.windows.add(weekly);
  const next = restored(it, BEGINS - 2 * HOUR, BEGINS - HOUR);
  next.pass(HOUR + MINUTE);
  expect(begun(next.bulks)).toHaveLength(1);
});

it('gives each store its own end where two zones are due together', () => {
  const it = open(TWO);
  it.room.windows.add(weekly);
  // An hour later than Berlin's.
  it.zones['s-2'] = 'Europe/London';
  const next = after(it, BEGINS + 110 * MINUTE);
  next.zones['s-2'] = 'Europe/London';
  next.pass(MINUTE);
  expect(begun(next.bulks).map(({ terminals, lastsMs }) => [terminals, lastsMs])).toEqual([
    [['lane-1', 'lane-2'], 9 * MINUTE],
    [['lane-9'], 69 * MINUTE],
  ]);
});
