import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hourOf } from '../../broker/history/hours.ts';
import { dueMs, dueRows, GATHER_MS, spreadOf } from '../../broker/history/plan.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import { HOUR, historyRig, load, MINUTE_MS, START_MS } from './history-rig.ts';

/** Samples each 15 s, sent each minute, from `fromMs` for `minutes`. */
function minutesOf(fromMs: number, minutes: number): Snapshot[][] {
  return Array.from({ length: minutes }, (_, minute) =>
    [0, 15_000, 30_000, 45_000].map((ms) => {
      const timeMs = fromMs + minute * MINUTE_MS + ms;
      return load(timeMs, (timeMs - START_MS) / 1000);
    }),
  );
}
const expected = (batches: readonly (readonly Snapshot[])[]) =>
  batches.flat().map(({ timeMs, samples }) => [timeMs, samples[0]?.value]);

describe('the history of a terminal', () => {
  it('answers from what waits in the ledger before anything is folded', () => {
    const rig = historyRig();
    const batches = minutesOf(START_MS, 3);
    for (const batch of batches) rig.terminals.metrics('lane-1', ...batch);
    rig.pass(0);
    expect(rig.points()).toEqual(expected(batches));
    expect(rig.store.blocks()).toBe(0);
    expect(rig.points({ terminal: 'lane-2' })).toEqual([]);
  });

  it('writes each hour about once, after it is over, and answers the same', () => {
    const rig = historyRig();
    const batches = minutesOf(START_MS, 180);
    for (const batch of batches) {
      rig.terminals.metrics('lane-1', ...batch);
      rig.pass(MINUTE_MS);
    }
    rig.pass(2 * HOUR);
    expect(rig.points()).toEqual(expected(batches));
    expect(rig.store.blocks()).toBe(3);
    expect(rig.engine.figures()).toMatchObject({ behindBatches: 0, followedId: 180 });
    // Three hours of one series: far fewer bytes than one write a minute would be.
    expect(rig.engine.figures().writtenBytes).toBeLessThan(3 * 2_000);
  });

  it('lets the ledger delete only what is in a block, on disk', () => {
    const rig = historyRig();
    for (const batch of minutesOf(START_MS, 5)) rig.terminals.metrics('lane-1', ...batch);
    rig.pass(0);
    expect(rig.engine.figures().followedId).toBe(0);
    // What waits for its hour was read all the same: the pace of terminals follows who reads.
    expect(rig.engine.figures()).toMatchObject({ readId: 5 });
    rig.pass(MINUTE_MS);
    expect(rig.engine.figures().followedId).toBe(0);
    rig.pass(2 * HOUR);
    expect(rig.engine.figures().followedId).toBe(5);
    for (let id = 1; id <= 5; id += 1) rig.gone.add(id);
    expect(rig.points()).toHaveLength(20);
  });

  it('counts a row once that is applied twice, because a process died in between', () => {
    const rig = historyRig();
    const batches = minutesOf(START_MS, 60);
    for (const batch of batches) rig.terminals.metrics('lane-1', ...batch);
    rig.pass(2 * HOUR);
    // The same rows again in another outbox's words, as after a ledger that went back.
    for (const batch of batches)
      rig.terminals.put('lane-1', 'metrics', rig.bodyOf(batch), 'b2'.repeat(16));
    rig.pass(2 * HOUR);
    rig.crash();
    rig.pass(2 * HOUR);
    expect(rig.points()).toEqual(expected(batches));
    expect(rig.store.blocks()).toBe(1);
  });

  it('goes on after a crash at any point with every sample once', () => {
    const rig = historyRig();
    const batches = minutesOf(START_MS, 200);
    for (const [index, batch] of batches.entries()) {
      rig.terminals.metrics('lane-1', ...batch);
      rig.pass(MINUTE_MS);
      if (index % 7 === 0) rig.crash();
      if (index % 50 === 0) rig.stop();
    }
    expect(rig.points()).toEqual(expected(batches));
    rig.pass(3 * HOUR);
    rig.crash();
    expect(rig.points()).toEqual(expected(batches));
    expect(rig.engine.figures().behindBatches).toBe(0);
  });

  it('puts what comes three days late into its own hours', () => {
    const rig = historyRig();
    const late = minutesOf(START_MS - 72 * HOUR, 120);
    const live = minutesOf(START_MS, 1);
    rig.terminals.metrics('lane-1', ...(live[0] ?? []));
    for (const batch of late) rig.terminals.metrics('lane-1', ...batch);
    rig.pass(0);
    expect(rig.points()).toEqual(expected([...late, ...live]));
    rig.pass(3 * HOUR);
    expect(rig.points()).toEqual(expected([...late, ...live]));
    expect(rig.store.blocks()).toBe(3);
    expect(rig.store.block('lane-1', hourOf(START_MS - 71 * HOUR))).toBeDefined();
  });

  it('folds a month that comes at once in pieces, and loses nothing of it', () => {
    const rig = historyRig({ daysMax: 40 });
    const samples = Array.from({ length: 50 }, (_, n) => ({
      ...{ name: `app_${n}`, labels: {}, value: n },
    }));
    for (let row = 0; row < 40; row += 1) {
      const from = START_MS - (40 - row) * HOUR;
      const instants = Array.from({ length: 1_000 }, (_, i) => ({
        ...{ timeMs: from + i * 3_600, samples },
      }));
      rig.terminals.metrics('lane-1', ...instants);
    }
    let largest = 0;
    const { commit } = rig.store;
    rig.store.commit = (change) => {
      largest = Math.max(largest, change.blocks.length);
      commit(change);
    };
    rig.pass(3 * HOUR);
    expect(largest).toBeLessThan(35);
    expect(rig.engine.figures()).toMatchObject({ followedId: 40, behindBatches: 0 });
    expect(rig.store.blocks()).toBe(40);
    expect(rig.points({ name: 'app_7', pointsMax: 50_000 })).toHaveLength(40_000);
  });

  it('adds to an hour what comes for it after it was written; what was there stays as it was', () => {
    const rig = historyRig();
    rig.terminals.metrics('lane-1', load(START_MS, 1), load(START_MS + 15_000, 2));
    rig.pass(3 * HOUR);
    rig.terminals.metrics('lane-1', load(START_MS + 15_000, 99), load(START_MS + 30_000, 3));
    rig.pass(3 * HOUR);
    expect(rig.store.blocks()).toBe(1);
    expect(rig.points().map(([, value]) => value)).toEqual([1, 2, 3]);
  });

  it('loses nothing while its disk is full, and holds the ledger no longer than it must', () => {
    const rig = historyRig();
    rig.disk.full = true;
    rig.terminals.metrics('lane-1', load(START_MS, 1));
    expect(() => rig.pass(3 * HOUR)).toThrow('disk is full');
    expect(rig.points()).toEqual([[START_MS, 1]]);
    expect(rig.engine.figures().followedId).toBe(0);
    rig.disk.full = false;
    rig.pass(0);
    expect(rig.engine.figures().followedId).toBe(1);
    rig.disk.full = true;
    rig.terminals.metrics('lane-1', load(START_MS + 3 * HOUR, 2));
    expect(() => rig.pass(3 * HOUR)).toThrow('disk is full');
    rig.engine.giveUp();
    expect(rig.engine.figures()).toMatchObject({ followedId: 2, dropped: { lost: 1 } });
  });

  it('keeps hours as long as it should, and says what it did not keep', () => {
    const rig = historyRig({ daysMax: 2 });
    rig.terminals.metrics('lane-1', load(START_MS, 1));
    rig.terminals.metrics('lane-1', load(START_MS - 72 * HOUR, 2));
    rig.terminals.metrics('lane-1', load(START_MS + 72 * HOUR, 3));
    rig.pass(3 * HOUR);
    expect(rig.points()).toEqual([[START_MS, 1]]);
    expect(rig.engine.figures().dropped).toMatchObject({ age: 1, future: 1 });
    rig.pass(49 * HOUR);
    expect(rig.store.blocks()).toBe(0);
    expect(rig.engine.figures().dropped.age).toBe(2);
  });

  it('deletes the oldest hours when it grows over its bound', () => {
    const rig = historyRig({ bytesMax: 512 * 1024 });
    const hour = (at: number): Snapshot[] =>
      Array.from({ length: 240 }, (_, i) => ({
        timeMs: START_MS - at * HOUR + i * 15_000,
        samples: Array.from({ length: 40 }, (_, n) => ({
          name: `app_${n}`,
          labels: {},
          value: Math.sin(at * 1e6 + i * 1e3 + n),
        })),
      }));
    for (let at = 20; at > 0; at -= 1) rig.terminals.metrics('lane-1', ...hour(at));
    rig.pass(3 * HOUR);
    expect(rig.engine.figures().bytes).toBeLessThanOrEqual(512 * 1024);
    expect(rig.engine.figures().dropped.size).toBeGreaterThan(0);
    expect(rig.store.blocks()).toBeGreaterThan(0);
    expect(rig.points({ name: 'app_1', sinceMs: START_MS - HOUR }).length).toBe(240);
  });

  it('is made anew from the ledger when its file is damaged', () => {
    const rig = historyRig();
    rig.terminals.metrics('lane-1', load(START_MS, 1));
    rig.pass(3 * HOUR);
    rig.store.close();
    writeFileSync(rig.path, 'this is no database'.repeat(1_000));
    rig.reopen();
    rig.pass(3 * HOUR);
    expect(rig.warnings).toEqual([expect.stringContaining('it is set aside and made anew')]);
    expect(rig.points()).toEqual([[START_MS, 1]]);
  });

  it('keeps its blocks and forgets what waits when the ledger is another one', () => {
    const rig = historyRig();
    rig.terminals.metrics('lane-1', load(START_MS, 1));
    rig.pass(3 * HOUR);
    rig.terminals.metrics('lane-1', load(START_MS + 3 * HOUR, 2));
    rig.pass(MINUTE_MS);
    rig.ledger.rows.splice(0);
    rig.crash(new Uint8Array(16).fill(9));
    expect(rig.points()).toEqual([[START_MS, 1]]);
    rig.terminals.metrics('lane-1', load(START_MS + 3 * HOUR, 2));
    rig.pass(MINUTE_MS);
    expect(rig.points()).toHaveLength(2);
  });

  it('reads numbers that a ledger gives again after it was put back from a backup', () => {
    const rig = historyRig();
    for (const batch of minutesOf(START_MS, 4)) rig.terminals.metrics('lane-1', ...batch);
    rig.pass(MINUTE_MS);
    rig.ledger.rows.splice(2);
    rig.crash();
    rig.crash();
    for (const batch of minutesOf(START_MS + HOUR, 2)) rig.terminals.metrics('lane-1', ...batch);
    rig.crash();
    rig.pass(0);
    expect(rig.points()).toHaveLength(16);
    expect(rig.points().at(-1)?.[0]).toBe(START_MS + HOUR + 105_000);
  });

  it('is not thrown by garbage, and not by a row that is gone', () => {
    const rig = historyRig();
    rig.terminals.put('lane-1', 'metrics', new Uint8Array(40).fill(255));
    rig.terminals.metrics('lane-1', load(START_MS, 1));
    rig.terminals.metrics('lane-1', load(START_MS + 15_000, 2));
    rig.pass(MINUTE_MS);
    rig.gone.add(2);
    rig.pass(3 * HOUR);
    expect(rig.points()).toEqual([[START_MS + 15_000, 2]]);
    expect(rig.engine.figures()).toMatchObject({ behindBatches: 0, dropped: { lost: 1 } });
  });

  it('folds at once when the ledger needs the room', () => {
    const rig = historyRig();
    for (const batch of minutesOf(START_MS, 3)) rig.terminals.metrics('lane-1', ...batch);
    rig.pass(0);
    rig.engine.press();
    rig.pass(0);
    expect(rig.engine.figures()).toMatchObject({ behindBatches: 0, followedId: 3 });
    expect(rig.points()).toHaveLength(12);
  });
});

describe('when a row is folded', () => {
  const row = (lastMs: number, receivedMs: number) => ({ id: 1, lastMs, receivedMs });

  it('is when its hour is over, a terminal after the other', () => {
    const spreads = Array.from({ length: 500 }, (_, i) => spreadOf(`lane-${i}`));
    expect(Math.max(...spreads)).toBeLessThan(20 * MINUTE_MS);
    expect(new Set(spreads.map((ms) => Math.floor(ms / MINUTE_MS))).size).toBe(20);
    const due = dueMs(row(START_MS + 59 * MINUTE_MS, START_MS + HOUR), 0);
    expect(due).toBeGreaterThan(START_MS + HOUR);
    expect(due).toBeLessThanOrEqual(START_MS + HOUR + GATHER_MS);
  });

  it('is soon for backlog, and never much later than it came', () => {
    expect(dueMs(row(START_MS - 72 * HOUR, START_MS), 0)).toBe(START_MS + GATHER_MS);
    expect(dueMs(row(START_MS + 72 * HOUR, START_MS), 0)).toBe(START_MS + 2 * HOUR);
  });

  it('takes along what is nearly due, and nothing while nothing is', () => {
    const rows = [row(START_MS - HOUR, START_MS), row(START_MS - HOUR, START_MS + 5 * MINUTE_MS)];
    expect(dueRows(rows, 0, START_MS + GATHER_MS - 1)).toEqual([]);
    expect(dueRows(rows, 0, START_MS + GATHER_MS)).toEqual(rows);
  });
});
