import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshForEach } from './outbox-fresh.ts';
import { drain, eventsOf, open, START_MS, snapshotsOf, someEvent } from './outbox-rig.ts';

const { folder, clock } = freshForEach();

const file = () => join(folder.path, 'outbox.db');

describe('the quota', () => {
  const BYTES_MAX = 512 * 1024;
  const ROUNDS = 900;
  const noisy = (timeMs: number) => ({
    timeMs,
    samples: Array.from({ length: 100 }, (_, i) => ({
      name: 'pos_test',
      labels: { index: String(i) },
      value: Math.sin(timeMs * 1_000 + i),
    })),
  });

  test('drops the oldest samples only; every one is sent or named by a gap; events stay', () => {
    const outbox = open(folder.path, clock, { bytesMax: BYTES_MAX });
    let taken = 0;
    for (let i = 0; i < ROUNDS; i += 1) {
      outbox.addSnapshot(noisy(clock.wallMs()));
      taken += 100;
      if (i % 100 === 0) outbox.addEvent(someEvent(`event ${i}`));
      clock.pass(15_000);
    }
    expect(outbox.stats().bytes).toBeLessThanOrEqual(BYTES_MAX);
    outbox.close();
    expect(readFileSync(file()).length).toBeLessThanOrEqual(BYTES_MAX);
    const again = open(folder.path, clock, { bytesMax: BYTES_MAX });
    const all = drain(again);
    const snapshots = all.filter((b) => b.stream === 'metrics').flatMap(snapshotsOf);
    const events = all.filter((b) => b.stream === 'events').flatMap(eventsOf);
    const gaps = events.filter((event) => event.kind === 'gap');
    const sent = snapshots.reduce((sum, s) => sum + s.samples.length, 0);
    const named = gaps.reduce((sum, gap) => sum + Number(gap.fields['samples']), 0);
    expect(events.length - gaps.length).toBe(ROUNDS / 100);
    expect(sent + named).toBe(taken);
    expect(sent).toBeGreaterThan(10_000);
    expect(gaps.length).toBeGreaterThan(0);
    const times = snapshots.map((s) => s.timeMs).toSorted((a, b) => a - b);
    expect(times[0]).toBe(START_MS + (ROUNDS - snapshots.length) * 15_000);
    again.close();
  }, 60_000);

  test('events take the place of samples, and of the oldest events only when none are left', () => {
    const outbox = open(folder.path, clock, { bytesMax: BYTES_MAX });
    for (let i = 0; i < 20; i += 1) {
      outbox.addSnapshot(noisy(clock.wallMs()));
      clock.pass(3_600_000);
    }
    const text = (i: number) => `${i} ${'x'.repeat(8_000)}`;
    for (let i = 0; i < 120; i += 1) outbox.addEvent(someEvent(text(i)));
    const all = drain(outbox);
    const events = all.filter((b) => b.stream === 'events').flatMap(eventsOf);
    const gaps = events.filter((event) => event.kind === 'gap');
    const named = (stream: string, field: string) =>
      gaps
        .filter((gap) => gap.fields['stream'] === stream)
        .reduce((sum, gap) => sum + Number(gap.fields[field]), 0);
    const kept = events.filter((event) => event.kind !== 'gap');
    expect(named('metrics', 'samples')).toBe(2_000);
    expect(kept.length + named('events', 'events')).toBe(120);
    expect(kept.at(-1)?.fields['reason']).toBe(text(119));
    expect(kept[0]?.fields['reason']).toBe(text(120 - kept.length));
    outbox.close();
  });

  test('a batch that was dropped on its way is not waited for, and its times are told', () => {
    const outbox = open(folder.path, clock, { bytesMax: 128 * 1024 });
    for (const _ of [1, 2]) {
      outbox.addSnapshot(noisy(clock.wallMs()));
      clock.pass(15_000);
    }
    expect(outbox.takeBatches(16)).toHaveLength(1);
    expect(outbox.inFlight()).toBe(1);
    for (let i = 0; i < 60; i += 1) outbox.addEvent(someEvent(`${i} ${'x'.repeat(4_000)}`));
    expect(outbox.inFlight()).toBe(0);
    const gaps = drain(outbox)
      .filter((b) => b.stream === 'events')
      .flatMap(eventsOf)
      .filter((event) => event.kind === 'gap')
      .map((event) => event.fields);
    const sealed = { stream: 'metrics', first: 1, last: 1, samples: 200 };
    const times = { fromMs: START_MS, untilMs: START_MS + 15_000 };
    expect(gaps).toContainEqual(expect.objectContaining({ ...sealed, ...times }));
    outbox.close();
  });
});
