// How long the ledger keeps what, and for whom: by age and by size, never before every follower has read
// it, and what happens when one of them does not read.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Ledger, type NewBatch, openLedger } from '../../broker/ledger.ts';
import { AGE_SLACK_MS, TRIM_ROWS } from '../../broker/ledger-room.ts';

const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;
let dir: string;
let nowMs = 0;
let open: Ledger[] = [];
const start = (bytesMax = 64 * MIB, ageMsMax = 7 * DAY_MS): Ledger => {
  const path = join(dir, 'ledger.db');
  const ledger = openLedger({ path, clock: { wallMs: () => nowMs }, bytesMax, ageMsMax });
  open.push(ledger);
  return ledger;
};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tw-room-'));
  nowMs = 1_700_000_000_000;
});
afterEach(() => {
  for (const ledger of open) ledger.close();
  open = [];
  rmSync(dir, { recursive: true });
});

const batch = (seq: number, size = 100): NewBatch => ({
  terminal: 'lane-1',
  batch: { epoch: new Uint8Array(16).fill(1), stream: 'metrics', seq },
  bytes: new Uint8Array(size).fill(seq % 256),
});
function append(ledger: Ledger, ...batches: NewBatch[]): readonly string[] {
  const appended = ledger.append(batches);
  return appended.ok ? appended.value : [appended.reason];
}
const firstId = (ledger: Ledger): number | undefined => ledger.readAfter(0, 1)[0]?.id;

describe('by age', () => {
  test('bodies go when they are old and read, and their numbers stay known', () => {
    const ledger = start();
    append(ledger, batch(1), batch(2));
    nowMs += 4 * DAY_MS;
    append(ledger, batch(3));
    ledger.setFollowed('registry', 3);
    nowMs += 3 * DAY_MS + AGE_SLACK_MS;
    expect(append(ledger, batch(4))).toEqual(['new']);
    expect(firstId(ledger)).toBe(1);
    nowMs += 1;
    expect(append(ledger, batch(5))).toEqual(['new']);
    expect(firstId(ledger)).toBe(3);
    expect(ledger.stats()).toMatchObject({ rows: 3, trimmedBy: { age: 2, size: 0 } });
    expect(ledger.stats().oldestAgeMs).toBe(3 * DAY_MS + AGE_SLACK_MS + 1);
    expect(append(ledger, batch(1), batch(2))).toEqual(['duplicate', 'duplicate']);
  });

  test('many that are old at once go in turns, before appends', () => {
    const ledger = start();
    for (let from = 0; from < 2_500; from += 500) {
      append(ledger, ...Array.from({ length: 500 }, (_, index) => batch(from + index + 1)));
    }
    ledger.setFollowed('registry', 2_500);
    nowMs += 8 * DAY_MS;
    append(ledger, batch(2_501));
    expect(firstId(ledger)).toBe(TRIM_ROWS + 1);
    append(ledger, batch(2_502));
    append(ledger, batch(2_503));
    expect(firstId(ledger)).toBe(2_501);
  });

  test('a broker that was off for long knows after its start what is old', () => {
    const first = start();
    append(first, batch(1), batch(2), batch(3));
    first.close();
    open = [];
    nowMs += 9 * DAY_MS;
    const second = start();
    expect(second.stats()).toMatchObject({ rows: 3, oldestAgeMs: 9 * DAY_MS });
    second.setFollowed('registry', 2);
    append(second, batch(4));
    expect(firstId(second)).toBe(3);
  });

  test('a clock that is put back deletes nothing', () => {
    const ledger = start();
    append(ledger, batch(1));
    ledger.setFollowed('registry', 1);
    nowMs -= 400 * DAY_MS;
    append(ledger, batch(2));
    expect(ledger.stats()).toMatchObject({ rows: 2, oldestAgeMs: 0 });
  });
});

describe('followers', () => {
  test('nothing goes that one of them has still to read', () => {
    const ledger = start();
    append(ledger, ...[1, 2, 3, 4].map((seq) => batch(seq)));
    ledger.setFollowed('registry', 4);
    ledger.setFollowed('history', 3);
    ledger.setFollowed('remoteWrite', 1);
    nowMs += 30 * DAY_MS;
    append(ledger, batch(5));
    expect(firstId(ledger)).toBe(2);
    ledger.setFollowed('remoteWrite', 4);
    append(ledger, batch(6));
    expect(firstId(ledger)).toBe(4);
  });

  test('one that does not know yet where it stands keeps everything', () => {
    const ledger = start();
    ledger.setFollowed('remoteWrite', 0);
    append(ledger, batch(1), batch(2));
    ledger.setFollowed('registry', 2);
    nowMs += 30 * DAY_MS;
    append(ledger, batch(3));
    expect(firstId(ledger)).toBe(1);
    expect(ledger.stats().followedId).toBe(0);
  });

  test('one that keeps what it has read is not behind with it', () => {
    const ledger = start();
    append(ledger, batch(1), batch(2), batch(3));
    const follow: (who: string, id: number, readId?: number) => void = ledger.setFollowed;
    ledger.setFollowed('registry', 3);
    follow('history', 1, 3);
    expect(ledger.slowest()).toMatchObject({ rows: 0, sinceMs: undefined });
    expect(ledger.stats().followedId).toBe(1);
    append(ledger, batch(4));
    follow('history', 1, 4);
    expect(ledger.slowest()).toMatchObject({ follower: 'registry', rows: 1 });
    nowMs += 30 * DAY_MS;
    append(ledger, batch(5));
    expect(firstId(ledger)).toBe(2);
  });

  test('without any, nothing goes', () => {
    const ledger = start();
    append(ledger, batch(1), batch(2));
    nowMs += 30 * DAY_MS;
    append(ledger, batch(3));
    expect(firstId(ledger)).toBe(1);
  });

  test('a cursor never goes back, and never ahead of what there is', () => {
    const ledger = start();
    append(ledger, batch(1), batch(2));
    ledger.setFollowed('registry', 99);
    expect(ledger.stats().followedId).toBe(2);
    append(ledger, batch(3));
    ledger.setFollowed('registry', 1);
    expect(ledger.stats().followedId).toBe(2);
  });

  test('the slowest is known by name, with how much waits for it and since when', () => {
    const ledger = start();
    expect(ledger.slowest()).toBeUndefined();
    append(ledger, batch(1));
    nowMs += 5_000;
    append(ledger, batch(2), batch(3));
    ledger.setFollowed('registry', 3);
    ledger.setFollowed('remoteWrite', 1);
    const sinceMs = nowMs;
    nowMs += 60_000;
    expect(ledger.slowest()).toEqual({ follower: 'remoteWrite', id: 1, rows: 2, sinceMs });
    ledger.setFollowed('remoteWrite', 3);
    expect(ledger.slowest()).toMatchObject({ rows: 0, sinceMs: undefined });
  });
});

test('full, it takes nothing, says who does not read, and goes on by itself when that one has', () => {
  const ledger = start(MIB);
  ledger.setFollowed('registry', 0);
  ledger.setFollowed('remoteWrite', 0);
  let seq = 0;
  let taken: number[] = [];
  for (
    let answer = ['new'];
    answer[0] === 'new';
    answer = [...append(ledger, batch(seq, 20_000))]
  ) {
    ledger.setFollowed('registry', seq);
    taken = ledger.readAfter(0, 1_000).map((row) => row.seq);
    seq += 1;
  }
  expect(ledger.stats().failing).toBe(
    'the ledger could not be written: database or disk is full; ' +
      `${taken.length} batches wait for remoteWrite`,
  );
  // Not a row that the slow one needs went, and what was refused is not known.
  expect(ledger.readAfter(0, 1_000).map((row) => row.seq)).toEqual(taken);
  expect(ledger.ranges('lane-1', '01'.repeat(16), 'metrics')).toEqual([
    { first: 1, last: seq - 1 },
  ]);
  ledger.setFollowed('remoteWrite', seq - 2);
  expect(append(ledger, batch(seq, 20_000))).toEqual(['new']);
  expect(ledger.stats().failing).toBeUndefined();
  expect(ledger.stats().trimmedBy.size).toBe(seq - 2);
  expect(ledger.stats().bytes).toBeLessThanOrEqual(MIB);
});
