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
import { describe, expect, test } from 'vitest';
import { createHold, HELD_ITEMS_MAX } from '../../agent/telemetry/hold.ts';
import { freshForEach } from './outbox-fresh.ts';
import {
  ackFor,
  batchOf,
  drain,
  eventsOf,
  open,
  START_MS,
  snapshotAt,
  snapshotsOf,
  someEvent,
} from './outbox-rig.ts';

const { folder, clock } = freshForEach();

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
  'a flipped page': () => overwrite(512 * 3, new Uint8Array(4096).fill(0xa5)),
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

test('a file that is damaged while it is in use is set aside, and work goes on', () => {
  const before = open(folder.path, clock);
  for (let i = 0; i < 200; i += 1) before.addEvent(someEvent(`${i} ${'x'.repeat(8_000)}`));
  before.close();
  const outbox = open(folder.path, clock);
  // More than the cache holds: most pages must be read again.
  const size = readFileSync(file()).length;
  overwrite(4096 * 20, new Uint8Array(size - 4096 * 20).fill(0xa5));
  const taken = Array.from({ length: 20 }, () => outbox.takeBatches(16)).flat();
  expect(outbox.stats()).toMatchObject({ damaged: 1, durable: true });
  expect(outbox.epoch).not.toEqual(before.epoch);
  outbox.addEvent(someEvent('after'));
  taken.push(...drain(outbox));
  const events = taken
    .filter((batch) => Buffer.compare(batchOf(batch).epoch, outbox.epoch) === 0)
    .flatMap(eventsOf);
  expect(events.map((event) => event.kind)).toEqual(['gap', 'agent_stopping']);
  expect(asides()).toHaveLength(1);
  outbox.close();
});

test('a bit that flipped inside a waiting event costs that event only, and is told', () => {
  const outbox = open(folder.path, clock);
  for (const reason of ['first', 'second', 'third']) outbox.addEvent(someEvent(reason));
  outbox.close();
  const db = new DatabaseSync(file());
  db.exec("update event set body = replace(body, 'second', 'sacond')");
  db.close();
  const again = open(folder.path, clock);
  const events = drain(again).flatMap(eventsOf);
  expect(events.map((event) => event.fields['reason'])).toEqual([
    'first',
    'third',
    'stored events were damaged',
  ]);
  expect(again.stats().drops).toEqual([{ stream: 'events', reason: 'damaged', count: 1 }]);
  again.close();
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
    expect(hold.lost()).toEqual({ samples: 6, fromMs: 0, untilMs: 1 });
    for (let i = 0; i < HELD_ITEMS_MAX; i += 1) hold.add({ kind: 'result', body: '', bytes: 4 });
    expect(dropped.filter((kind) => kind === 'event')).toHaveLength(1);
    expect(dropped.at(-1)).toBe('result');
  });
});
