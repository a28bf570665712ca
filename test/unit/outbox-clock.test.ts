import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { createDrops } from '../../agent/telemetry/drops.ts';
import { OutboxFile } from '../../agent/telemetry/file.ts';
import { createBrokerTime } from '../../agent/telemetry/time.ts';
import type { Outbox } from '../../agent/telemetry/types.ts';
import { NO_EPOCH } from '../../protocol/wire.ts';
import { DAY_MS, makeQuickFolder, toldBy } from './offline-rig.ts';
import { freshForEach } from './outbox-fresh.ts';
import {
  ackFor,
  drain,
  eventsOf,
  open,
  quietLog,
  START_MS,
  snapshotAt,
  snapshotsOf,
} from './outbox-rig.ts';

const { folder, clock } = freshForEach(makeQuickFolder);

test('a sample that stands alone between two pauses keeps nothing around it from being made fewer', () => {
  const outbox = open(folder.path, clock, { bytesMax: 110 * 1024 });
  let taken = 0;
  const sample = (): void => {
    outbox.addSnapshot(snapshotAt(clock.wallMs(), 6));
    taken += 6;
  };
  for (let day = 0; day < 6; day += 1) {
    const endMs = clock.wallMs() + DAY_MS;
    while (clock.wallMs() < endMs - 25 * 60_000) {
      sample();
      clock.pass(30_000);
    }
    clock.pass(12 * 60_000);
    sample();
    clock.pass(endMs - clock.wallMs());
  }
  const { thinned } = outbox.stats();
  const all = drain(outbox);
  const events = all.filter(({ stream }) => stream === 'events').flatMap(eventsOf);
  const snapshots = all.filter(({ stream }) => stream === 'metrics').flatMap(snapshotsOf);
  const sent = snapshots.reduce((sum, { samples }) => sum + samples.length, 0);
  const gaps = toldBy(events, 'gap');
  expect(thinned).toBeGreaterThan(0);
  expect(sent + thinned + gaps.samples).toBe(taken);
  expect(gaps.samples).toBe(0);
  outbox.close();
}, 60_000);

const EVERY_MS = 15_000;
const BASE_MS = Date.UTC(2030, 0, 1);

/** Takes everything, and finds the samples for which records and what arrived do not agree. */
function disagreements(outbox: Outbox, truth: readonly number[]) {
  const all = drain(outbox);
  const events = all.filter(({ stream }) => stream === 'events').flatMap(eventsOf);
  const snapshots = all.filter(({ stream }) => stream === 'metrics').flatMap(snapshotsOf);
  const gaps = toldBy(events, 'gap');
  const sent = snapshots.reduce((sum, one) => sum + one.samples.length, 0);
  const came = new Set(snapshots.map(({ timeMs }) => timeMs));
  const isTold = (at: number): boolean =>
    gaps.ranges.some(([fromMs, untilMs]) => fromMs <= at && at <= untilMs);
  const wrong = truth.filter((at) => isTold(at) === came.has(at));
  const thinned = toldBy(events, 'thinned').samples;
  return { wrong, samples: sent + gaps.samples, thinned, ranges: gaps.ranges };
}

/** The first word of a session, whose age is known to be nothing. */
const greet = (outbox: Outbox): void => {
  const brokerTimeMs = BASE_MS + clock.monotonicMs();
  outbox.acknowledge(ackFor(NO_EPOCH, [], { brokerTimeMs }), 0);
};

describe('records of what was dropped are at the times that were true', () => {
  const truth: number[] = [];
  const sample = (outbox: Outbox, count: number): void => {
    for (let n = 0; n < count; n += 1) {
      truth.push(BASE_MS + clock.monotonicMs());
      outbox.addSnapshot(snapshotAt(outbox.time.nowMs(), 30, Math.sin(truth.length) * 1e6));
      clock.pass(EVERY_MS);
    }
  };
  beforeEach(() => {
    truth.length = 0;
  });
  const small = { bytesMax: 80 * 1024 };

  test.each([
    ['from 1970 to today', -START_MS, START_MS],
    ['ahead by a day', 0, DAY_MS],
    ['back by a day', 0, -DAY_MS],
  ])('where the clock was set %s before the broker was met', (_, before, later) => {
    clock.jump(before);
    const outbox = open(folder.path, clock, small);
    sample(outbox, 300);
    clock.jump(later);
    sample(outbox, 1_200);
    greet(outbox);
    const { wrong, samples, thinned } = disagreements(outbox, truth);
    expect({ wrong, samples, thinned }).toEqual({ wrong: [], samples: 45_000, thinned: 0 });
    outbox.close();
  });

  test('where an agent that does not know the time yet drops what one that knew it had taken', () => {
    const knew = open(folder.path, clock, small);
    greet(knew);
    sample(knew, 500);
    knew.close();
    const outbox = open(folder.path, clock, small);
    sample(outbox, 500);
    greet(outbox);
    const { wrong, samples, thinned } = disagreements(outbox, truth);
    expect({ wrong, samples, thinned }).toEqual({ wrong: [], samples: 30_000, thinned: 0 });
    outbox.close();
  });
});

test('an agent that is killed before it has told of a damaged file leaves the mark of that file', () => {
  const before = open(folder.path, clock);
  before.addSnapshot(snapshotAt(clock.wallMs()));
  before.close();
  const path = join(folder.path, 'outbox.db');
  const mark = readFileSync(`${path}-mark`, 'latin1');
  writeFileSync(path, 'garbage'.repeat(1_000));
  const time = createBrokerTime(clock);
  const base = { path, bytesMax: 4 * 1024 * 1024, clock, log: quietLog(), time };
  const told: unknown[] = [];
  const drops = createDrops();
  const file = new OutboxFile(
    { ...base, sendMs: () => 60_000, onNewEpoch: () => undefined },
    { drops, onLoss: (gap) => told.push(gap) },
  );
  expect(told).toHaveLength(1);
  expect(readFileSync(`${path}-mark`, 'latin1')).toBe(mark);
  file.close();
});
