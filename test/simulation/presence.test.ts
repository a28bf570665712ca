// Forty terminals of each kind, each for a simulated day, told to the registry as a broker would see them: batches with
// jitter, a line that loses some of them (they come again half a minute later), sessions that break and are made
// again, backlog, sending that is switched to 15 s while somebody looks. How often a healthy one is called late,
// and how long a dead one is not; beside one fixed time-out over the same stories.

import { describe, expect, it } from 'vitest';
import type { FleetEvent } from '../../broker/fleet/model.ts';
import { newTerminal, type TerminalModel } from '../../broker/fleet/model.ts';
import { step } from '../../broker/fleet/registry.ts';
import { type Dice, dice } from './dice.ts';

const LIMITS = { lateMs: 90_000, lostMs: 300_000 };
const START_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SEED = Number(process.env['TILLWATCH_SEED'] ?? 20261122);

type Line = {
  readonly sendMs: number;
  /** The agent says it at its start; one of an older version does not. */
  readonly says: boolean;
  /** Delay of a batch at most; batches that must be sent twice; broken sessions each hour. */
  readonly jitterMs: number;
  readonly loss: number;
  readonly breaksPerHour: number;
};
type Told = { readonly atMs: number; readonly event: FleetEvent };

function batchAt(atMs: number, createdMs: number): FleetEvent {
  const sample = { name: 'pos_host_load1', labels: {}, value: 1 };
  const snapshots = [{ timeMs: START_MS + createdMs - 5_000, samples: [sample] }];
  const times = { receivedMs: START_MS + atMs, arrivedMs: atMs, createdMs: START_MS + createdMs };
  const facts = { epoch: 'a'.repeat(32), seq: 1, clockOffsetMs: 0 };
  return { kind: 'batch', ...facts, ...times, content: { stream: 'metrics', snapshots } };
}

/** Everything that a broker sees of one terminal until it dies. */
function story(line: Line, untilMs: number, chance: Dice): Told[] {
  const told: Told[] = [{ atMs: 0, event: { kind: 'opened' } }];
  let watchedUntil = 0;
  for (let sent = chance.next() * 1_000; sent < untilMs; ) {
    const isLost = chance.chance(line.loss);
    const late = isLost ? 30_000 + chance.next() * 6_000 : 0;
    const atMs = sent + chance.next() ** 3 * line.jitterMs + late;
    if (atMs < untilMs) told.push({ atMs, event: batchAt(atMs, sent) });
    if (chance.chance(1 / 2_000)) watchedUntil = sent + 20 * 60_000;
    sent += sent < watchedUntil ? 15_000 : line.sendMs;
  }
  for (let at = 0; line.breaksPerHour > 0; ) {
    at += (-Math.log(1 - chance.next()) * HOUR_MS) / line.breaksPerHour;
    const backMs = at + 200 + chance.next() * 8_000;
    if (backMs >= untilMs) break;
    told.push({ atMs: at, event: { kind: 'closed', why: 'lost' } });
    told.push({ atMs: backMs, event: { kind: 'opened' } });
    // What waited meanwhile, in one go.
    for (let n = 0; n < 5; n += 1) {
      told.push({ atMs: backMs + 100 + n, event: batchAt(backMs + 100 + n, at - n * HOUR_MS) });
    }
  }
  return told.sort((a, b) => a.atMs - b.atMs);
}

type Seen = { falseLate: number; fixedLate: number; detectedMs: number };

function watch(line: Line, diesMs: number, chance: Dice, broken: number | undefined): Seen {
  const fresh = newTerminal('till', 'store', true);
  let model: TerminalModel = line.says
    ? { ...fresh, pulse: { ...fresh.pulse, saidMs: line.sendMs } }
    : fresh;
  const seen: Seen = { falseLate: 0, fixedLate: 0, detectedMs: Number.NaN };
  const told = story(line, diesMs, chance);
  if (broken !== undefined) {
    told.push({ atMs: diesMs + broken, event: { kind: 'closed', why: 'lost' } });
  }
  let next = 0;
  let heardMs = 0;
  let isFixedLate = false;
  for (let now = 0; now < diesMs + 2 * HOUR_MS; now += 1_000) {
    const at = (nowMs: number) => ({
      ...{ wallMs: START_MS + nowMs, nowMs, heardMs: nowMs, fairMs: 0 },
    });
    const take = (event: FleetEvent, nowMs: number): void => {
      const before = model.presence;
      model = step(model, event, at(nowMs), LIMITS).model;
      if (model.presence === before || model.presence !== 'late') return;
      if (nowMs < diesMs) seen.falseLate += 1;
      else seen.detectedMs = nowMs - diesMs;
    };
    for (let one = told[next]; one !== undefined && one.atMs <= now; one = told[next]) {
      next += 1;
      take(one.event, one.atMs);
      if (one.event.kind !== 'closed') {
        heardMs = one.atMs;
        isFixedLate = false;
      }
    }
    take({ kind: 'tick' }, now);
    if (now < diesMs && now - heardMs > LIMITS.lateMs && !isFixedLate) {
      isFixedLate = true;
      seen.fixedLate += 1;
    }
    if (!Number.isNaN(seen.detectedMs)) break;
  }
  return seen;
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

const usual = { sendMs: 60_000, says: true, jitterMs: 3_000, loss: 0.01, breaksPerHour: 0.1 };
const rough = { ...usual, jitterMs: 20_000, loss: 0.05, breaksPerHour: 2 };
const CASES: readonly (readonly [string, Line, { falseMax: number; detectedMaxMs: number }])[] = [
  ['60 s, a usual line', usual, { falseMax: 0.05, detectedMaxMs: 150_000 }],
  ['60 s, a rough line', rough, { falseMax: 0.5, detectedMaxMs: 300_000 }],
  ['15 s', { ...usual, sendMs: 15_000 }, { falseMax: 0.05, detectedMaxMs: 95_000 }],
  ['10 min', { ...usual, sendMs: 600_000 }, { falseMax: 0.05, detectedMaxMs: 1_200_000 }],
  [
    '10 min, does not say',
    { ...usual, sendMs: 600_000, says: false },
    { falseMax: 4, detectedMaxMs: 1_900_000 },
  ],
];
const TERMINALS = 40;

describe(`presence over a day, seed ${SEED}`, () => {
  it.each(CASES)('%s: few false alarms, and the dead are noticed', (name, line, most) => {
    const chance = dice(SEED);
    const days: Seen[] = [];
    for (let n = 0; n < TERMINALS; n += 1) {
      const diesMs = DAY_MS - chance.next() * 600_000;
      // Power cut: the broker notices the connection by its keep-alive of 60 s, after 90 s.
      days.push(watch(line, diesMs, chance, 60_000 + chance.next() * 30_000));
    }
    const each = (pick: (seen: Seen) => number) =>
      days.reduce((sum, seen) => sum + pick(seen), 0) / TERMINALS;
    const detected = days.map(({ detectedMs }) => detectedMs / 1_000).sort((a, b) => a - b);
    const falseLate = each((seen) => seen.falseLate);
    console.log(
      `${name}: false late each day and terminal ${falseLate.toFixed(3)} ` +
        `(one time-out of 90 s: ${each((seen) => seen.fixedLate).toFixed(3)}); dead noticed after ` +
        `${quantile(detected, 0.5).toFixed(0)} s (median), ${quantile(detected, 1).toFixed(0)} s (most)`,
    );
    expect(falseLate).toBeLessThanOrEqual(most.falseMax);
    expect(quantile(detected, 1) * 1_000).toBeLessThanOrEqual(most.detectedMaxMs);
  });
});
