import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHold, HELD_ITEMS_MAX } from '../../agent/telemetry/hold.ts';
import {
  ackFor,
  drain,
  eventsOf,
  type FakeClock,
  fakeClock,
  makeFolder,
  open,
  START_MS,
  snapshotAt,
  snapshotsOf,
  someEvent,
} from './outbox-rig.ts';

let folder: ReturnType<typeof makeFolder>;
let clock: FakeClock;
beforeEach(() => {
  folder = makeFolder();
  clock = fakeClock();
});
afterEach(() => folder.remove());

const file = () => join(folder.path, 'outbox.db');
const asides = () =>
  readdirSync(folder.path).filter((name) => /^outbox\.damaged-\d+\.db$/.test(name));
const gapsOf = (outbox: ReturnType<typeof open>) =>
  drain(outbox)
    .filter((batch) => batch.stream === 'events')
    .flatMap(eventsOf)
    .filter((event) => event.kind === 'gap');

/** An outbox with a sealed batch and waiting samples, closed in good order. */
function filled(): Uint8Array {
  const outbox = open(folder.path, clock);
  outbox.addEvent(someEvent('will be lost'));
  outbox.takeBatches(16);
  for (let i = 0; i < 60; i += 1) outbox.addSnapshot(snapshotAt(START_MS + i * 15_000, 40));
  outbox.close();
  return outbox.epoch;
}

function overwrite(at: number, bytes: Uint8Array): void {
  const handle = openSync(file(), 'r+');
  writeSync(handle, bytes, 0, bytes.length, at);
}

const damages: Record<string, () => void> = {
  'a file that is no database': () =>
    writeFileSync(file(), 'This is a shopping list.\n'.repeat(50)),
  'a truncated file': () => truncateSync(file(), readFileSync(file()).length >> 1),
  'an emptied file': () => truncateSync(file(), 0),
  'a flipped page': () => overwrite(4096 * 3, new Uint8Array(4096).fill(0xa5)),
  'a flipped header': () => overwrite(0, new Uint8Array(16).fill(7)),
  'a folder in its place': () => {
    execFileSync('rm', [file()]);
    mkdirSync(file());
  },
  'a database of somebody else': () => {
    execFileSync('rm', [file()]);
    const db = new DatabaseSync(file());
    db.exec('create table wishes (name text)');
    db.close();
  },
  'an outbox without its epoch': () => {
    const db = new DatabaseSync(file());
    db.exec("delete from meta where key = 'epoch'");
    db.close();
  },
};

describe('a damaged file', () => {
  test.each(Object.entries(damages))(
    '%s is set aside, counted, and leaves a gap',
    (_name, harm) => {
      const old = filled();
      harm();
      const outbox = open(folder.path, clock);
      expect(outbox.epoch).not.toEqual(old);
      expect(outbox.stats()).toMatchObject({ damaged: 1, durable: true });
      expect(asides()).toHaveLength(1);
      outbox.addSnapshot(snapshotAt(START_MS));
      const [gap, ...more] = gapsOf(outbox);
      expect(more).toEqual([]);
      expect(String(gap?.fields['reason'])).toMatch(/^outbox file is damaged/);
      expect(gap?.fields['epoch']).toMatch(/^(unknown|[0-9a-f]{32})$/);
      outbox.close();
      const again = open(folder.path, clock);
      expect(again.epoch).toEqual(outbox.epoch);
      expect(again.stats().damaged).toBe(0);
      again.close();
    },
  );

  test('the gap names the epoch that ended when it can still be read', () => {
    const old = filled();
    const db = new DatabaseSync(file());
    db.exec('pragma user_version = 99');
    db.close();
    const outbox = open(folder.path, clock);
    const [gap] = gapsOf(outbox);
    expect(gap?.fields).toMatchObject({
      epoch: Buffer.from(old).toString('hex'),
      sealed: { events: 1 },
    });
    outbox.close();
  });

  test('at most three damaged files are kept, the newest', () => {
    for (let i = 0; i < 5; i += 1) {
      clock.pass(1_000);
      writeFileSync(file(), `garbage ${i}`);
      open(folder.path, clock).close();
    }
    const kept = asides().map((name) => readFileSync(join(folder.path, name), 'utf8'));
    expect(kept.toSorted()).toEqual(['garbage 2', 'garbage 3', 'garbage 4']);
  });

  test('a bit that flipped inside stored samples costs those samples only, and is told', () => {
    const outbox = open(folder.path, clock);
    for (let i = 0; i < 3; i += 1) {
      outbox.addSnapshot(snapshotAt(START_MS + i * 3_600_000, 5));
    }
    outbox.close();
    const db = new DatabaseSync(file());
    const body = db.prepare('select body from sample where id = 2').get()?.['body'] as Uint8Array;
    body[9] = (body[9] ?? 0) ^ 0x10;
    db.prepare('update sample set body = ? where id = 2').run(body);
    db.close();
    const again = open(folder.path, clock);
    const all = drain(again);
    const times = all.filter((b) => b.stream === 'metrics').flatMap(snapshotsOf);
    expect(times.map((s) => s.timeMs).toSorted()).toEqual([START_MS, START_MS + 7_200_000]);
    const gaps = all.filter((b) => b.stream === 'events').flatMap(eventsOf);
    expect(gaps.map((gap) => gap.fields)).toMatchObject([{ stream: 'metrics', samples: 5 }]);
    expect(again.stats().drops).toEqual([{ stream: 'metrics', reason: 'damaged', count: 5 }]);
    again.close();
  });

  test('a bit that flipped inside a sealed batch never reaches the wire; its seq is told', () => {
    const outbox = open(folder.path, clock);
    outbox.addSnapshot(snapshotAt(START_MS, 5));
    outbox.takeBatches(16);
    outbox.close();
    const db = new DatabaseSync(file());
    db.exec("update batch set bytes = zeroblob(length(bytes)) where stream = 'metrics'");
    db.close();
    const again = open(folder.path, clock);
    expect(again.takeBatches(16)).toEqual([]);
    expect(gapsOf(again).map((gap) => gap.fields)).toMatchObject([
      { stream: 'metrics', first: 1, last: 1 },
    ]);
    again.close();
  });

  test('where nothing can be written the outbox works in memory and says so', () => {
    writeFileSync(join(folder.path, 'plain'), '');
    const outbox = open(join(folder.path, 'plain', 'deeper'), clock);
    outbox.addEvent(someEvent('still sent'));
    const events = drain(outbox).flatMap(eventsOf);
    expect(events.map((event) => event.kind)).toEqual(['gap', 'agent_stopping']);
    expect(outbox.stats()).toMatchObject({ durable: false, damaged: 1 });
    outbox.close();
  });

  test('a file that another process holds is not damaged and not touched', () => {
    const first = open(folder.path, clock);
    first.addEvent(someEvent('mine'));
    const second = open(folder.path, clock);
    expect(second.stats().durable).toBe(false);
    expect(asides()).toEqual([]);
    second.close();
    expect(drain(first).flatMap(eventsOf)).toHaveLength(1);
    first.close();
  });
});

describe('the quota', () => {
  const BYTES_MAX = 512 * 1024;
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
    for (let i = 0; i < 1_500; i += 1) {
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
    expect(events.length - gaps.length).toBe(15);
    expect(sent + named).toBe(taken);
    expect(sent).toBeGreaterThan(10_000);
    expect(gaps.length).toBeGreaterThan(0);
    const times = snapshots.map((s) => s.timeMs).toSorted((a, b) => a - b);
    expect(times[0]).toBe(START_MS + (1_500 - snapshots.length) * 15_000);
    again.close();
  });

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

  test('a month without a line, 100 series each 15 s, fits in 64 MB', () => {
    const days = 0.5;
    const outbox = open(folder.path, clock, { bytesMax: 64 * 1024 * 1024 });
    // As a till: most series still, a third moving, some of them fractions.
    const till = (n: number) => ({
      timeMs: clock.wallMs(),
      samples: Array.from({ length: 100 }, (_, i) => ({
        name: `pos_test_name_of_some_length_${i >> 2}`,
        labels: { component: 'sale', index: String(i) },
        value: i < 67 ? i : i < 95 ? n * i : Math.round(Math.sin(n + i) * 1e4) / 1e4,
      })),
    });
    for (let n = 0; n < days * 5_760; n += 1) {
      outbox.addSnapshot(till(n));
      clock.pass(15_000);
    }
    const { bytes } = outbox.stats();
    console.log(`${(bytes / (days * 5_760 * 100)).toFixed(2)} bytes a sample`);
    expect((bytes / days) * 30).toBeLessThan(64 * 1024 * 1024);
    outbox.close();
  }, 60_000);
});

describe('bad input', () => {
  test('an event that cannot be sent is counted and told, and the others are sent', () => {
    const outbox = open(folder.path, clock);
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    outbox.addEvent({ kind: 'gap', component: '', fields: { epoch: '', reason: '', circle } });
    outbox.addEvent({ kind: 'agent_stopping', component: '', fields: {} } as never);
    outbox.addEvent(someEvent('fine'));
    const events = drain(outbox).flatMap(eventsOf);
    expect(events.map((event) => event.kind)).toEqual(['gap', 'gap', 'agent_stopping']);
    expect(outbox.stats().drops).toEqual([{ stream: 'events', reason: 'unencodable', count: 2 }]);
    outbox.close();
  });

  test('evidence that is too large is left out, and the event says so', () => {
    const outbox = open(folder.path, clock);
    const evidence = { lines: Array.from({ length: 5_000 }, (_, i) => `line ${i}`) };
    const fields = {
      incident: 'i',
      cause: 'hang',
      reason: 'stuck',
      version: '1',
      evidence,
    } as const;
    outbox.addEvent({ kind: 'incident_opened', component: 'sale', fields });
    const [event] = drain(outbox).flatMap(eventsOf);
    expect(event?.fields).toMatchObject({ reason: 'stuck', omitted: 'evidence' });
    outbox.close();
  });

  test('after closing nothing is taken, and nothing crashes', () => {
    const outbox = open(folder.path, clock);
    outbox.close();
    outbox.addEvent(someEvent('too late'));
    expect(outbox.takeBatches(16)).toEqual([]);
    expect(outbox.acknowledge(ackFor(outbox.epoch, [])).acknowledged).toBe(0);
    expect(outbox.stats().drops).toEqual([{ stream: 'events', reason: 'memory', count: 1 }]);
    expect(existsSync(file())).toBe(true);
  });
});

describe('the hold', () => {
  test('is bounded, drops snapshots before events and events before results', () => {
    const dropped: string[] = [];
    const hold = createHold((item) => dropped.push(item.kind));
    const event = { id: 'x', timeMs: 1, kind: 'gap', component: '', fields: {} };
    hold.add({ kind: 'result', body: '{}', bytes: 4 });
    hold.add({ kind: 'event', event, mono: null, bytes: 4 });
    for (let i = 0; i < HELD_ITEMS_MAX; i += 1) {
      hold.add({ kind: 'snapshot', snapshot: snapshotAt(i), mono: null, bytes: 4 });
    }
    expect(dropped).toEqual(['snapshot', 'snapshot']);
    expect(hold.size()).toBe(HELD_ITEMS_MAX);
    expect(hold.lost()).toEqual({ samples: 6, events: 0, results: 0 });
    for (let i = 0; i < HELD_ITEMS_MAX; i += 1) hold.add({ kind: 'result', body: '', bytes: 4 });
    expect(dropped.filter((kind) => kind === 'event')).toHaveLength(1);
    expect(dropped.at(-1)).toBe('result');
  });
});
