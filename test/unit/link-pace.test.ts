// What the link heeds of an acknowledgement, over a session that the test plays and a clock that it drives.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startLink } from '../../agent/link/link.ts';
import type { SessionHandlers } from '../../agent/link/session.ts';
import type { Timers } from '../../agent/ports.ts';
import type { Outbox } from '../../agent/telemetry/types.ts';
import { type Ack, decodeBatch, encodeAck, NO_EPOCH } from '../../protocol/wire.ts';
import { makeQuickFolder } from './offline-rig.ts';
import {
  ackFor,
  type FakeClock,
  fakeClock,
  need,
  open,
  quietLog,
  snapshotAt,
  someEvent,
} from './outbox-rig.ts';

let folder: ReturnType<typeof makeQuickFolder>;
let clock: FakeClock;
let outbox: Outbox;
beforeEach(() => {
  folder = makeQuickFolder();
  clock = fakeClock();
  outbox = open(folder.path, clock);
});
afterEach(() => {
  outbox.close();
  folder.remove();
});

type Timer = { atMs: number; readonly everyMs: number | undefined; readonly run: () => void };

/** Timers that fire as the clock passes, in order. */
function playTimers() {
  const all = new Set<Timer>();
  const add = (everyMs: number | undefined) => (ms: number, run: () => void) => {
    const timer = { atMs: clock.monotonicMs() + ms, everyMs: everyMs ?? undefined, run };
    all.add(timer);
    return () => void all.delete(timer);
  };
  const timers: Timers = {
    after: add(undefined),
    every: (ms, run) => add(ms)(ms, run),
  };
  const pass = (ms: number): void => {
    const endMs = clock.monotonicMs() + ms;
    for (;;) {
      const next = [...all].filter((t) => t.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      clock.pass(Math.max(0, (next?.atMs ?? endMs) - clock.monotonicMs()));
      if (next === undefined) return;
      if (next.everyMs === undefined) all.delete(next);
      else next.atMs += next.everyMs;
      next.run();
    }
  };
  return { timers, pass };
}

type Sent = { readonly name: string; readonly bytes: number; readonly atMs: number };

/** Connected; each batch is acknowledged after 5 ms with what `more` says. */
function linked(more: () => Partial<Ack>) {
  const { timers, pass } = playTimers();
  const sent: Sent[] = [];
  let handlers: SessionHandlers | undefined;
  startLink({
    ...{
      terminal: 'lane-1',
      broker: { host: '127.0.0.1', port: 1 },
      outbox,
      clock,
      timers,
    },
    ...{ log: quietLog(), onCommand: () => {}, random: () => 0 },
    openSession: (_options, given) => {
      handlers = given;
      return {
        publish: (_topic, bytes) => {
          const { stream, seq } = need(decodeBatch(bytes));
          sent.push({ name: stream, bytes: bytes.length, atMs: clock.monotonicMs() });
          const ack = ackFor(outbox.epoch, [{ stream, seq }], { brokerTimeMs: 0, ...more() });
          timers.after(5, () => given.onAck(encodeAck(ack)));
        },
        destroy: () => {},
        leave: () => Promise.resolve(),
      };
    },
  });
  pass(100);
  handlers?.onUp();
  handlers?.onAck(encodeAck(ackFor(NO_EPOCH, [], { brokerTimeMs: 0 })));
  pass(10);
  return { pass, sent, end: () => handlers?.onDown('cut') };
}

/** Three hours without a line: eighteen bodies of backlog. */
function fill(): void {
  for (let n = 0; n < 720; n += 1) {
    outbox.addSnapshot(snapshotAt(clock.wallMs(), 40, n * 7.25));
    clock.pass(15_000);
  }
}

describe('the pace', () => {
  test('holds back backlog; results, events and live samples go at once', () => {
    const bytesPerSecond = 40;
    outbox.addEvent(someEvent('learns the pace'));
    const { pass, sent } = linked(() => ({ paceBytesPerSecond: bytesPerSecond }));
    expect(sent.map(({ name }) => name)).toEqual(['events']);
    fill();
    const beganMs = clock.monotonicMs();
    const urgent: number[] = [];
    for (let second = 0; second < 60; second += 1) {
      if (second % 10 === 0) {
        outbox.addEvent(someEvent(`at ${second}`));
        urgent.push(clock.monotonicMs());
      }
      pass(1_000);
    }
    const after = sent.filter(({ atMs }) => atMs >= beganMs);
    const events = after.filter(({ name }) => name === 'events');
    expect(events.map(({ atMs }) => atMs)).toEqual(urgent);
    const [live, ...backlog] = after.filter(({ name }) => name === 'metrics');
    expect(live?.atMs).toBe(beganMs);
    const bytes = backlog.reduce((sum, batch) => sum + batch.bytes, 0);
    const largest = Math.max(...backlog.map((batch) => batch.bytes));
    expect(bytes).toBeGreaterThan(bytesPerSecond * 30);
    expect(bytes).toBeLessThanOrEqual(bytesPerSecond * 61 + largest);
  });

  test('is none when the broker names none: backlog goes as fast as it is acknowledged', () => {
    fill();
    const { pass, sent } = linked(() => ({}));
    pass(500);
    expect(outbox.stats().waiting.samples).toBe(0);
    expect(sent.length).toBeGreaterThan(15);
  });
});

describe('the wish for faster samples', () => {
  const sampleFor = (pass: (ms: number) => void, minutes: number): void => {
    for (let n = 0; n < minutes * 4; n += 1) {
      outbox.addSnapshot(snapshotAt(clock.wallMs()));
      pass(15_000);
    }
  };

  test('is heeded while it lasts, within bounds, and ends with a 0 or with the connection', () => {
    let sendEveryMs = 0;
    const { pass, sent, end } = linked(() => ({ sendEveryMs }));
    const batchesOf = (minutes: number): number => {
      const before = sent.length;
      sampleFor(pass, minutes);
      return sent.length - before;
    };
    batchesOf(2);
    expect(batchesOf(5)).toBe(5);
    sendEveryMs = 15_000;
    batchesOf(1);
    expect(batchesOf(5)).toBe(20);
    sendEveryMs = 0;
    batchesOf(1);
    expect(batchesOf(5)).toBe(5);
    // Less than a second would be a hot loop.
    sendEveryMs = 1;
    batchesOf(1);
    outbox.addSnapshot(snapshotAt(clock.wallMs()));
    pass(1_000);
    const before = sent.length;
    for (let n = 0; n < 8; n += 1) {
      outbox.addSnapshot(snapshotAt(clock.wallMs()));
      pass(250);
    }
    expect(sent.length - before).toBeLessThanOrEqual(2);
    end();
    outbox.resendAll();
    outbox.takeBatches(16);
    sampleFor((ms) => clock.pass(ms), 2);
    const taken = outbox.takeBatches(16).filter(({ backlog }) => !backlog);
    expect(taken).toHaveLength(1);
  });
});
