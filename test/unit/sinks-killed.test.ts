import { describe, expect, it } from 'vitest';
import { freshForEach, rig, row, rows, run, taken } from './sinks-loop-rig.ts';

freshForEach();

describe('a database that was killed', () => {
  /** Rows that were sent more than once. */
  const twice = (sent: number[][]): number[] =>
    [...new Set(sent.flat().filter((id, i, all) => all.indexOf(id) !== i))].sort();

  it('gets the last half minute again, which it answered for and may not have written', async () => {
    const ledger = rows(1, 2);
    let isDown = false;
    const given = run(
      ledger,
      ({ length }) => (isDown ? { kind: 'again', reason: 'gone', lost: true } : taken(length)),
      { keepsOnce: true },
    );
    await expect.poll(() => given.status().behindBatches).toBe(0);
    rig.nowMs += 60_000;
    ledger.push(row(3));
    await expect.poll(() => given.status().behindBatches).toBe(0);
    // On disk is what is settled, in case the broker is killed, too.
    expect(given.status().cursor).toBeLessThan(3);
    expect(given.status()).toMatchObject({ position: 3 });
    rig.nowMs += 20_000;
    ledger.push(row(4));
    await expect.poll(() => given.status().behindBatches).toBe(0);
    expect(twice(given.sent)).toEqual([]);
    isDown = true;
    ledger.push(row(5));
    await expect.poll(() => given.status().up).toBe(false);
    // However long it is down: it counts from when it was lost.
    rig.nowMs += 7_200_000;
    isDown = false;
    await expect.poll(() => given.status().behindBatches).toBe(0);
    await expect.poll(() => twice(given.sent)).toEqual([3, 4, 5]);
    rig.nowMs += 60_000;
    await expect.poll(() => given.status().cursor, { timeout: 5_000 }).toBe(5);
  });

  it('and was back before anybody asked is noticed by its connection', async () => {
    const { sent, status } = run(rows(1, 2), ({ length }) => taken(length), { keepsOnce: true });
    await expect.poll(() => status().behindBatches).toBe(0);
    rig.drops += 1;
    await expect
      .poll(() => sent)
      .toEqual([
        [1, 2],
        [1, 2],
      ]);
    rig.drops += 1;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sent).toHaveLength(2);
  });

  it('and is lost again at once is gone back for once more, a while later', async () => {
    const { sent, status } = run(rows(1, 2), ({ length }) => taken(length), { keepsOnce: true });
    await expect.poll(() => status().behindBatches).toBe(0);
    rig.busyDrops += 1;
    await expect.poll(() => sent.length).toBe(2);
    rig.busyDrops += 1;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(sent).toHaveLength(2);
    rig.nowMs += 11_000;
    await expect.poll(() => sent.length).toBe(3);
  });

  it('and is killed again before its self-test has an answer gets it once that has come', async () => {
    let keepsOnce: boolean | undefined;
    let isDown = true;
    const { sent, status } = run(
      rows(1, 2),
      ({ length }) => (isDown ? { kind: 'again', reason: 'gone', lost: true } : taken(length)),
      { keepsOnce: () => keepsOnce },
    );
    await expect.poll(() => status().up).toBe(false);
    isDown = false;
    await expect.poll(() => status().behindBatches).toBe(0);
    const before = sent.length;
    expect(status().cursor).toBe(0);
    keepsOnce = true;
    await expect.poll(() => sent.slice(before), { timeout: 5_000 }).toEqual([[1, 2]]);
  });

  it('keeps its place on disk, up to which a ledger deletes, before what it gets again', async () => {
    const ledger = rows(1, 2);
    let isDown = false;
    /** Its place on disk when it was sent row 3. */
    const places: number[] = [];
    const given = run(
      ledger,
      (sent) => {
        if (sent[0]?.id === 3) places.push(given.status().cursor);
        return isDown ? { kind: 'again', reason: 'gone', lost: true } : taken(sent.length);
      },
      { keepsOnce: true },
    );
    await expect.poll(() => given.status().behindBatches).toBe(0);
    rig.nowMs += 60_000;
    ledger.push(row(3));
    await expect.poll(() => given.status().behindBatches).toBe(0);
    isDown = true;
    ledger.push(row(4));
    await expect.poll(() => given.status().up).toBe(false);
    rig.nowMs += 60_000;
    isDown = false;
    await expect.poll(() => twice(given.sent)).toEqual([3, 4]);
    expect(places.map((place) => place < 3)).toEqual([true, true]);
  });

  it('and does not answer its self-test has its place kept meanwhile, but not for ever', async () => {
    let isDown = true;
    const { sent, status } = run(
      rows(1, 2),
      ({ length }) => (isDown ? { kind: 'again', reason: 'gone', lost: true } : taken(length)),
      { keepsOnce: () => undefined },
    );
    await expect.poll(() => status().up).toBe(false);
    isDown = false;
    await expect.poll(() => status().behindBatches).toBe(0);
    const before = sent.length;
    const passes = () => new Promise((resolve) => setTimeout(resolve, 100));
    await passes();
    rig.nowMs += 60_000;
    await passes();
    expect(status().cursor).toBe(0);
    // Whoever refuses every self-test and takes samples must not stop the ledger.
    rig.nowMs += 10 * 60_000;
    await expect.poll(() => status().cursor, { timeout: 5_000 }).toBe(2);
    expect(sent).toHaveLength(before);
  });

  it('gets nothing twice where that would be kept twice', async () => {
    let isDown = true;
    const { sent, status } = run(rows(1, 2), ({ length }) =>
      isDown ? { kind: 'again', reason: 'gone', lost: true } : taken(length),
    );
    await expect.poll(() => status().up).toBe(false);
    isDown = false;
    await expect.poll(() => status().behindBatches).toBe(0);
    const before = sent.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sent).toHaveLength(before);
  });
});
