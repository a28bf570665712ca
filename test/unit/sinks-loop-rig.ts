// The loop of a sink beside a ledger in memory and a database that answers as told; waiting takes a few milliseconds.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { systemTimers } from '../../broker/clock.ts';
import type { LedgerRow } from '../../broker/ledger-reader.ts';
import { type Loop, startLoop } from '../../broker/sinks/loop.ts';
import { openSinkStore, type SinkStore } from '../../broker/sinks/store.ts';
import type { Buried, SendResult, Sink } from '../../broker/sinks/types.ts';
import type { Stream } from '../../protocol/wire.ts';

const GENERATION = new Uint8Array(16).fill(3);
const LIMITS = { days: 30, rowsMax: 5 };

/** Of the test that runs; `drops` and `busyDrops` are connections that the database let go. */
export const rig: {
  path: string;
  nowMs: number;
  drops: number;
  busyDrops: number;
  loop: Loop | undefined;
  store: SinkStore | undefined;
} = { path: '', nowMs: 0, drops: 0, busyDrops: 0, loop: undefined, store: undefined };

export async function end(): Promise<void> {
  await rig.loop?.stop();
  rig.store?.close();
  rig.loop = undefined;
  rig.store = undefined;
}

export function freshForEach(): void {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tw-sinks-'));
    Object.assign(rig, { path: join(dir, 'sinks.db'), nowMs: 0, drops: 0, busyDrops: 0 });
  });
  afterEach(async () => {
    await end();
    rmSync(dir, { recursive: true });
  });
}

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

export const row = (id: number, stream: Stream = 'metrics'): LedgerRow => ({
  id,
  terminal: 'lane-1',
  epoch: '07'.repeat(16),
  stream,
  seq: id,
  receivedMs: 1_000,
  bytes: new Uint8Array(),
});
export const rows = (first: number, last: number): LedgerRow[] =>
  Array.from({ length: last - first + 1 }, (_, i) => row(first + i));

type Answer = (rows: readonly LedgerRow[]) => SendResult;
export const taken = (items: number, buried: Buried[] = []): SendResult => ({
  kind: 'taken',
  items,
  buried,
});

export function run(
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
      drops: () => ({ all: rig.drops + rig.busyDrops, busy: rig.busyDrops }),
    }),
    close: () => {},
  };
  rig.store ??= openSinkStore(rig.path, 5, (aside) => warned.push(`damaged ${aside}`), LIMITS);
  rig.loop = startLoop({
    sink,
    reader: {
      readAfter: (id, limit) => ledger.filter((one) => one.id > id).slice(0, limit),
      newestId: () => ledger.at(-1)?.id ?? 0,
    },
    store: rig.store,
    generation: GENERATION,
    newestAtOpen: more.newestAtOpen ?? ledger.at(-1)?.id ?? 0,
    clock: { wallMs: () => 61_000, monotonicMs: () => rig.nowMs + performance.now() },
    timers,
    chance: () => 1,
    onTaken: () => {},
    onBuried: () => {},
    onChange: () => {},
    warn: (sentence) => warned.push(sentence),
  });
  return { sent, warned, waits, status: rig.loop.status };
}
