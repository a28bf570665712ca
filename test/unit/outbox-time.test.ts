import { describe, expect, test } from 'vitest';
import type { Outgoing } from '../../agent/telemetry/types.ts';
import { NO_EPOCH } from '../../protocol/wire.ts';
import { freshForEach } from './outbox-fresh.ts';
import {
  ackFor,
  batchOf,
  drain,
  eventsOf,
  type FakeClock,
  fakeClock,
  open,
  START_MS,
  snapshotAt,
  snapshotsOf,
  someEvent,
} from './outbox-rig.ts';

const { folder, clock } = freshForEach();

describe('time', () => {
  test('what was stamped before the first acknowledgement is sealed with the corrected time', () => {
    const slow = 3 * 3_600_000;
    clock.jump(-slow);
    const outbox = open(folder.path, clock);
    outbox.addEvent(someEvent('early'));
    outbox.addSnapshot(snapshotAt(outbox.time.nowMs()));
    clock.pass(2_000);
    outbox.acknowledge(ackFor(outbox.epoch, [], { brokerTimeMs: START_MS + 2_000 }));
    outbox.addSnapshot(snapshotAt(outbox.time.nowMs()));
    const batches = outbox.takeBatches(16);
    // Not known whose answer it was: right to half of the ten seconds that it may have taken.
    const error = 5_000;
    expect(eventsOf(batches[0] as Outgoing)[0]?.timeMs).toBe(START_MS + error);
    const times = batches
      .slice(1)
      .flatMap(snapshotsOf)
      .map((s) => s.timeMs);
    expect(times.toSorted()).toEqual([START_MS + error, START_MS + 2_000 + error]);
    expect(batchOf(batches[0] as Outgoing).clockOffsetMs).toBe(slow + error);
    outbox.close();
  });

  test('a better estimate puts no newer sample before an older one, whenever that was taken', () => {
    clock.jump(-3 * 3_600_000);
    const outbox = open(folder.path, clock);
    outbox.addSnapshot(snapshotAt(outbox.time.nowMs()));
    clock.pass(100);
    // Right to half a second, and then to a few milliseconds: it goes back by nearly that half.
    outbox.acknowledge(ackFor(NO_EPOCH, [], { brokerTimeMs: START_MS + 100 }), 1_000);
    const early = outbox.takeBatches(16).flatMap(snapshotsOf);
    outbox.acknowledge(ackFor(NO_EPOCH, [], { brokerTimeMs: START_MS + 100 }), 10);
    clock.pass(100);
    outbox.addSnapshot(snapshotAt(outbox.time.nowMs()));
    clock.pass(60_000);
    outbox.acknowledge(ackFor(outbox.epoch, []));
    const later = drain(outbox).flatMap(snapshotsOf);
    const times = [...early, ...later].map(({ timeMs }) => timeMs);
    expect(times.length).toBeGreaterThan(1);
    expect(later.at(-1)?.timeMs).toBeGreaterThan(early[0]?.timeMs ?? Number.POSITIVE_INFINITY);
    outbox.close();
  });

  test('a stamp of an earlier process stays as it is: its monotonic clock has ended', () => {
    const before = open(folder.path, clock);
    before.addSnapshot(snapshotAt(START_MS));
    before.addEvent(someEvent('early'));
    before.close();
    const later = fakeClock(START_MS + 600_000);
    later.pass(77_000);
    const after = open(folder.path, later);
    after.acknowledge(ackFor(after.epoch, [], { brokerTimeMs: START_MS + 677_000 }));
    const batches = drain(after);
    expect(eventsOf(batches[0] as Outgoing)[0]?.timeMs).toBe(START_MS);
    expect(snapshotsOf(batches[1] as Outgoing)[0]?.timeMs).toBe(START_MS);
    after.close();
  });

  test('a late answer that comes just after a resend does not pass for a quick one', () => {
    const outbox = open(folder.path, clock);
    const errorMs = () => Math.abs(outbox.time.nowMs() - clock.wallMs());
    outbox.addEvent(someEvent('once'));
    const once = outbox.takeBatches(16);
    clock.pass(200);
    outbox.acknowledge(ackFor(outbox.epoch, once, { brokerTimeMs: clock.wallMs() }));
    expect(errorMs()).toBeLessThanOrEqual(100);
    outbox.addEvent(someEvent('twice'));
    outbox.takeBatches(16);
    const stamped = clock.wallMs() + 50;
    clock.pass(31_000);
    const taken = outbox.takeBatches(16);
    expect(taken[0]?.resend).toBe(true);
    outbox.acknowledge(ackFor(outbox.epoch, taken, { brokerTimeMs: stamped }));
    expect(errorMs()).toBeLessThanOrEqual(100);
    outbox.close();
  });

  test('a jump of the wall clock does not move the corrected time', () => {
    const outbox = open(folder.path, clock);
    outbox.addEvent(someEvent('asks'));
    const taken = outbox.takeBatches(16);
    clock.pass(20);
    outbox.acknowledge(ackFor(outbox.epoch, taken, { brokerTimeMs: START_MS + 500_000 }));
    expect(outbox.time.nowMs()).toBe(START_MS + 500_010);
    clock.jump(-86_400_000);
    clock.pass(1_000);
    expect(outbox.time.nowMs()).toBe(START_MS + 501_010);
    expect(outbox.time.offsetMs()).toBe(500_000 + 86_400_000 - 10);
    outbox.close();
  });
});

describe('an agent that was killed before its first contact', () => {
  const bootOf = (clock: FakeClock, bootId: string, bootMs: () => number) => ({
    ...clock,
    bootId: () => bootId,
    bootMs,
  });

  /** A till whose clock says 1970, and an agent that lives twice before the broker answers. */
  function twoLives(secondBoot: string) {
    const start = fakeClock(0);
    start.pass(1_000);
    const first = openOutboxAt(bootOf(start, 'boot-1', () => 50_000 + start.monotonicMs()));
    first.addSnapshot(snapshotAt(first.time.nowMs()));
    first.addEvent(someEvent('early'));
    first.close();
    // Half a minute later another process, whose own monotonic clock begins anew.
    const later = fakeClock(31_000);
    const second = openOutboxAt(bootOf(later, secondBoot, () => 81_000 + later.monotonicMs()));
    const ack = ackFor(second.epoch, [], { brokerTimeMs: START_MS });
    second.acknowledge(ack);
    const all = drain(second);
    second.close();
    const [event] = all.filter((batch) => batch.stream === 'events').flatMap(eventsOf);
    const [snapshot] = all.filter((batch) => batch.stream === 'metrics').flatMap(snapshotsOf);
    return [event?.timeMs, snapshot?.timeMs];
  }
  const openOutboxAt = (own: FakeClock) => open(folder.path, own);

  test('has its samples and events at their true times all the same', () => {
    // Right to half of the ten seconds that the answer may have taken.
    expect(twoLives('boot-1')).toEqual([START_MS - 30_000 + 5_000, START_MS - 30_000 + 5_000]);
  });

  test('cannot know them when the machine was started anew meanwhile', () => {
    expect(twoLives('boot-2')).toEqual([1_000, 1_000]);
  });
});
