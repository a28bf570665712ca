import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemTimers } from '../../broker/clock.ts';
import type { LedgerRow } from '../../broker/ledger-reader.ts';
import { type Loop, startLoop } from '../../broker/sinks/loop.ts';
import { openSinkStore, readDeadLetters, type SinkStore } from '../../broker/sinks/store.ts';
import type { Buried, SendResult, Sink } from '../../broker/sinks/types.ts';
import type { Stream } from '../../protocol/wire.ts';

const GENERATION = new Uint8Array(16).fill(3);
const LIMITS = { days: 30, rowsMax: 5 };
let dir: string;
let path: string;
let loop: Loop | undefined;
let nowMs = 0;
let drops = 0;
let store: SinkStore | undefined;
beforeEach(() => {
  nowMs = 0;
  drops = 0;
  dir = mkdtempSync(join(tmpdir(), 'tw-sinks-'));
  path = join(dir, 'sinks.db');
});
afterEach(async () => {
  await loop?.stop();
  store?.close();
  loop = undefined;
  store = undefined;
  rmSync(dir, { recursive: true });
});

/** All waiting takes a few milliseconds; how long it would have been is written down. */
function quickTimers() {
  const waits: number[] = [];
  return {
    waits,
    timers: {
      ...systemTimers,
      after: (ms: number, run: () => void) => {
        waits.push(ms);
        return systemTimers.after(Math.min(ms, 3), run);
      },
    },
  };
}

const row = (id: number, stream: Stream = 'metrics'): LedgerRow => ({
  id,
  terminal: 'lane-1',
  epoch: '07'.repeat(16),
  stream,
  seq: id,
  receivedMs: 1_000,
  bytes: new Uint8Array(),
});
const rows = (first: number, last: number): LedgerRow[] =>
  Array.from({ length: last - first + 1 }, (_, i) => row(first + i));

type Answer = (rows: readonly LedgerRow[]) => SendResult;
const taken = (items: number, buried: Buried[] = []): SendResult => ({
  kind: 'taken',
  items,
  buried,
});

function run(
  ledger: LedgerRow[],
  answer: Answer,
  more: {
    newestAtOpen?: number;
    check?: string[];
    keepsOnce?: true | (() => boolean | undefined);
  } = {},
) {
  const sent: number[][] = [];
  const warned: string[] = [];
  const { timers, waits } = quickTimers();
  const sink: Sink = {
    name: 'db',
    streams: ['metrics'],
    send: (given) => {
      sent.push(given.map(({ id }) => id));
      return Promise.resolve(answer(given));
    },
    check: () => Promise.resolve(more.check ?? []),
    ...(more.keepsOnce && {
      keepsOnce: more.keepsOnce === true ? () => true : more.keepsOnce,
      drops: () => ({ all: drops, busy: 0 }),
    }),
    close: () => {},
  };
  store ??= openSinkStore(path, 5, (aside) => warned.push(`damaged ${aside}`), LIMITS);
  loop = startLoop({
    sink,
    reader: {
      readAfter: (id, limit) => ledger.filter((one) => one.id > id).slice(0, limit),
      newestId: () => ledger.at(-1)?.id ?? 0,
    },
    store,
    generation: GENERATION,
    newestAtOpen: more.newestAtOpen ?? ledger.at(-1)?.id ?? 0,
    clock: { wallMs: () => 61_000, monotonicMs: () => nowMs + performance.now() },
    timers,
    chance: () => 1,
    onTaken: () => {},
    onBuried: () => {},
    onChange: () => {},
    warn: (sentence) => warned.push(sentence),
  });
  return { sent, warned, waits, status: loop.status };
}
async function end(): Promise<void> {
  await loop?.stop();
  store?.close();
  loop = undefined;
  store = undefined;
}

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
    expect(store?.readCursor('db', new Uint8Array(16))).toBe(0);
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
    nowMs += 60_000;
    ledger.push(row(3));
    await expect.poll(() => given.status().behindBatches).toBe(0);
    // On disk is what is settled, in case the broker is killed, too.
    expect(given.status().cursor).toBeLessThan(3);
    expect(given.status()).toMatchObject({ position: 3 });
    nowMs += 20_000;
    ledger.push(row(4));
    await expect.poll(() => given.status().behindBatches).toBe(0);
    expect(twice(given.sent)).toEqual([]);
    isDown = true;
    ledger.push(row(5));
    await expect.poll(() => given.status().up).toBe(false);
    // However long it is down: it counts from when it was lost.
    nowMs += 7_200_000;
    isDown = false;
    await expect.poll(() => given.status().behindBatches).toBe(0);
    await expect.poll(() => twice(given.sent)).toEqual([3, 4, 5]);
    nowMs += 60_000;
    await expect.poll(() => given.status().cursor, { timeout: 5_000 }).toBe(5);
  });

  it('and was back before anybody asked is noticed by its connection', async () => {
    const { sent, status } = run(rows(1, 2), ({ length }) => taken(length), { keepsOnce: true });
    await expect.poll(() => status().behindBatches).toBe(0);
    drops += 1;
    await expect
      .poll(() => sent)
      .toEqual([
        [1, 2],
        [1, 2],
      ]);
    drops += 1;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sent).toHaveLength(2);
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
    expect(readDeadLetters(path, 10)).toMatchObject([
      { sink: 'db', terminal: 'lane-2', reason: 'future', count: 2, firstMs: 61_000 },
      { sink: 'db', terminal: 'lane-1', reason: 'too_old', count: 30, sample: 'lane-1 a{} 1 @5' },
    ]);
    expect(readDeadLetters(path, 10, 'other')).toEqual([]);
  });
});
