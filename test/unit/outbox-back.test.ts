// A file that is older than it was: a disk that lied about its cache, bits that flipped in the log, a copy put
// back. SQLite finds such a file sound; what must not happen is that a number is used again for other bytes, or
// that something is missing and nobody says so.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Outbox, Outgoing } from '../../agent/telemetry/types.ts';
import { NUMBERS_SPARED } from '../../agent/telemetry/witness.ts';
import { CONFLICT_REASON, type Refusal } from '../../protocol/wire.ts';
import { makeQuickFolder } from './offline-rig.ts';
import { freshForEach } from './outbox-fresh.ts';
import {
  ackFor,
  batchOf,
  drain,
  eventsOf,
  open,
  START_MS,
  snapshotsOf,
  someEvent,
} from './outbox-rig.ts';

const { folder, clock } = freshForEach(makeQuickFolder);

type Dice = (below: number) => number;
function diceFrom(seed: number): Dice {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const SIDES = ['', '-wal', '-mark'] as const;
function copyTo(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const side of SIDES) {
    const path = join(from, `outbox.db${side}`);
    rmSync(join(to, `outbox.db${side}`), { force: true });
    if (existsSync(path)) copyFileSync(path, join(to, `outbox.db${side}`));
  }
}

/** Snapshot n has the value n, event n says n: negative, to tell them apart. */
function add(outbox: Outbox, n: number): void {
  const samples = [{ name: 'pos_n', labels: {}, value: n }];
  if (n % 3 === 0) outbox.addEvent(someEvent(String(n)));
  else outbox.addSnapshot({ timeMs: clock.wallMs(), samples });
}
function contentsOf(batch: Outgoing): number[] {
  if (batch.stream === 'metrics') return snapshotsOf(batch).map((s) => s.samples[0]?.value ?? -1);
  return eventsOf(batch)
    .filter(({ kind }) => kind === 'agent_stopping')
    .map(({ fields }) => Number(fields['reason']));
}
const gapsIn = (all: readonly Outgoing[]) =>
  all
    .filter(({ stream }) => stream === 'events')
    .flatMap(eventsOf)
    .filter(({ kind }) => kind === 'gap');
const keyOf = ({ stream, seq }: Outgoing): string => `${stream}/${seq}`;

type Life = {
  readonly written: readonly number[];
  readonly sent: ReadonlyMap<string, Uint8Array>;
  readonly acknowledged: ReadonlySet<number>;
};

/** An outbox with a bad line for a while; the file is copied as it lies when the power goes. */
function liveUntilPowerGoes(dice: Dice, to: string): Life {
  const outbox = open(folder.path, clock);
  const written: number[] = [];
  const sent = new Map<string, Uint8Array>();
  const acknowledged = new Set<number>();
  const steps = 30 + dice(150);
  for (let n = 1; n <= steps; n += 1) {
    add(outbox, n);
    written.push(n);
    clock.pass(5_000 + dice(30_000));
    if (dice(3) > 0) continue;
    const taken = outbox.takeBatches(16);
    for (const batch of taken) sent.set(keyOf(batch), batch.bytes);
    const named = taken.filter(() => dice(2) === 0);
    for (const n of named.flatMap(contentsOf)) acknowledged.add(n);
    outbox.acknowledge(ackFor(outbox.epoch, named, { brokerTimeMs: 0 }));
  }
  copyTo(folder.path, to);
  outbox.close();
  return { written, sent, acknowledged };
}

const harms: Record<string, (path: string, dice: Dice) => void> = {
  'nothing else happens': () => undefined,
  'the end of the log is lost': (path, dice) => {
    const wal = `${path}-wal`;
    if (existsSync(wal)) truncateSync(wal, dice(readFileSync(wal).length + 1));
  },
  'bits flip in the log': (path, dice) => {
    const wal = `${path}-wal`;
    if (!existsSync(wal)) return;
    const bytes = readFileSync(wal);
    for (let i = 0; i < 1 + dice(4); i += 1) {
      const at = dice(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << dice(8));
    }
    writeFileSync(wal, bytes);
  },
  'the log is gone': (path) => rmSync(`${path}-wal`, { force: true }),
};

describe('after a power cut', () => {
  test.each(Object.entries(harms))(
    '%s: no number has other bytes, and what is missing is told',
    (name, harm) => {
      const seed = Number(process.env['TILLWATCH_SEED'] ?? 20_261_122);
      let wentBack = 0;
      for (let round = 0; round < 12; round += 1) {
        const dice = diceFrom(seed + round * 7_919);
        const to = join(folder.path, 'copy');
        const { written, sent, acknowledged } = liveUntilPowerGoes(dice, to);
        harm(join(to, 'outbox.db'), dice);
        const outbox = open(to, clock);
        const all = drain(outbox);
        const { damaged } = outbox.stats();
        const where = `seed ${seed} round ${round}`;
        const hex = Buffer.from(outbox.epoch).toString('hex');
        for (const batch of all) {
          const before = sent.get(keyOf(batch));
          const isSameLife =
            before !== undefined && Buffer.from(before).includes(Buffer.from(hex, 'hex'));
          if (isSameLife) expect(batch.bytes, `${where} ${keyOf(batch)}`).toEqual(before);
        }
        const here = all.flatMap(contentsOf);
        const there = new Set([...here, ...acknowledged]);
        const missing = written.filter((n) => !there.has(n));
        if (damaged === 0) {
          expect(missing, where).toEqual([]);
          expect(new Set(here).size, where).toBe(here.length);
        } else {
          wentBack += 1;
          expect(gapsIn(all).length, where).toBeGreaterThan(0);
        }
        outbox.close();
        rmSync(to, { recursive: true });
        for (const side of SIDES) rmSync(join(folder.path, `outbox.db${side}`), { force: true });
      }
      expect(wentBack > 0).toBe(name !== 'nothing else happens');
    },
    60_000,
  );
});

test('the record of going back names the numbers that are left out, and from when until when', () => {
  const outbox = open(folder.path, clock);
  add(outbox, 3);
  drain(outbox);
  outbox.addSnapshot({ timeMs: START_MS, samples: [{ name: 'pos_n', labels: {}, value: 1 }] });
  outbox.close();
  const again = open(folder.path, clock);
  const copy = join(folder.path, 'copy');
  copyTo(folder.path, copy);
  clock.pass(600_000);
  for (const n of [6, 9]) {
    add(again, n);
    again.takeBatches(16);
  }
  // All that is left of what came after is what the mark says.
  copyFileSync(join(folder.path, 'outbox.db-mark'), join(copy, 'outbox.db-mark'));
  again.close();
  const back = open(copy, clock);
  expect(back.stats().damaged).toBe(1);
  const gaps = gapsIn(drain(back)).map(({ fields }) => fields);
  const events = { stream: 'events', first: 2, last: 3 + NUMBERS_SPARED };
  expect(gaps).toContainEqual(expect.objectContaining(events));
  expect(gaps).toContainEqual(
    expect.objectContaining({ fromMs: START_MS, untilMs: START_MS + 600_000 }),
  );
  back.close();
  const once = open(copy, clock);
  expect(once.stats().damaged).toBe(0);
  once.close();
});

describe('where there is no witness either', () => {
  /** A ledger that refuses other bytes under a number it has. */
  function ledgerOf() {
    const rows = new Map<string, Uint8Array>();
    return {
      rows,
      take: (outbox: Outbox): number => {
        const taken = outbox.takeBatches(16);
        const refused: Refusal[] = [];
        const named = taken.filter((batch) => {
          const before = rows.get(keyOf(batch));
          if (before !== undefined && Buffer.compare(before, batch.bytes) !== 0) {
            refused.push({ ...batch, reason: `${CONFLICT_REASON}: an older outbox was put back` });
            return false;
          }
          rows.set(keyOf(batch), batch.bytes);
          return true;
        });
        outbox.acknowledge(ackFor(outbox.epoch, named, { brokerTimeMs: 0, refused }));
        return taken.length;
      },
    };
  }

  test('a number that the ledger refuses costs the number and nothing in it', () => {
    const ledger = ledgerOf();
    const first = open(folder.path, clock);
    add(first, 3);
    while (ledger.take(first) > 0);
    first.close();
    const copy = join(folder.path, 'copy');
    copyTo(folder.path, copy);
    rmSync(join(copy, 'outbox.db-mark'), { force: true });
    const lost = open(folder.path, clock);
    for (const n of [6, 1, 9, 2]) {
      add(lost, n);
      clock.pass(60_000);
      while (ledger.take(lost) > 0);
    }
    lost.close();
    const back = open(copy, clock);
    expect(back.stats().damaged).toBe(0);
    for (const n of [12, 4, 15, 5, 18]) {
      add(back, n);
      clock.pass(60_000);
      while (ledger.take(back) > 0);
    }
    const all = [...ledger.rows].map(([key, bytes]): Outgoing => {
      const { stream, seq } = batchOf({ bytes } as Outgoing);
      expect(`${stream}/${seq}`).toBe(key);
      return { stream, seq, bytes, resend: false, backlog: false };
    });
    expect(all.flatMap(contentsOf).toSorted((a, b) => a - b)).toEqual([
      1, 2, 3, 4, 5, 6, 9, 12, 15, 18,
    ]);
    const reasons = gapsIn(all).map(({ fields }) => String(fields['reason']));
    expect(reasons.some((reason) => reason.startsWith('their numbers were taken'))).toBe(true);
    expect(back.stats()).toMatchObject({
      batches: { events: 0, metrics: 0 },
      refused: { events: 1 },
    });
    expect(back.stats().deadLetters).toBeGreaterThan(0);
    back.close();
  });
});
