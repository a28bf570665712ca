// A number that comes again: with the same bytes it is a duplicate, with others it is refused and never
// taken for what is on disk, as long as that is there to compare.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Ledger, type NewBatch, openLedger } from '../../broker/ledger.ts';
import { openChain, WALK_ROWS_MAX } from '../../broker/ledger-chain.ts';
import { openLedgerFile } from '../../broker/ledger-file.ts';

let dir: string;
let open: Ledger[] = [];
let nowMs = 1_700_000_000_000;
const path = (): string => join(dir, 'ledger.db');
const start = (): Ledger => {
  const ledger = openLedger({ path: path(), clock: { wallMs: () => nowMs } });
  open.push(ledger);
  return ledger;
};
const restart = (): Ledger => {
  for (const ledger of open) ledger.close();
  open = [];
  return start();
};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tw-conflict-'));
});
afterEach(() => {
  for (const ledger of open) ledger.close();
  open = [];
  rmSync(dir, { recursive: true });
});

const batch = (seq: number, says = 0, terminal = 'lane-1'): NewBatch => ({
  terminal,
  batch: { epoch: new Uint8Array(16).fill(1), stream: 'metrics', seq },
  bytes: Buffer.from(`${terminal} ${seq} ${says}`),
});
function append(ledger: Ledger, ...batches: NewBatch[]): readonly string[] {
  const appended = ledger.append(batches);
  if (!appended.ok) throw new Error(appended.reason);
  return appended.value;
}
const many = (from: number, count: number): NewBatch[] =>
  Array.from({ length: count }, (_, index) => batch(from + index));

describe('a number that is known', () => {
  test('is a duplicate with its bytes and a conflict with others, whenever it comes', () => {
    const ledger = start();
    expect(append(ledger, batch(1), batch(1), batch(1, 9))).toEqual([
      'new',
      'duplicate',
      'conflict',
    ]);
    expect(append(ledger, batch(1, 9), batch(1), batch(2, 9))).toEqual([
      'conflict',
      'duplicate',
      'new',
    ]);
    expect(ledger.stats().conflicts).toEqual({ metrics: 2 });
    expect(append(restart(), batch(1, 9), batch(2, 9), batch(2))).toEqual([
      'conflict',
      'duplicate',
      'conflict',
    ]);
  });

  test('is compared with its own lane only', () => {
    const ledger = start();
    append(ledger, batch(1), batch(1, 0, 'lane-2'), batch(2), batch(2, 0, 'lane-2'));
    expect(append(ledger, batch(1, 0, 'lane-2'), batch(2, 5, 'lane-2'), batch(1))).toEqual([
      'duplicate',
      'conflict',
      'duplicate',
    ]);
  });

  test('is a duplicate without a look once its body has gone', () => {
    const ledger = start();
    append(ledger, batch(1), batch(2), batch(3));
    ledger.setFollowed('registry', 2);
    nowMs += 400 * 86_400_000;
    append(ledger, batch(4));
    expect(ledger.readAfter(0, 1)[0]?.seq).toBe(3);
    expect(append(ledger, batch(2, 7), batch(3, 7))).toEqual(['duplicate', 'conflict']);
  });

  test('of a commit that failed was never there', () => {
    const ledger = start();
    append(ledger, batch(1));
    const other = new DatabaseSync(path());
    other.exec(
      'CREATE TRIGGER no BEFORE INSERT ON batch WHEN NEW.seq = 3 BEGIN SELECT RAISE(ABORT, 1); END',
    );
    expect(ledger.append([batch(9), batch(2), batch(2), batch(3)]).ok).toBe(false);
    other.exec('DROP TRIGGER no');
    other.close();
    expect(append(ledger, batch(2, 5), batch(2, 5), batch(2))).toEqual([
      'new',
      'duplicate',
      'conflict',
    ]);
  });
});

test('whatever comes in whatever order, what is acknowledged is what is on disk', () => {
  let run = 0;
  const ledger = start();
  const what = fc.tuple(fc.integer({ min: 1, max: 25 }), fc.integer({ min: 0, max: 1 }));
  const plan = fc.array(fc.array(what, { maxLength: 8 }), { maxLength: 10 });
  fc.assert(
    fc.property(plan, (commits) => {
      run += 1;
      const disk = new Map<number, number>();
      for (const commit of commits) {
        const expected = commit.map(([seq, says]) => {
          const held = disk.get(seq);
          if (held === undefined) disk.set(seq, says);
          if (held === undefined) return 'new';
          return held === says ? 'duplicate' : 'conflict';
        });
        const batches = commit.map(([seq, says]) => batch(seq, says, `lane-${run}`));
        expect(append(ledger, ...batches)).toEqual(expected);
      }
    }),
    { numRuns: 40 },
  );
});

test('an outbox put back from an old image is found out, a share of the way in each commit', () => {
  const ledger = start();
  const rows = WALK_ROWS_MAX * 2 + 100;
  for (let from = 1; from <= rows; from += 500) append(ledger, ...many(from, 500));
  const again = restart();
  // Its number lies far back: not acknowledged until the way to it was walked.
  expect(append(again, batch(50, 9))).toEqual(['unchecked']);
  expect(append(again, batch(50, 9), batch(rows + 600))).toEqual(['unchecked', 'new']);
  expect(append(again, batch(50, 9))).toEqual(['conflict']);
  // Now the way is known, in both directions.
  const conflicts = Array.from({ length: 300 }, (_, index) => batch(60 + index, 9));
  expect(new Set(append(again, ...conflicts))).toEqual(new Set(['conflict']));
  expect(append(again, batch(rows + 600), batch(51), batch(rows + 600, 9))).toEqual([
    'duplicate',
    'duplicate',
    'conflict',
  ]);
});

test('a walk that does not reach the rows that came meanwhile goes on there', () => {
  const ledger = start();
  append(ledger, ...many(1, 10));
  ledger.close();
  open = [];
  const { db } = openLedgerFile(path(), 1024 * 1024, () => new Uint8Array(16));
  const chain = openChain(db, 3);
  const compare = (newest: number, seq: number): string => {
    chain.begin();
    return chain.compare({ id: 1, ranges: [], newest }, seq, Buffer.from(`lane-1 ${seq} 0`));
  };
  expect(compare(2, 2)).toBe('same');
  expect([compare(10, 9), compare(10, 9), compare(10, 3), compare(10, 4)]).toEqual([
    'later',
    'later',
    'same',
    'same',
  ]);
  expect([compare(10, 9), compare(10, 1), compare(10, 77)]).toEqual(['same', 'same', 'gone']);
  db.close();
});

test('a ledger of the schema before is read, and goes on', () => {
  const { db } = openLedgerFile(path(), 1024 * 1024, () => new Uint8Array(16));
  db.exec(`ALTER TABLE batch DROP COLUMN prev; ALTER TABLE lane DROP COLUMN newest;
    UPDATE meta SET value = 1 WHERE key = 'schema';
    INSERT INTO lane (id, terminal, epoch, stream, ranges)
      VALUES (1, 'lane-1', '${'01'.repeat(16)}', 'metrics', '[[1,1]]');
    INSERT INTO batch (id, lane, seq, received_ms, body) VALUES (1, 1, 1, 5, x'00');`);
  db.close();
  const ledger = start();
  expect(append(ledger, batch(1), batch(2), batch(2, 3))).toEqual(['duplicate', 'new', 'conflict']);
  expect(ledger.readAfter(0, 9).map(({ id, seq }) => [id, seq])).toEqual([
    [1, 1],
    [2, 2],
  ]);
  expect(append(restart(), batch(2))).toEqual(['duplicate']);
});
