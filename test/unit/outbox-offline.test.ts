import { describe, expect, test } from 'vitest';
import type { Job } from '../../agent/telemetry/job.ts';
import { stretchesOf } from '../../agent/telemetry/notes.ts';
import { thin } from '../../agent/telemetry/thin.ts';
import { THIN_STEPS } from '../../agent/telemetry/thinning.ts';
import type { MetricColumns } from '../../protocol/metric-columns.ts';
import {
  DAY_MS,
  disagreements,
  EVERY_MS,
  goOffline,
  makeQuickFolder,
  receive,
  SERIES,
  snapshotOf,
  toldBy,
} from './offline-rig.ts';
import { freshForEach } from './outbox-fresh.ts';
import { ackFor, drain, eventsOf, open, snapshotAt, snapshotsOf } from './outbox-rig.ts';

const { folder, clock } = freshForEach(makeQuickFolder);

const HOURS = 4;
const INSTANTS = (HOURS * 3_600_000) / EVERY_MS;

describe('hours without a line', () => {
  test('arrive whole, once, with the times at which the samples were taken', () => {
    const outbox = open(folder.path, clock);
    const startMs = goOffline(outbox, clock, INSTANTS);
    const { bytes } = outbox.stats();
    const arrived = receive(outbox, startMs, INSTANTS);
    expect(arrived.samples).toBe(INSTANTS * SERIES);
    expect(arrived.counts.every((count) => count === SERIES)).toBe(true);
    expect(arrived.wrong).toBe(0);
    expect(arrived.events.map(({ kind }) => kind)).toEqual(['agent_stopping']);
    expect(bytes / arrived.samples).toBeLessThan(3);
    outbox.close();
  }, 60_000);

  test('that do not fit are dropped from the oldest, and one record says exactly what is missing', () => {
    const outbox = open(folder.path, clock, { bytesMax: 112 * 1024 });
    const startMs = goOffline(outbox, clock, INSTANTS);
    expect(outbox.stats().bytes).toBeLessThanOrEqual(112 * 1024);
    const arrived = receive(outbox, startMs, INSTANTS);
    const gaps = toldBy(arrived.events, 'gap');
    expect(gaps.samples).toBeGreaterThan(10_000);
    expect(arrived.samples + gaps.samples).toBe(INSTANTS * SERIES);
    expect(disagreements(arrived, startMs)).toEqual([]);
    expect(arrived.wrong).toBe(0);
    expect(gaps.ranges).toHaveLength(1);
    expect(arrived.events.filter(({ kind }) => kind === 'agent_stopping')).toHaveLength(1);
    outbox.close();
  }, 60_000);

  test('with minutes between that went out live: no record covers what arrived', () => {
    const outbox = open(folder.path, clock, { bytesMax: 100 * 1024 });
    const startMs = clock.wallMs();
    const before: ReturnType<typeof drain> = [];
    for (let instant = 0; instant < INSTANTS; instant += 1) {
      outbox.addSnapshot(snapshotOf(startMs, instant));
      // For a minute each quarter of an hour the line is good enough for what is live.
      if (instant % 60 === 59) {
        const [live] = outbox.takeBatches(16).filter((batch) => batch.stream === 'metrics');
        if (live !== undefined) {
          before.push(live);
          outbox.acknowledge(ackFor(outbox.epoch, [live], { brokerTimeMs: 0 }));
        }
      }
      clock.pass(EVERY_MS);
    }
    outbox.resendAll();
    const arrived = receive(outbox, startMs, INSTANTS);
    for (const snapshot of before.flatMap(snapshotsOf)) {
      const instant = (snapshot.timeMs - startMs) / EVERY_MS;
      arrived.counts[instant] = (arrived.counts[instant] ?? 0) + snapshot.samples.length;
    }
    const gaps = toldBy(arrived.events, 'gap');
    const sent = arrived.counts.reduce((sum, count) => sum + count, 0);
    expect(sent + gaps.samples).toBe(INSTANTS * SERIES);
    expect(gaps.ranges.length).toBeGreaterThan(1);
    expect(disagreements(arrived, startMs)).toEqual([]);
    outbox.close();
  }, 60_000);
});

describe('weeks without a line', () => {
  const few = (timeMs: number, instant: number) => ({
    timeMs,
    samples: Array.from({ length: 6 }, (_, i) => ({
      name: 'pos_test_total',
      labels: { index: String(i) },
      value: i < 3 ? instant * (i + 1) : ((instant * 7_919 + i * 104_729) % 9_973) / 100,
    })),
  });

  test('are made fewer by age before anything is dropped, and told; counters stay right', () => {
    const bytesMax = 144 * 1024;
    const outbox = open(folder.path, clock, { bytesMax });
    const startMs = clock.wallMs();
    const every = 60_000 / 2;
    const instants = (8 * DAY_MS) / every;
    for (let instant = 0; instant < instants; instant += 1) {
      outbox.addSnapshot(few(startMs + instant * every, instant));
      clock.pass(every);
    }
    const { thinned, bytes } = outbox.stats();
    expect(bytes).toBeLessThanOrEqual(bytesMax);
    const all = drain(outbox);
    const snapshots = all.filter((batch) => batch.stream === 'metrics').flatMap(snapshotsOf);
    const events = all.filter((batch) => batch.stream === 'events').flatMap(eventsOf);
    const sent = snapshots.reduce((sum, { samples }) => sum + samples.length, 0);
    const told = toldBy(events, 'thinned');
    const gaps = toldBy(events, 'gap');
    expect(thinned).toBe(told.samples);
    expect(thinned).toBeGreaterThan(0);
    expect(sent + told.samples + gaps.samples).toBe(instants * 6);
    for (const { timeMs, samples } of snapshots) {
      expect(samples).toEqual(few(timeMs, (timeMs - startMs) / every).samples);
    }
    // The last two days are as they were taken.
    const times = new Set(snapshots.map(({ timeMs }) => timeMs));
    const endMs = startMs + (instants - 1) * every;
    const step = THIN_STEPS[0];
    for (let timeMs = endMs - (step?.olderMs ?? 0); timeMs <= endMs; timeMs += every) {
      expect(times.has(timeMs)).toBe(true);
    }
    for (const { kind, fields } of events) {
      if (kind === 'thinned') expect([60_000, 300_000]).toContain(fields['everyMs']);
    }
    outbox.close();
  }, 60_000);
});

test('thinning leaves the last of each window, for every series, with its own time', () => {
  const body = (timesMs: number[], series: MetricColumns['series']): MetricColumns => ({
    timesMs,
    series,
  });
  const whole = { name: 'a_total', labels: [], at: undefined };
  const left = thin(
    [
      body([0, 15, 30, 45], [{ ...whole, values: [1, 2, 3, 4] }]),
      body(
        [60, 75, 130],
        [
          { ...whole, values: [5, 6, 7] },
          { name: 'b', labels: ['x', 'y'], at: [0], values: [9] },
        ],
      ),
    ],
    60,
  );
  const a = (value: number) => ({ name: 'a_total', labels: {}, value });
  expect(left).toEqual([
    { timeMs: 45, samples: [a(4)] },
    { timeMs: 60, samples: [{ name: 'b', labels: { x: 'y' }, value: 9 }] },
    { timeMs: 75, samples: [a(6)] },
    { timeMs: 130, samples: [a(7)] },
  ]);
});

test('rows dropped at once make one stretch for each run of them without a hole', () => {
  const row = (id: number, fromS: number, untilS: number, snapshots: number) => ({
    ...{ id, timeMs: fromS * 1_000, untilMs: untilS * 1_000, snapshots, samples: 10 * snapshots },
    mono: null,
  });
  const asItIs: Pick<Job, 'recordMs'> = { recordMs: (timeMs) => timeMs };
  const found = stretchesOf(asItIs, [
    row(1, 0, 45, 4),
    row(5, 60, 105, 4),
    // Here a minute went out live.
    row(13, 180, 180, 1),
    row(14, 195, 195, 1),
    // And here samples stand for five minutes each.
    row(15, 300, 900, 3),
    row(18, 1_200, 1_800, 3),
  ]);
  expect(found.map(({ fromMs, untilMs, samples }) => [fromMs, untilMs, samples])).toEqual([
    [0, 105_000, 80],
    [180_000, 1_800_000, 80],
  ]);
});

test('samples of two settings of the clock are not corrected as one', () => {
  const outbox = open(folder.path, clock);
  const truth: number[] = [];
  for (let n = 0; n < 120; n += 1) {
    truth.push(clock.monotonicMs());
    outbox.addSnapshot(snapshotAt(clock.wallMs()));
    if (n === 20) clock.jump(-200_000);
    clock.pass(EVERY_MS);
  }
  const base = 1_800_000_000_000;
  outbox.acknowledge(ackFor(outbox.epoch, [], { brokerTimeMs: base + clock.monotonicMs() }));
  const times = drain(outbox)
    .filter((batch) => batch.stream === 'metrics')
    .flatMap(snapshotsOf)
    .map(({ timeMs }) => timeMs - base);
  // Right to half of the ten seconds that the answer may have taken.
  expect(times.toSorted((a, b) => a - b)).toEqual(truth.map((at) => at + 5_000));
  outbox.close();
});
