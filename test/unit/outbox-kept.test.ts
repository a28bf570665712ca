import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { KEPT_BYTES_MAX, KEPT_MS, LEDGERS_MAX } from '../../agent/telemetry/kept.ts';
import type { Outbox, Outgoing } from '../../agent/telemetry/types.ts';
import * as limits from '../../protocol/limits.ts';
import { freshForEach } from './outbox-fresh.ts';
import { ackFor, open, snapshotAt, someEvent } from './outbox-rig.ts';

const { folder, clock } = freshForEach();

/** That compression makes no smaller than three quarters. */
const long = (chars: number): string => randomBytes(chars).toString('base64').slice(0, chars);

const HOUR_MS = 3_600_000;
const ledger = (n: number): Uint8Array => new Uint8Array(16).fill(n);
const names = (batches: readonly Outgoing[]) =>
  batches.map(({ stream, seq }) => `${stream}/${seq}`);
const result = (index: number) => ({
  commandId: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
  state: 'succeeded' as const,
  reason: 'restarted',
  timeMs: 1,
  detail: {},
});

function answer(outbox: Outbox, batches: readonly Outgoing[], generation: Uint8Array): void {
  const more = { ledgerGeneration: generation, brokerTimeMs: clock.wallMs() };
  outbox.acknowledge(ackFor(outbox.epoch, batches, more));
}

/** Takes and acknowledges until nothing comes any more. */
function drainTo(outbox: Outbox, generation: Uint8Array): Outgoing[] {
  const all: Outgoing[] = [];
  for (let round = 0; round < 5_000; round += 1) {
    const taken = outbox.takeBatches(16);
    if (taken.length === 0) return all;
    all.push(...taken);
    answer(outbox, taken, generation);
  }
  throw new Error('never empty');
}

function tell(outbox: Outbox, count: number): void {
  for (let n = 0; n < count; n += 1) {
    outbox.addEvent(someEvent(`event ${n}`));
    outbox.addResult(result(n));
    drainTo(outbox, ledger(1));
  }
}

describe('a ledger that went back', () => {
  test('gets events and results once more: the same numbers, the same bytes, and no metrics', () => {
    const outbox = open(folder.path, clock);
    const first: Outgoing[] = [];
    for (let n = 0; n < 5; n += 1) {
      outbox.addEvent(someEvent(`event ${n}`));
      outbox.addResult(result(n));
      outbox.addSnapshot(snapshotAt(clock.wallMs()));
      clock.pass(60_000);
      first.push(...drainTo(outbox, ledger(1)));
    }
    answer(outbox, [], ledger(2));
    const again = drainTo(outbox, ledger(2));
    const wanted = first.filter((batch) => batch.stream !== 'metrics');
    const sorted = (all: Outgoing[]) =>
      all
        .map(({ stream, seq, bytes }) => ({ stream, seq, bytes: [...bytes] }))
        .toSorted((a, b) => `${a.stream}${a.seq}`.localeCompare(`${b.stream}${b.seq}`));
    expect(sorted(again)).toEqual(sorted(wanted));
    expect(drainTo(outbox, ledger(2))).toEqual([]);
    outbox.close();
  });

  test('is known from before by an agent that was started meanwhile', () => {
    const before = open(folder.path, clock);
    tell(before, 3);
    const { keptBytes } = before.stats();
    expect(keptBytes).toBeGreaterThan(0);
    before.close();
    const after = open(folder.path, clock);
    expect(after.stats().keptBytes).toBeGreaterThan(keptBytes);
    expect(after.takeBatches(16)).toEqual([]);
    answer(after, [], ledger(1));
    expect(after.takeBatches(16)).toEqual([]);
    answer(after, [], ledger(2));
    const some = after.takeBatches(16);
    expect(some).toHaveLength(6);
    answer(after, some.slice(0, 2), ledger(2));
    after.addEvent(someEvent('writes what was acknowledged'));
    drainTo(after, ledger(2));
    after.close();
    const third = open(folder.path, clock);
    answer(third, [], ledger(2));
    expect(names(third.takeBatches(16))).toEqual(names(some.slice(2)));
    third.close();
  });

  test('gets what was in flight at that moment at once, on the same connection too', () => {
    const outbox = open(folder.path, clock);
    tell(outbox, 1);
    outbox.addEvent(someEvent('in flight'));
    const flying = outbox.takeBatches(16);
    expect(names(flying)).toEqual(['events/2']);
    expect(outbox.takeBatches(16)).toEqual([]);
    answer(outbox, [], ledger(2));
    const again = outbox.takeBatches(16);
    expect(names(again)).toEqual(['events/2', 'results/1', 'events/1']);
    expect(again[0]?.bytes).toEqual(flying[0]?.bytes);
    outbox.close();
  });

  test('does not get once more what its first acknowledgement names', () => {
    const outbox = open(folder.path, clock);
    tell(outbox, 2);
    answer(outbox, [], ledger(2));
    const again = outbox.takeBatches(16);
    expect(again).toHaveLength(4);
    answer(outbox, again, ledger(2));
    expect(drainTo(outbox, ledger(2))).toEqual([]);
    expect(outbox.stats().batches).toEqual({ events: 0, metrics: 0, results: 0, traces: 0 });
    outbox.close();
  });

  test('waits with the repeats behind what is new, in half of the window, as backlog', () => {
    const outbox = open(folder.path, clock);
    tell(outbox, 40);
    answer(outbox, [], ledger(2));
    outbox.addEvent(someEvent('new'));
    const taken = outbox.takeBatches(16);
    expect(names(taken)[0]).toBe('events/41');
    expect(taken.slice(1).every((batch) => batch.backlog)).toBe(true);
    expect(taken.length - 1).toBeLessThanOrEqual(limits.WINDOW_BATCHES / 2);
    expect(outbox.takeBatches(16, 0)).toEqual([]);
    outbox.close();
  });

  test('and one that it is met in turn with cost one repeat each, not one at each change', () => {
    const outbox = open(folder.path, clock);
    tell(outbox, 5);
    answer(outbox, [], ledger(2));
    expect(drainTo(outbox, ledger(2))).toHaveLength(10);
    for (let n = 0; n < 6; n += 1) {
      answer(outbox, [], ledger(1 + (n % 2)));
      expect(drainTo(outbox, ledger(1 + (n % 2)))).toEqual([]);
    }
    outbox.addEvent(someEvent('told to the second only'));
    drainTo(outbox, ledger(2));
    answer(outbox, [], ledger(1));
    expect(names(drainTo(outbox, ledger(1)))).toEqual(['events/6']);
    for (let n = 3; n < 3 + LEDGERS_MAX; n += 1) {
      answer(outbox, [], ledger(n));
      expect(drainTo(outbox, ledger(n))).toHaveLength(11);
    }
    outbox.close();
  });
});

describe('what is kept', () => {
  test('and found damaged or refused when it is sent once more is given up, and counted so', () => {
    const outbox = open(folder.path, clock);
    tell(outbox, 2);
    outbox.close();
    const db = new DatabaseSync(`${folder.path}/outbox.db`);
    db.exec("update batch set bytes = zeroblob(length(bytes)) where stream = 'results'");
    db.close();
    const again = open(folder.path, clock);
    answer(again, [], ledger(2));
    const taken = again.takeBatches(16);
    expect(names(taken)).toEqual(['events/1', 'events/2']);
    const refused = taken.map(({ stream, seq }) => ({ stream, seq, reason: 'no' }));
    again.acknowledge({ ...ackFor(again.epoch, []), ledgerGeneration: ledger(2), refused });
    expect(again.stats()).toMatchObject({ keptBytes: 0, deadLetters: 2, refused: { events: 2 } });
    again.close();
  });

  test('is forgotten after 72 hours', () => {
    const outbox = open(folder.path, clock);
    tell(outbox, 3);
    clock.pass(KEPT_MS - HOUR_MS);
    outbox.addEvent(someEvent('in time'));
    drainTo(outbox, ledger(1));
    clock.pass(2 * HOUR_MS);
    outbox.addEvent(someEvent('late'));
    drainTo(outbox, ledger(1));
    outbox.addEvent(someEvent('writes'));
    drainTo(outbox, ledger(1));
    answer(outbox, [], ledger(2));
    expect(names(drainTo(outbox, ledger(2)))).toEqual(['events/4', 'events/5', 'events/6']);
    outbox.close();
  });

  test('is 8 MB at most, the newest', () => {
    const outbox = open(folder.path, clock, { bytesMax: 64 * 1024 * 1024 });
    for (let n = 0; n < 450; n += 1) {
      outbox.addEvent(someEvent(long(30_000)));
      drainTo(outbox, ledger(1));
    }
    outbox.addEvent(someEvent('writes'));
    drainTo(outbox, ledger(1));
    const { keptBytes, drops } = outbox.stats();
    expect(keptBytes).toBeLessThanOrEqual(KEPT_BYTES_MAX);
    expect(keptBytes).toBeGreaterThan(KEPT_BYTES_MAX * 0.9);
    expect(drops).toEqual([]);
    answer(outbox, [], ledger(2));
    const seqs = drainTo(outbox, ledger(2)).map(({ seq }) => seq);
    expect(Math.max(...seqs)).toBe(451);
    expect(Math.min(...seqs)).toBe(452 - seqs.length);
    outbox.close();
  }, 30_000);

  test('goes before anything else when room is needed, and nothing that waits is lost for it', () => {
    const bytesMax = 512 * 1024;
    const outbox = open(folder.path, clock, { bytesMax });
    for (let n = 0; n < 30; n += 1) {
      outbox.addEvent(someEvent(long(20_000)));
      drainTo(outbox, ledger(1));
    }
    expect(outbox.stats().keptBytes).toBeGreaterThan(200 * 1024);
    for (let n = 0; n < 60; n += 1) outbox.addEvent(someEvent(long(4_000)));
    for (let n = 0; n < 200; n += 1) {
      outbox.addSnapshot(snapshotAt(clock.wallMs(), 20, Math.random()));
      clock.pass(15_000);
    }
    const { drops, bytes, keptBytes } = outbox.stats();
    expect(bytes).toBeLessThanOrEqual(bytesMax);
    expect(keptBytes).toBeLessThan(200 * 1024);
    expect(drops).toEqual([{ stream: 'events', reason: 'kept', count: expect.any(Number) }]);
    outbox.close();
  });
});
