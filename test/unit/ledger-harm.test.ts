// What may be done to the ledger: a terminal that invents epochs, a file that is damaged where it matters,
// a disk that refuses. Nothing is acknowledged wrongly, and each is told in a sentence.

import {
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Ledger, type NewBatch, openLedger } from '../../broker/ledger.ts';
import { LANES_PER_TERMINAL_MAX } from '../../broker/ledger-lanes.ts';

let dir: string;
let ledger: Ledger | undefined;
const path = (): string => join(dir, 'ledger.db');
const open = (): Ledger => {
  ledger = openLedger({ path: path(), clock: { wallMs: () => 1_700_000_000_000 } });
  return ledger;
};
const close = (): void => {
  ledger?.close();
  ledger = undefined;
};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tw-harm-'));
});
afterEach(() => {
  close();
  rmSync(dir, { recursive: true });
});

function batch(terminal: string, epoch: number, seq = 1): NewBatch {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, epoch);
  return { terminal, batch: { epoch: bytes, stream: 'events', seq }, bytes: new Uint8Array(8) };
}
const append = (...batches: NewBatch[]): readonly string[] => {
  const appended = (ledger ?? open()).append(batches);
  return appended.ok ? appended.value : [appended.reason];
};

/** Writes nonsense over the first page of a table or an index. */
function damage(table: string): void {
  const db = new DatabaseSync(path());
  const { rootpage } = db
    .prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?')
    .get(table) as { rootpage: number };
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  const file = openSync(path(), 'r+');
  writeSync(file, Buffer.alloc(3_000, 0xa5), 0, 3_000, (rootpage - 1) * 16_384);
  closeSync(file);
}

describe('a terminal that invents epochs', () => {
  test('is refused beyond its limit, and keeps the lanes it has; others are not touched', () => {
    open();
    const epochs = Array.from({ length: LANES_PER_TERMINAL_MAX + 3 }, (_, index) => index);
    const results = epochs.flatMap((epoch) => append(batch('lane-1', epoch)));
    expect(results.filter((result) => result === 'new').length).toBe(LANES_PER_TERMINAL_MAX);
    expect(results.slice(-3)).toEqual(['crowded', 'crowded', 'crowded']);
    expect(append(batch('lane-1', 0, 2), batch('lane-1', 0, 1))).toEqual(['new', 'duplicate']);
    expect(append(batch('lane-2', 5_000))).toEqual(['new']);
    close();
    open();
    expect(append(batch('lane-1', 9_999))).toEqual(['crowded']);
  });
});

describe('a damaged ledger', () => {
  test.each(['lane', 'sqlite_autoindex_lane_1', 'batch'])(
    'is refused by its name when %s cannot be read',
    (table) => {
      open();
      append(batch('lane-1', 1), batch('lane-2', 1));
      close();
      damage(table);
      expect(open).toThrow(/^the ledger .*ledger\.db cannot be used: /);
    },
  );
});

test('a ledger whose bodies cannot be read any more says who is behind, and ends nobody', () => {
  open();
  const rows = Array.from({ length: 500 }, (_, i) => batch('lane-1', 1, i + 1));
  append(...rows.map((row) => ({ ...row, bytes: new Uint8Array(20_000) })));
  ledger?.setFollowed('registry', 5);
  const other = new DatabaseSync(path());
  other.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  other.close();
  truncateSync(path(), 4 * 16_384);
  expect(ledger?.slowest()).toEqual({ follower: 'registry', id: 5, rows: 495, sinceMs: undefined });
});

describe('a ledger that cannot write', () => {
  test('says so until it can again', () => {
    open();
    append(batch('lane-1', 1));
    expect(ledger?.stats().failing).toBeUndefined();
    const other = new DatabaseSync(path());
    other.exec('BEGIN IMMEDIATE');
    expect(append(batch('lane-1', 1, 2))[0]).toMatch(/could not be written/);
    expect(ledger?.stats().failing).toMatch(/could not be written: database is locked/);
    other.exec('ROLLBACK');
    other.close();
    expect(append(batch('lane-1', 1, 2))).toEqual(['new']);
    expect(ledger?.stats().failing).toBeUndefined();
  });
});

test('a new ledger is readable by its owner only', () => {
  open();
  append(batch('lane-1', 1));
  for (const name of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm']) {
    expect([name, statSync(join(dir, name)).mode & 0o777]).toEqual([name, 0o600]);
  }
});
