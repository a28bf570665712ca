import { describe, expect, test } from 'vitest';
import type { Outgoing } from '../../agent/telemetry/types.ts';
import * as limits from '../../protocol/limits.ts';
import { freshForEach } from './outbox-fresh.ts';
import {
  ackFor,
  drain,
  eventsOf,
  open,
  START_MS,
  snapshotAt,
  snapshotsOf,
  someEvent,
} from './outbox-rig.ts';

const { folder, clock } = freshForEach();

const EVERY_MS = 15_000;
const result = (index: number) => ({
  commandId: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
  state: 'succeeded' as const,
  reason: 'restarted',
  timeMs: START_MS,
  detail: { index },
});
const names = (batches: readonly Outgoing[]) =>
  batches.map(({ stream, seq }) => `${stream}/${seq}`);

/** Samples as a sampler would, without a line, for so long. @returns the times. */
function sampleFor(outbox: ReturnType<typeof open>, ms: number, series = 3): number[] {
  const times: number[] = [];
  for (let passed = 0; passed < ms; passed += EVERY_MS) {
    times.push(clock.wallMs());
    outbox.addSnapshot(snapshotAt(clock.wallMs(), series));
    clock.pass(EVERY_MS);
  }
  return times;
}

describe('sealing', () => {
  test('live samples are sealed a minute at a time, none left out, none twice', () => {
    const outbox = open(folder.path, clock);
    const seen: number[][] = [];
    const times: number[] = [];
    for (let i = 0; i < 41; i += 1) {
      times.push(clock.wallMs());
      outbox.addSnapshot(snapshotAt(clock.wallMs()));
      for (const batch of drain(outbox)) seen.push(snapshotsOf(batch).map((s) => s.timeMs));
      clock.pass(EVERY_MS);
    }
    expect(seen.flat()).toEqual(times);
    expect(seen.map((batch) => batch.length)).toEqual([1, ...Array(10).fill(4)]);
    outbox.close();
  });

  test('an event is sealed at once and alone, later ones together when there is room again', () => {
    const outbox = open(folder.path, clock);
    const sent: Outgoing[] = [];
    for (let i = 0; i < 40; i += 1) {
      outbox.addEvent(someEvent(`event ${i}`));
      sent.push(...outbox.takeBatches(16));
    }
    // Two places of the window stay free for results.
    expect(names(sent)).toEqual(Array.from({ length: 14 }, (_, i) => `events/${i + 1}`));
    outbox.addResult(result(1));
    expect(names(outbox.takeBatches(16))).toEqual(['results/1']);
    outbox.acknowledge(ackFor(outbox.epoch, sent));
    const rest = outbox.takeBatches(16);
    expect(names(rest)).toEqual(['events/15']);
    expect(rest.flatMap(eventsOf).map((event) => event.fields['reason'])).toEqual(
      Array.from({ length: 26 }, (_, i) => `event ${i + 14}`),
    );
    outbox.close();
  });

  test('results go before events, events before live metrics, live before backlog', () => {
    const outbox = open(folder.path, clock);
    const times = sampleFor(outbox, 45 * 60_000);
    outbox.addEvent(someEvent('later'));
    outbox.addResult(result(1));
    const taken = outbox.takeBatches(16);
    expect(names(taken).slice(0, 3)).toEqual(['results/1', 'events/1', 'metrics/1']);
    const [live, ...backlog] = taken.slice(2).map((b) => snapshotsOf(b).map((s) => s.timeMs));
    expect(live).toEqual(times.slice(-6));
    expect(backlog.flat()).toEqual(times.slice(0, -6));
    outbox.close();
  });

  test('backlog batches span at most ten minutes and fill at most half of the window', () => {
    const outbox = open(folder.path, clock);
    const times = sampleFor(outbox, 3 * 3_600_000, 20);
    const first = outbox.takeBatches(16);
    expect(first.length).toBe(limits.WINDOW_BATCHES / 2);
    outbox.acknowledge(ackFor(outbox.epoch, first, { brokerTimeMs: clock.wallMs() }));
    const all = [...first, ...drain(outbox)];
    for (const batch of all) {
      const instants = snapshotsOf(batch).map((s) => s.timeMs);
      const spanMs = (instants.at(-1) ?? 0) - (instants[0] ?? 0);
      expect(spanMs).toBeLessThan(limits.SEAL_SPAN_MS);
    }
    const seen = all.flatMap((b) => snapshotsOf(b).map((s) => s.timeMs));
    expect(seen.toSorted((a, b) => a - b)).toEqual(times);
    expect(all.map((b) => b.seq)).toEqual(all.map((_, index) => index + 1));
    expect(outbox.stats().waiting).toEqual({ samples: 0, events: 0, results: 0, spans: 0 });
    outbox.close();
  });

  test('a body is cut at 48 KiB of raw samples, and a snapshot that is larger is split', () => {
    const outbox = open(folder.path, clock);
    const wide = (timeMs: number) => ({
      timeMs,
      samples: Array.from({ length: 400 }, (_, i) => ({
        name: `pos_test_${i}`,
        labels: { long: 'x'.repeat(200) },
        value: Math.sin(timeMs * 1_000 + i),
      })),
    });
    outbox.addSnapshot(wide(START_MS));
    outbox.addSnapshot(wide(START_MS + 1));
    clock.pass(10);
    const batches = drain(outbox);
    const values = batches.flatMap(snapshotsOf).flatMap((s) => s.samples.map((x) => x.value));
    expect(values.length).toBe(800);
    expect(new Set(values).size).toBe(800);
    for (const batch of batches) expect(batch.bytes.length).toBeLessThan(limits.BATCH_BYTES_MAX);
    expect(batches.length).toBeGreaterThan(3);
    outbox.close();
  });

  test('many large events are sealed into batches that a broker accepts', () => {
    const outbox = open(folder.path, clock);
    for (let i = 0; i < 40; i += 1) outbox.addEvent(someEvent(`${i} ${'\u20ac'.repeat(30_000)}`));
    const batches = drain(outbox);
    expect(batches.flatMap(eventsOf).length).toBe(40);
    outbox.close();
  });
});

describe('after an outage', () => {
  test('what was sampled while it lasted is sent, and then samples are live again', () => {
    const outbox = open(folder.path, clock);
    const times = sampleFor(outbox, 30 * 60_000);
    const seen = drain(outbox).map((batch) => snapshotsOf(batch).map((s) => s.timeMs));
    expect(seen.flat().toSorted()).toEqual(times);
    const sizes: number[] = [];
    for (let i = 0; i < 12; i += 1) {
      sampleFor(outbox, EVERY_MS);
      sizes.push(...drain(outbox).map((batch) => snapshotsOf(batch).length));
    }
    expect(sizes).toEqual([4, 4, 4]);
    outbox.close();
  });
});

describe('sending', () => {
  test('an unacknowledged batch is sent again after 30 s, then 60 s, with the same bytes', () => {
    const outbox = open(folder.path, clock);
    outbox.addEvent(someEvent('once'));
    const [first] = outbox.takeBatches(16);
    const sentAt: number[] = [];
    for (let second = 0; second <= 240; second += 1) {
      const [again] = outbox.takeBatches(16);
      if (again !== undefined) {
        sentAt.push(second);
        expect(again.bytes).toEqual(first?.bytes);
        expect(again.resend).toBe(true);
      }
      clock.pass(1_000);
    }
    expect(sentAt).toEqual([30, 90, 210]);
    outbox.close();
  });

  test('after a reconnect everything unacknowledged is due at once, in drain order', () => {
    const outbox = open(folder.path, clock);
    outbox.addSnapshot(snapshotAt(START_MS));
    const [metrics] = outbox.takeBatches(16);
    outbox.addEvent(someEvent('later'));
    outbox.takeBatches(16);
    expect(outbox.takeBatches(16)).toEqual([]);
    outbox.resendAll();
    expect(outbox.inFlight()).toBe(0);
    const again = outbox.takeBatches(16);
    expect(names(again)).toEqual(['events/1', 'metrics/1']);
    expect(again[1]?.bytes).toEqual(metrics?.bytes);
    outbox.close();
  });

  test('a process that starts again sends the very bytes that were sealed before', () => {
    const before = open(folder.path, clock);
    before.addEvent(someEvent('before'));
    const [sent] = before.takeBatches(16);
    before.close();
    const after = open(folder.path, clock);
    expect(after.epoch).toEqual(before.epoch);
    expect([before.starts, after.starts]).toEqual([1, 2]);
    expect(after.takeBatches(16)[0]?.bytes).toEqual(sent?.bytes);
    after.close();
  });

  test('seq counts from 1 without holes per stream, across restarts', () => {
    const seen: string[] = [];
    for (let life = 0; life < 5; life += 1) {
      const outbox = open(folder.path, clock);
      outbox.addEvent(someEvent(`life ${life}`));
      outbox.addSnapshot(snapshotAt(clock.wallMs()));
      seen.push(...names(drain(outbox)));
      clock.pass(EVERY_MS);
      outbox.close();
    }
    expect(seen).toEqual([1, 2, 3, 4, 5].flatMap((n) => [`events/${n}`, `metrics/${n}`]));
  });
});

describe('acknowledgements', () => {
  test('only for our epoch; a foreign one touches nothing and is counted', () => {
    const outbox = open(folder.path, clock);
    outbox.addEvent(someEvent('mine'));
    const taken = outbox.takeBatches(16);
    const foreign = outbox.acknowledge(ackFor(new Uint8Array(16).fill(7), taken));
    expect(foreign).toEqual({ acknowledged: 0, refused: 0, foreign: true });
    expect(outbox.stats()).toMatchObject({ foreignAcks: 1, batches: { events: 1 } });
    const everything = { stream: 'events' as const, ranges: [{ first: 1, last: 2 ** 50 }] };
    const own = { ...ackFor(outbox.epoch, []), streams: [everything] };
    expect(outbox.acknowledge(own).acknowledged).toBe(1);
    expect(outbox.acknowledge(own).acknowledged).toBe(0);
    outbox.close();
  });

  test('a refused batch moves to the dead letters, which are bounded', () => {
    const outbox = open(folder.path, clock);
    for (let i = 0; i < 50; i += 1) {
      outbox.addEvent(someEvent(`refused ${i}`));
      const [batch] = outbox.takeBatches(16);
      const refused = [{ stream: 'events' as const, seq: batch?.seq ?? 0, reason: 'no' }];
      const done = outbox.acknowledge({ ...ackFor(outbox.epoch, []), refused });
      expect(done.refused).toBe(1);
    }
    const stats = outbox.stats();
    expect(stats.refused).toEqual({ events: 50 });
    expect(stats.deadLetters).toBe(32);
    expect(stats.batches.events).toBe(0);
    expect(stats.drops).toEqual([{ stream: 'events', reason: 'dead_letter_quota', count: 18 }]);
    outbox.close();
  });
});
