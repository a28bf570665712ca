// The outbox on a disk that is short of room, full, or not writable for a while: what matters is written, what is
// given up is told, and it goes back to the disk by itself.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { METRICS_BYTES_LITTLE } from '../../agent/telemetry/room.ts';
import type { Outgoing } from '../../agent/telemetry/types.ts';
import { freshForEach } from './outbox-fresh.ts';
import { ackFor, drain, eventsOf, open, snapshotAt, snapshotsOf, someEvent } from './outbox-rig.ts';

const { folder, clock } = freshForEach();

const file = (): string => join(folder.path, 'outbox.db');
const of = (stream: string, batches: readonly Outgoing[]): Outgoing[] =>
  batches.filter((batch) => batch.stream === stream);
/** Hours of noise, in an outbox that has the room for it. */
function fill(outbox: ReturnType<typeof open>, snapshots: number): void {
  for (let n = 0; n < snapshots; n += 1) {
    clock.pass(15_000);
    const samples = Array.from({ length: 100 }, (_, index) => ({
      ...{ name: 'pos_test', labels: { index: String(index) }, value: Math.sin(n * 1_009 + index) },
    }));
    outbox.addSnapshot({ timeMs: clock.wallMs(), samples });
  }
}

describe('an outbox on a disk with little room', () => {
  test('gives up its oldest samples, tells it, and gives their place back to the disk', {
    timeout: 30_000,
  }, () => {
    const outbox = open(folder.path, clock, { bytesMax: 64 * 1024 * 1024 });
    outbox.addEvent(someEvent('before'));
    fill(outbox, 2_500);
    const before = outbox.stats();
    const beforeBytes = statSync(file()).size;
    expect(beforeBytes).toBeGreaterThan(1.5 * METRICS_BYTES_LITTLE);
    for (let look = 0; look < 20; look += 1) outbox.setRoom('little');
    expect(statSync(file()).size).toBeLessThan(beforeBytes * 0.75);
    const { waiting, drops } = outbox.stats();
    const gone = before.waiting.samples - waiting.samples;
    expect(drops).toEqual([{ stream: 'metrics', reason: 'disk', count: gone }]);
    outbox.setRoom('all');
    const batches = drain(outbox);
    const events = of('events', batches).flatMap(eventsOf);
    expect(events[0]?.kind).toBe('agent_stopping');
    const told = events.filter(({ kind }) => kind === 'gap');
    expect(told.reduce((sum, { fields }) => sum + Number(fields['samples']), 0)).toBe(gone);
    const kept = of('metrics', batches)
      .flatMap(snapshotsOf)
      .flatMap(({ samples }) => samples);
    expect(kept).toHaveLength(waiting.samples);
    outbox.close();
  });

  test('at the floor writes events and results only, and says later what is missing', () => {
    const outbox = open(folder.path, clock);
    outbox.setRoom('urgent');
    outbox.addSnapshot(snapshotAt(clock.wallMs()));
    outbox.addEvent(someEvent('the disk is full'));
    expect(outbox.stats()).toMatchObject({
      waiting: { samples: 0, events: 1 },
      drops: [{ stream: 'metrics', reason: 'disk', count: 3 }],
    });
    outbox.setRoom('all');
    outbox.addSnapshot(snapshotAt(clock.wallMs()));
    const batches = drain(outbox);
    expect(of('metrics', batches).flatMap(snapshotsOf)).toHaveLength(1);
    expect(
      of('events', batches)
        .flatMap(eventsOf)
        .map(({ kind, fields }) => [kind, fields['samples']]),
    ).toEqual([
      ['agent_stopping', undefined],
      ['gap', 3],
    ]);
    outbox.close();
  });
});

describe('an outbox that had to begin in memory', () => {
  test('goes home with all that waits, behind what the disk still had, and loses and doubles nothing', () => {
    const holder = open(folder.path, clock);
    const outbox = open(folder.path, clock);
    expect(outbox.stats().durable).toBe(false);
    outbox.addEvent(someEvent('from memory'));
    const memory = Buffer.from(outbox.epoch).toString('hex');
    // What is on its way keeps it in memory: its epoch must be acknowledged first.
    const [sent] = outbox.takeBatches(1);
    outbox.addEvent(someEvent('later'));
    outbox.addSnapshot(snapshotAt(clock.wallMs()));
    holder.addEvent(someEvent('from the one before'));
    holder.close();
    clock.pass(10_000);
    outbox.addEvent(someEvent('still in memory'));
    expect(outbox.stats().durable).toBe(false);
    outbox.acknowledge(ackFor(outbox.epoch, sent === undefined ? [] : [sent]));
    clock.pass(10_000);
    outbox.addEvent(someEvent('at home'));
    expect(outbox.stats().durable).toBe(true);
    expect(Buffer.from(outbox.epoch).toString('hex')).not.toBe(memory);
    outbox.close();
    const again = open(folder.path, clock);
    const batches = drain(again);
    const reasons = of('events', batches)
      .flatMap(eventsOf)
      .map(({ fields }) => fields['reason']);
    expect(reasons).toEqual(['from the one before', 'later', 'still in memory', 'at home']);
    expect(of('metrics', batches).flatMap(snapshotsOf)).toHaveLength(1);
    again.close();
  });

  test('stays there, quietly, as long as somebody else holds the file', () => {
    const holder = open(folder.path, clock);
    const outbox = open(folder.path, clock);
    for (let n = 0; n < 20; n += 1) {
      clock.pass(5_000);
      outbox.addEvent(someEvent(`${n}`));
    }
    expect(outbox.stats()).toMatchObject({ durable: false, waiting: { events: 21 } });
    outbox.close();
    holder.close();
  });
});
