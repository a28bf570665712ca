import { describe, expect, it } from 'vitest';
import type { LedgerRow } from '../../broker/ledger-reader.ts';
import { readDeadLetters } from '../../broker/sinks/dead-letters.ts';
import type { Buried, SendResult } from '../../broker/sinks/types.ts';
import { end, freshForEach, rig, row, rows, run, taken } from './sinks-loop-rig.ts';

freshForEach();

describe('the loop of a sink', () => {
  it('sends what is there in order, passes over other streams, and goes on where it ended', async () => {
    const ledger = [...rows(1, 3), row(4, 'events'), row(5), row(6, 'logs')];
    const first = run(ledger, ({ length }) => taken(length));
    await expect.poll(() => first.status().behindBatches).toBe(0);
    expect(first.sent.flat()).toEqual([1, 2, 3, 5]);
    expect(first.status()).toMatchObject({ up: true, taken: 4, lastError: '', cursor: 6 });
    await end();
    const second = run([...ledger, row(7)], ({ length }) => taken(length));
    await expect.poll(() => second.status().behindBatches).toBe(0);
    expect(second.sent).toEqual([[7]]);
  });

  it('sends the same rows until they are taken, slower each time, and says why', async () => {
    const seen = new Set<readonly LedgerRow[]>();
    const again: SendResult = { kind: 'again', reason: 'down' };
    let isDown = true;
    const { sent, waits, status } = run(rows(1, 5), (given) => {
      seen.add(given);
      return isDown ? again : taken(5);
    });
    await expect.poll(() => sent.length).toBeGreaterThan(6);
    expect(status()).toMatchObject({ up: false, lastError: 'down', behindSeconds: 60 });
    isDown = false;
    await expect.poll(() => status().behindBatches).toBe(0);
    expect(seen.size).toBe(1);
    expect(waits.filter((ms) => ms >= 1_000).slice(0, 5)).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000,
    ]);
    expect(status()).toMatchObject({ up: true, lastError: '' });
  });

  it('waits as long as the sink asks for', async () => {
    const { sent, waits, status } = run(rows(1, 1), () =>
      sent.length < 2 ? { kind: 'again', reason: 'slow', afterMs: 45_000 } : taken(1),
    );
    await expect.poll(() => status().behindBatches).toBe(0);
    expect(waits).toContain(45_000);
  });

  it('moves its cursor only after everything was taken', async () => {
    const { status } = run(rows(1, 600), (given) =>
      given.some(({ id }) => id > 300) ? { kind: 'again', reason: 'down' } : taken(given.length),
    );
    await expect.poll(() => status().up).toBe(false);
    expect(status().cursor).toBe(256);
    await end();
    const after = run(rows(1, 600), (given) => taken(given.length));
    await expect.poll(() => after.status().behindBatches).toBe(0);
    expect(after.sent[0]?.[0]).toBe(257);
  });

  it('goes on with a ledger that was put back from a backup, and begins anew with another', async () => {
    const first = run(rows(1, 9), ({ length }) => taken(length));
    await expect.poll(() => first.status().cursor).toBe(9);
    await end();
    const restored = run(rows(1, 6), ({ length }) => taken(length), { newestAtOpen: 4 });
    await expect.poll(() => restored.status().behindBatches).toBe(0);
    expect(restored.sent.flat()).toEqual([5, 6]);
    expect(restored.warned.join()).toContain('older');
    expect(rig.store?.readCursor('db', new Uint8Array(16))).toBe(0);
  });

  it('says how much is missing when the ledger was trimmed while the sink was not configured', async () => {
    const first = run(rows(1, 3), ({ length }) => taken(length));
    await expect.poll(() => first.status().cursor).toBe(3);
    await end();
    const later = run(rows(11, 12), ({ length }) => taken(length));
    expect(later.warned.join()).toContain('7 batches were deleted');
  });

  it('looks at once what is wrong, and tells it', async () => {
    const { status } = run([], () => taken(0), { check: ['set the flag'] });
    await expect.poll(() => status().sentences).toEqual(['set the flag']);
    expect(status().up).toBeUndefined();
  });
});

describe('dead letters', () => {
  const bury = (terminal: string, reason: string, count: number): Buried => {
    return { terminal, reason, sentence: `said ${reason}`, count, sample: `${terminal} a{} 1 @5` };
  };

  it('are one row for each terminal and reason, counted, with the newest sentence', async () => {
    let n = 0;
    const ledger = rows(1, 512);
    const { status } = run(ledger, () => {
      n += 1;
      return taken(0, [bury('lane-1', 'too_old', 10 * n), bury('lane-2', 'future', 1)]);
    });
    await expect.poll(() => status().cursor).toBe(512);
    expect(readDeadLetters(rig.path, 10)).toMatchObject([
      { sink: 'db', terminal: 'lane-2', reason: 'future', count: 2, firstMs: 61_000 },
      { sink: 'db', terminal: 'lane-1', reason: 'too_old', count: 30, sample: 'lane-1 a{} 1 @5' },
    ]);
    expect(readDeadLetters(rig.path, 10, 'other')).toEqual([]);
  });
});
