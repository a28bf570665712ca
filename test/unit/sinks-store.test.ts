import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDeadLetters } from '../../broker/sinks/dead-letters.ts';
import { openSinkStore } from '../../broker/sinks/store.ts';

const GENERATION = new Uint8Array(16).fill(3);
const LIMITS = { days: 30, rowsMax: 5 };
let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tw-sinks-'));
  path = join(dir, 'sinks.db');
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('what sinks must not forget', () => {
  it('is one cursor for each of them, of the ledger that it was read from', () => {
    const store = openSinkStore(path, 0, () => {}, LIMITS);
    const move = { sink: 'db', generation: GENERATION, cursor: 7, buried: [], nowMs: 1 };
    expect(store.move(move).ok).toBe(true);
    store.close();
    const again = openSinkStore(path, 0, () => {}, LIMITS);
    expect(again.readCursor('db', GENERATION)).toBe(7);
    expect(again.readCursor('other', GENERATION)).toBe(0);
    expect(again.readCursor('db', new Uint8Array(16))).toBe(0);
    again.close();
  });

  it('are dead letters up to a bound, the oldest going first, and by age', () => {
    const store = openSinkStore(path, 0, () => {}, LIMITS);
    const move = (n: number, nowMs: number) =>
      store.move({
        ...{ sink: 'db', generation: GENERATION, cursor: n, nowMs },
        buried: [{ terminal: `lane-${n}`, reason: 'invalid', sentence: 'so', count: 1 }],
      });
    for (let n = 1; n <= 8; n += 1) move(n, n);
    const left = () => readDeadLetters(path, 100).map(({ terminal }) => terminal);
    expect(left()).toEqual(['lane-8', 'lane-7', 'lane-6', 'lane-5', 'lane-4']);
    move(9, 40 * 86_400_000);
    expect(left()).toEqual(['lane-9']);
    store.close();
  });

  it('begins anew when its file is damaged, which is set aside and told', () => {
    writeFileSync(path, 'this is no database, not even nearly; it is long enough '.repeat(99));
    const told: string[] = [];
    const store = openSinkStore(path, 5, (aside) => told.push(aside), LIMITS);
    expect(told).toEqual([`${path}.damaged-5`]);
    expect(readdirSync(dir)).toContain('sinks.db.damaged-5');
    expect(store.readCursor('db', GENERATION)).toBe(0);
    store.close();
  });
});
