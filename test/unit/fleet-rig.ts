// A broker's back without its front: a ledger in memory, a clock that is moved by hand, and batches as
// terminals would send them.

import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Clock, Timers } from '../../broker/clock.ts';
import { type Fleet, type FleetOptions, openFleet } from '../../broker/fleet/fleet.ts';
import type { Ledger, LedgerRow } from '../../broker/ledger.ts';
import { createMetrics } from '../../broker/metrics.ts';
import type { Log } from '../../broker/ports.ts';
import { packBody } from '../../protocol/body.ts';
import { type CommandResult, encodeResultBody } from '../../protocol/commands.ts';
import { encodeEventBody, type NewEvent, type TerminalEvent } from '../../protocol/events.ts';
import { encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import { ok, type Result } from '../../protocol/result.ts';
import { encodeBatch, type Stream } from '../../protocol/wire.ts';

export const START_MS = 1_800_000_000_000;
export const EPOCH = 'a1'.repeat(16);
export const PRESENCE = { lateMs: 90_000, lostMs: 300_000 };

export const quiet: Log = { info: () => {}, warn: () => {}, error: () => {} };

export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

/** In memory where there is room: tables made on a disk are half of what a server in a test costs. */
function base(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    if (bavail * bsize > 512 * 1024 * 1024) return '/dev/shm';
  } catch {
    // Not every system has one.
  }
  return tmpdir();
}

/** A folder that goes with the test. */
export function folder(): string {
  const path = mkdtempSync(join(base(), 'tillwatch-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function fakeTime() {
  let now = 0;
  let next = 0;
  const due = new Map<number, { at: number; every: number | undefined; run: () => void }>();
  const add = (ms: number, every: number | undefined, run: () => void) => {
    next += 1;
    const id = next;
    due.set(id, { at: now + ms, every, run });
    return () => {
      due.delete(id);
    };
  };
  const clock: Clock = { monotonicMs: () => now, wallMs: () => START_MS + now };
  const timers: Timers = {
    after: (ms, run) => add(ms, undefined, run),
    every: (ms, run) => add(ms, ms, run),
  };
  return {
    clock,
    timers,
    /** Moves time on and runs what falls due, in order. */
    pass: (ms: number): void => {
      const until = now + ms;
      for (;;) {
        const [first] = [...due].filter(([, t]) => t.at <= until).sort((a, b) => a[1].at - b[1].at);
        if (first === undefined) break;
        const [id, timer] = first;
        now = Math.max(now, timer.at);
        if (timer.every === undefined) due.delete(id);
        else due.set(id, { ...timer, at: timer.at + timer.every });
        timer.run();
      }
      now = until;
    },
  };
}

export type FakeLedger = FleetOptions['ledger'] & {
  /** What the broker recorded itself, with its time. */
  readonly own: Uint8Array[];
  readonly add: (row: Omit<LedgerRow, 'id' | 'receivedMs'> & { receivedMs?: number }) => void;
  readonly rows: LedgerRow[];
  readonly followed: () => number;
};

export function fakeLedger(wallMs: () => number): FakeLedger {
  const rows: LedgerRow[] = [];
  const listeners = new Set<() => void>();
  let followed = 0;
  const own: Uint8Array[] = [];
  const stats = () => ({ newestId: rows.length }) as ReturnType<Ledger['stats']>;
  return {
    generation: new Uint8Array(16).fill(7),
    rows,
    own,
    appendOwn: (_stream, body) => {
      own.push(body);
      return ok(undefined);
    },
    add: (row) => {
      rows.push({ receivedMs: wallMs(), ...row, id: rows.length + 1 });
      for (const listener of listeners) listener();
    },
    readAfter: (id, limit) => rows.slice(id, id + limit),
    onCommit: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    setFollowed: (_follower, id) => {
      followed = id;
    },
    followed: () => followed,
    stats,
  };
}

export function batchBytes(
  stream: Stream,
  seq: number,
  body: Uint8Array,
  { epoch = EPOCH, createdMs = START_MS, clockOffsetMs = 0 } = {},
): Uint8Array {
  const facts = { epoch: Buffer.from(epoch, 'hex'), stream, seq, createdMs, clockOffsetMs };
  return encodeBatch({ ...facts, ...packBody(body) });
}

let ids = 0;
export const happened = (timeMs: number, event: NewEvent): TerminalEvent => {
  ids += 1;
  return { id: `event-${ids}`, timeMs, ...event };
};

/** What terminals put into the ledger; each seq counts by itself. */
export function terminalsOf(ledger: FakeLedger) {
  const seqs = new Map<string, number>();
  const put = (terminal: string, stream: Stream, body: Uint8Array, epoch = EPOCH): void => {
    const lane = `${terminal} ${stream} ${epoch}`;
    const seq = (seqs.get(lane) ?? 0) + 1;
    seqs.set(lane, seq);
    ledger.add({ terminal, epoch, stream, seq, bytes: batchBytes(stream, seq, body, { epoch }) });
  };
  return {
    put,
    events: (terminal: string, ...events: TerminalEvent[]): void =>
      put(terminal, 'events', encodeEventBody(events)),
    metrics: (terminal: string, ...snapshots: Snapshot[]): void =>
      put(terminal, 'metrics', encodeMetricBody(snapshots)),
    results: (terminal: string, ...results: CommandResult[]): void =>
      put(terminal, 'results', encodeResultBody(results)),
  };
}

export type Rig = ReturnType<typeof rig>;

export function rig(options: Partial<FleetOptions> = {}) {
  const time = fakeTime();
  const ledger = fakeLedger(time.clock.wallMs);
  const metrics = createMetrics('test');
  const path = join(folder(), 'registry.db');
  let fleet: Fleet | undefined;
  const open = (): Fleet => {
    fleet = must(
      openFleet({
        path,
        ledger,
        ...time,
        terminals: [
          { id: 'lane-1', store: 'berlin' },
          { id: 'lane-2', store: 'berlin' },
        ],
        presence: PRESENCE,
        metrics,
        log: quiet,
        ...options,
      }),
    );
    return fleet;
  };
  open();
  onTestFinished(() => {
    if (fleet?.database.db.isOpen) fleet.close();
  });
  return {
    time,
    ledger,
    metrics,
    path,
    terminals: terminalsOf(ledger),
    get fleet(): Fleet {
      return fleet ?? open();
    },
    /** The end of the process, however it came, and the next start. */
    reopen: (): Fleet => {
      fleet?.close();
      return open();
    },
  };
}
