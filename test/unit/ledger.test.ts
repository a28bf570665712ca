import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LANE_RANGES_MAX, type Ledger, type NewBatch, openLedger } from '../../broker/ledger.ts';
import { openLedgerFile } from '../../broker/ledger-file.ts';
import { openLanes } from '../../broker/ledger-lanes.ts';
import type { Stream } from '../../protocol/wire.ts';

const epoch = (n: number): Uint8Array => new Uint8Array(16).fill(n);
const hex = (n: number): string => Buffer.from(epoch(n)).toString('hex');
const clock = { wallMs: () => 1_700_000_000_000 };

function batch(seq: number, options: Partial<{ t: string; e: number; s: Stream; n: number }> = {}) {
  const { t = 'lane-1', e = 1, s = 'events', n = 8 } = options;
  const bytes = new Uint8Array(n).fill(seq % 256);
  return { terminal: t, batch: { epoch: epoch(e), stream: s, seq }, bytes } satisfies NewBatch;
}

const done = (ledger: Ledger, batches: NewBatch[]) => {
  const appended = ledger.append(batches);
  if (!appended.ok) throw new Error(appended.reason);
  return appended.value;
};

let dir: string;
let open: Ledger[];
const path = (): string => join(dir, 'ledger.db');
const reopen = (bytesMax?: number): Ledger => {
  const options = { path: path(), clock, ...(bytesMax === undefined ? {} : { bytesMax }) };
  const ledger = openLedger(options);
  open.push(ledger);
  return ledger;
};
const close = (ledger: Ledger): void => {
  ledger.close();
  open = open.filter((other) => other !== ledger);
};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tw-ledger-'));
  open = [];
});
afterEach(() => {
  for (const ledger of open) ledger.close();
  rmSync(dir, { recursive: true });
});

describe('the ledger', () => {
  test('stores a batch once, in one commit and across commits and reopening', () => {
    const first = reopen();
    expect(done(first, [batch(1), batch(2), batch(1)])).toEqual(['new', 'new', 'duplicate']);
    expect(done(first, [batch(2), batch(3)])).toEqual(['duplicate', 'new']);
    close(first);
    const second = reopen();
    expect(done(second, [batch(1), batch(2), batch(3), batch(4)])).toEqual([
      'duplicate',
      'duplicate',
      'duplicate',
      'new',
    ]);
    expect(second.ranges('lane-1', hex(1), 'events')).toEqual([{ first: 1, last: 4 }]);
    expect(second.readAfter(0, 100).map((row) => row.seq)).toEqual([1, 2, 3, 4]);
  });

  test('tells terminals, epochs and streams apart', () => {
    const ledger = reopen();
    const batches = [
      batch(1),
      batch(1, { t: 'lane-2' }),
      batch(1, { e: 2 }),
      batch(1, { s: 'metrics' }),
    ];
    expect(done(ledger, batches)).toEqual(['new', 'new', 'new', 'new']);
    expect(done(ledger, batches)).toEqual(Array(4).fill('duplicate'));
  });

  test('hands out rows in order with everything that came, at most as many as asked for', () => {
    const ledger = reopen();
    done(ledger, [batch(1), batch(7, { t: 'lane-2', e: 3, s: 'results' }), batch(2)]);
    expect(ledger.readAfter(1, 1)).toEqual([
      {
        id: 2,
        terminal: 'lane-2',
        epoch: hex(3),
        stream: 'results',
        seq: 7,
        receivedMs: 1_700_000_000_000,
        bytes: new Uint8Array(8).fill(7),
      },
    ]);
    expect(ledger.readAfter(3, 10)).toEqual([]);
  });

  test('keeps its generation across reopening, and another file has another', () => {
    const first = reopen();
    const { generation } = first;
    expect(generation).toHaveLength(16);
    close(first);
    expect(reopen().generation).toEqual(generation);
    const other = openLedger({ path: join(dir, 'other.db'), clock });
    open.push(other);
    expect(other.generation).not.toEqual(generation);
  });

  test('remembers exactly the seqs that were appended, in any order and split', () => {
    const ledger = reopen();
    let e = 0;
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 12 })),
        (plan) => {
          e += 1;
          const seen = new Set<number>();
          for (const seqs of plan) {
            const expected = seqs.map((seq) => {
              const result = seen.has(seq) ? 'duplicate' : 'new';
              seen.add(seq);
              return result;
            });
            expect(
              done(
                ledger,
                seqs.map((seq) => batch(seq, { e })),
              ),
            ).toEqual(expected);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('tells followers once, soon after a commit that brought something new', async () => {
    const ledger = reopen();
    let told = 0;
    const undo = ledger.onCommit(() => {
      told += 1;
    });
    done(ledger, [batch(1)]);
    done(ledger, [batch(2)]);
    expect(told).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toBe(1);
    done(ledger, [batch(2)]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toBe(1);
    undo();
    done(ledger, [batch(3)]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toBe(1);
  });

  test('refuses a batch that would leave a lane with more holes than it may remember', () => {
    const ledger = reopen();
    const gappy = Array.from({ length: LANE_RANGES_MAX }, (_, index) => batch(1 + 2 * index));
    expect(new Set(done(ledger, gappy))).toEqual(new Set(['new']));
    const results = done(ledger, [batch(2 * LANE_RANGES_MAX + 5), batch(2)]);
    expect(results).toEqual(['crowded', 'new']);
  });
});

describe('a full ledger', () => {
  const bytesMax = 1024 * 1024;
  const big = (seq: number): NewBatch => batch(seq, { n: 20_000 });

  test('acknowledges nothing, counts it, and goes on when the fleet has followed', () => {
    const ledger = reopen(bytesMax);
    let seq = 0;
    let answer = ledger.append([big(++seq)]);
    while (answer.ok) answer = ledger.append([big(++seq)]);
    expect(answer.reason).toContain('the ledger could not be written');
    expect(ledger.stats().commitsFailed).toBe(1);
    expect(ledger.ranges('lane-1', hex(1), 'events')).toEqual([{ first: 1, last: seq - 1 }]);

    ledger.setFollowed('registry', 10);
    expect(done(ledger, [big(seq)])).toEqual(['new']);
    expect(ledger.stats().trimmedBy).toEqual({ age: 0, size: 10 });
    expect(ledger.readAfter(0, 1)[0]?.id).toBe(11);
  });

  test('deletes only what was followed, never the newest row, and remembers it all', () => {
    const ledger = reopen(bytesMax);
    for (let seq = 1; seq <= 500; seq += 1) {
      expect(done(ledger, [big(seq)])).toEqual(['new']);
      ledger.setFollowed('registry', seq);
    }
    expect(ledger.stats().bytes).toBeLessThanOrEqual(bytesMax);
    expect(ledger.stats().rows).toBe(ledger.readAfter(0, 1000).length);
    expect(done(ledger, [big(1), big(250), big(500)])).toEqual(Array(3).fill('duplicate'));
    close(ledger);
    const again = reopen(bytesMax);
    done(again, [big(501)]);
    expect(again.stats().newestId).toBe(501);
  });
});

test('a ledger that trimmed all but its newest row never uses an id twice', () => {
  const ledger = reopen(1024 * 1024);
  const first = Array.from({ length: 47 }, (_, index) => batch(index + 1, { n: 16_500 }));
  done(ledger, first);
  ledger.setFollowed('registry', 47);
  expect(done(ledger, [batch(47, { n: 16_500 })])).toEqual(['duplicate']);
  expect(ledger.stats()).toMatchObject({
    rows: 1,
    newestId: 47,
    trimmedBy: { size: 46 },
  });
  close(ledger);
  const again = reopen(1024 * 1024);
  done(again, [batch(48)]);
  expect(again.readAfter(47, 10).map(({ id, seq }) => [id, seq])).toEqual([[48, 48]]);
});

test('a commit waits for the disk: the settings that promise it are on', () => {
  const { db } = openLedgerFile(path(), 1024 * 1024, () => new Uint8Array(16));
  // 2 is FULL: the log is flushed at every commit [sqlite.org/pragma synchronous].
  expect(db.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 2 });
  expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
  expect(db.prepare('PRAGMA max_page_count').get()).toEqual({ max_page_count: 64 });
  db.close();
});

describe('a ledger file that is not right', () => {
  test('is refused with a sentence when it is no database', () => {
    writeFileSync(
      path(),
      'this is a text file, and long enough to be looked at as a header'.repeat(99),
    );
    expect(() => openLedger({ path: path(), clock })).toThrow(
      /ledger.db cannot be used: .*database/,
    );
  });

  test('is refused when a newer program wrote it', () => {
    close(reopen());
    const db = new DatabaseSync(path());
    db.exec("UPDATE meta SET value = 9 WHERE key = 'schema'");
    db.close();
    expect(() => openLedger({ path: path(), clock })).toThrow('its schema is 9 and this program');
  });
});

test('the cache of lanes is bounded and a lane that left it is read from disk', () => {
  const { db } = openLedgerFile(path(), 1024 * 1024, () => new Uint8Array(16));
  const lanes = openLanes(db, 2);
  for (const terminal of ['a', 'b', 'c', 'd']) {
    const lane = lanes.take(terminal, hex(1), 'events');
    if (lane !== undefined) lane.ranges = [{ first: 1, last: 5 }];
    lanes.write();
    lanes.keep();
  }
  db.exec("UPDATE lane SET ranges = '[[7,9]]'");
  expect(lanes.ranges('a', hex(1), 'events')).toEqual([{ first: 7, last: 9 }]);
  expect(lanes.ranges('d', hex(1), 'events')).toEqual([{ first: 1, last: 5 }]);
  db.close();
});
