// A till without a line, simulated: what it samples can be computed again for any instant, so that nothing needs
// to be remembered to check every value that arrives, and what arrived is counted by instant. Constants, counters
// and noisy gauges with decimals, as a real till has them.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outbox, Outgoing } from '../../agent/telemetry/types.ts';
import { unpackBody } from '../../protocol/body.ts';
import type { TerminalEvent } from '../../protocol/events.ts';
import type { Labels, Sample, Snapshot } from '../../protocol/metric-body.ts';
import { decodeMetricColumns } from '../../protocol/metric-columns.ts';
import { ackFor, batchOf, eventsOf, type FakeClock, need } from './outbox-rig.ts';

/** In memory where the machine has a place for that: a month has 170 000 commits, and the disk is not what is tested. */
export function makeQuickFolder(): { readonly path: string; readonly remove: () => void } {
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const path = mkdtempSync(join(base, 'tw-offline-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export const EVERY_MS = 15_000;
/** A till has a hundred; a test that takes them for a month may do with fewer. */
export const SERIES = Number(process.env['TILLWATCH_SERIES'] ?? 100);
export const DAY_MS = 24 * 3_600_000;

/** 0 to below 1, the same for the same place and time. */
function noise(series: number, instant: number): number {
  let x = Math.imul(instant + 1, 0x9e3779b1) ^ Math.imul(series + 1, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

/** 60 constants, 20 counters, 10 gauges of two decimals, 5 of bytes, 5 times of a second's thousandths. */
export function valueAt(series: number, instant: number): number {
  if (series < 60) return series * 3;
  if (series < 80) return instant * (series - 58) + Math.floor(noise(series, instant) * 3);
  if (series < 90) return Math.round(noise(series, instant) * 10_000) / 100;
  if (series < 95) return 40_960_000 + Math.floor(noise(series, instant) * 4_000) * 4_096;
  return Math.round(instant * 1_375 + noise(series, instant) * 900) / 10_000;
}
const isCounter = (series: number): boolean => series >= SERIES * 0.6 && series < SERIES * 0.8;

const NAMES = Array.from({ length: SERIES }, (_, i) => `pos_test_something_of_a_till_${i >> 2}`);
const LABELS: Labels[] = Array.from({ length: SERIES }, (_, i) => ({
  component: ['sale', 'sync', 'hardware'][i % 3] ?? '',
  index: String(i),
}));

export const snapshotOf = (startMs: number, instant: number): Snapshot => ({
  timeMs: startMs + instant * EVERY_MS,
  samples: Array.from(
    { length: SERIES },
    (_, i): Sample => ({
      name: NAMES[i] ?? '',
      labels: LABELS[i] ?? {},
      value: valueAt(i, instant),
    }),
  ),
});

/** Samples for so many instants, from the clock's present on; an event each six hours. */
export function goOffline(outbox: Outbox, clock: FakeClock, instants: number): number {
  const startMs = clock.wallMs();
  for (let instant = 0; instant < instants; instant += 1) {
    outbox.addSnapshot(snapshotOf(startMs, instant));
    if (instant % 1_440 === 0) {
      const fields = { reason: `event ${instant / 1_440}`, left: [] };
      outbox.addEvent({ kind: 'agent_stopping', component: '', fields });
    }
    clock.pass(EVERY_MS);
  }
  return startMs;
}

export type Arrived = {
  /** Samples by instant. */
  readonly counts: Uint8Array;
  readonly samples: number;
  /** Values and times that no sample had, and counters that went back. */
  readonly wrong: number;
  readonly events: readonly TerminalEvent[];
  readonly batches: number;
  readonly bytes: number;
};

const seriesOf = (labels: readonly string[]): number => Number(labels[3] ?? Number.NaN);

/** Everything from the oldest to the newest, decoded and checked, and acknowledged as a broker would. */
export function receive(outbox: Outbox, startMs: number, instants: number): Arrived {
  const counts = new Uint8Array(instants);
  const seen = new Set<string>();
  const events: TerminalEvent[] = [];
  const told = { samples: 0, wrong: 0, batches: 0, bytes: 0 };
  const count = (batch: Outgoing): void => {
    const key = `${batch.stream}/${batch.seq}`;
    if (seen.has(key)) throw new Error(`${key} came twice`);
    seen.add(key);
    told.batches += 1;
    told.bytes += batch.bytes.length;
    if (batch.stream === 'events') events.push(...eventsOf(batch));
    if (batch.stream !== 'metrics') return;
    const { timesMs, series } = need(decodeMetricColumns(need(unpackBody(batchOf(batch)))));
    const places = timesMs.map((timeMs) => (timeMs - startMs) / EVERY_MS);
    for (const { labels, at, values } of series) {
      const own = seriesOf(labels);
      let before = -Infinity;
      for (const [index, value] of values.entries()) {
        const instant = places[at?.[index] ?? index] ?? -1;
        if (value !== valueAt(own, instant) || (isCounter(own) && value < before)) told.wrong += 1;
        before = value;
        counts[instant] = (counts[instant] ?? 0) + 1;
      }
      told.samples += values.length;
    }
  };
  for (let rounds = 0; ; rounds += 1) {
    const taken = outbox.takeBatches(16);
    if (taken.length === 0) return { counts, events, ...told };
    for (const batch of taken) count(batch);
    outbox.acknowledge(ackFor(outbox.epoch, taken, { brokerTimeMs: 0 }));
    if (rounds > 100_000) throw new Error('never empty');
  }
}

type Told = { readonly samples: number; readonly ranges: readonly (readonly [number, number])[] };

/** What the records of a loss say: how many samples, and from when until when. */
export function toldBy(events: readonly TerminalEvent[], kind: 'gap' | 'thinned'): Told {
  const all = events.filter((event) => event.kind === kind);
  return {
    samples: all.reduce((sum, { fields }) => sum + Number(fields['samples']), 0),
    ranges: all.map(({ fields }) => [Number(fields['fromMs']), Number(fields['untilMs'])] as const),
  };
}

/** Instants where what arrived and what is told do not agree; none when the records say exactly what is missing. */
export function disagreements({ counts, events }: Arrived, startMs: number): number[] {
  const gaps = toldBy(events, 'gap').ranges;
  const thinned = toldBy(events, 'thinned').ranges;
  const isIn = (ranges: Told['ranges'], timeMs: number): boolean =>
    ranges.some(([fromMs, untilMs]) => fromMs <= timeMs && timeMs <= untilMs);
  const wrong: number[] = [];
  for (const [instant, count] of counts.entries()) {
    const timeMs = startMs + instant * EVERY_MS;
    const isThinned = isIn(thinned, timeMs);
    const agrees = isIn(gaps, timeMs)
      ? count === 0
      : count === SERIES || (isThinned && count === 0);
    if (!agrees) wrong.push(instant);
  }
  return wrong;
}
