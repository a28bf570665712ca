// The requests of one terminal: they outlive the agent and the process that searches, end in time, take turns, and say
// clearly why they failed.

import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHILDREN_MAX, PULLS_OPEN_MAX } from '../../agent/logs/pull/pulls.ts';
import type { Pulls } from '../../agent/logs/pull/types.ts';
import { epochOfRequest, type LogChunk } from '../../protocol/logs.ts';
import type { Ack } from '../../protocol/wire.ts';
import { folder } from './fleet-rig.ts';
import {
  blocksOf,
  chunkOf,
  commandFor,
  dieAtOnce,
  jobOf,
  journalOf,
  NOON,
  terminalOver,
  work,
} from './pull-rig.ts';
import { seeded } from './redact-corpus.ts';

const ackOf = (request: string, upTo: number, logCredits = 0): Ack => ({
  epoch: epochOfRequest(request),
  streams: upTo === 0 ? [] : [{ stream: 'logs', ranges: [{ first: 1, last: upTo }] }],
  ...{ refused: [], brokerTimeMs: NOON, paceBytesPerSecond: 0, notice: '', logCredits },
  ledgerGeneration: new Uint8Array(16),
});

/** A broker's shelf: takes what follows what it has, and answers as the real one does. */
function shelf() {
  const held = new Map<string, { bytes: Buffer; isEnded: boolean; last?: LogChunk }>();
  const give = (sent: Uint8Array): Ack => {
    const chunk = chunkOf(sent);
    const { request, offset, body, last } = chunk;
    const known = held.get(request) ?? { bytes: Buffer.alloc(0), isEnded: false };
    if (offset <= known.bytes.length && !known.isEnded) {
      known.bytes = Buffer.concat([known.bytes, body.subarray(known.bytes.length - offset)]);
      if (last) held.set(request, { ...known, isEnded: true, last: chunk });
      else held.set(request, known);
    }
    const now = held.get(request) ?? known;
    return ackOf(request, now.bytes.length + (now.isEnded ? 1 : 0));
  };
  return { give, held, text: (id: string) => held.get(id)?.bytes.toString() ?? '' };
}
/** Text that does not pack: several chunks. */
const large = (count: number) => blocksOf('sale', count, (n) => `line ${n} ${randomUUID()}`, 1_000);
type World = ReturnType<typeof terminalOver>;

/** Sends whatever there is until nothing more comes. */
async function drain(
  pulls: Pulls,
  { turn, time }: World,
  broker: ReturnType<typeof shelf>,
  isLost: () => boolean = () => false,
): Promise<void> {
  for (let idle = 0; idle < 6; ) {
    await turn(4);
    const bytes = pulls.take();
    if (bytes === undefined) {
      idle += 1;
      // As long as a resend may have to wait.
      if (pulls.inFlight() > 0) time.pass(700_000);
      continue;
    }
    idle = 0;
    if (isLost()) continue;
    const ack = broker.give(bytes);
    if (!isLost()) pulls.acknowledge(ack);
  }
}

describe('a request', () => {
  it('is answered whole, and its command ends with what was sent', async () => {
    const path = await journalOf(large(4_000));
    const world = terminalOver(path);
    const pulls = world.open();
    const broker = shelf();
    const command = commandFor();
    pulls.begin(command);
    expect(world.pins).toEqual([command.arguments.request]);
    await drain(pulls, world, broker);
    const { text, end } = await work(jobOf(path));
    expect(broker.text(command.arguments.request) === text).toBe(true);
    expect(world.told).toMatchObject([
      { command: command.id, succeeded: true, detail: { records: 4_000, sha256: end?.sha256 } },
    ]);
    expect(world.pins).toEqual([]);
    expect(JSON.parse(world.disk.text ?? '')).toEqual([]);
  });

  it('is the same when chunks and answers get lost', async () => {
    const path = await journalOf(large(6_000));
    const world = terminalOver(path);
    const pulls = world.open();
    const [broker, random] = [shelf(), seeded(5)];
    const command = { ...commandFor(), expiresMs: NOON * 4 };
    pulls.begin(command);
    await drain(pulls, world, broker, () => random() < 0.3);
    expect(broker.text(command.arguments.request) === (await work(jobOf(path))).text).toBe(true);
    expect(world.told[0]?.succeeded).toBe(true);
  });

  it('is the same when its process dies, up to three times, and then fails', async () => {
    const path = await journalOf(large(12_000));
    const world = terminalOver(path);
    const pulls = world.open();
    const broker = shelf();
    const command = commandFor();
    pulls.begin(command);
    for (let n = 0; n < 3; n += 1) {
      await world.turn(20);
      const bytes = pulls.take();
      if (bytes !== undefined) pulls.acknowledge(broker.give(bytes));
      for (const child of world.process.running) child.kill('SIGKILL');
    }
    await drain(pulls, world, broker);
    expect(broker.text(command.arguments.request) === (await work(jobOf(path))).text).toBe(true);
    expect(world.told[0]?.succeeded).toBe(true);
    const dying = terminalOver(path, { startPull: dieAtOnce });
    dying.open().begin(commandFor());
    await dying.turn(20);
    expect(dying.told[0]).toMatchObject({ succeeded: false, reason: /died 4 times: SIGKILL/ });
  });

  it('is gone on with by the next agent, from the byte that the broker has', async () => {
    const path = await journalOf(large(12_000));
    const world = terminalOver(path);
    const broker = shelf();
    const command = commandFor();
    let pulls = world.open();
    pulls.begin(command);
    for (let n = 0; n < 3; n += 1) {
      await world.turn(20);
      const bytes = pulls.take();
      if (bytes !== undefined) pulls.acknowledge(broker.give(bytes));
      pulls.stop();
      pulls = world.open();
      expect([...pulls.resumed]).toEqual([command.id]);
    }
    await drain(pulls, world, broker);
    expect(broker.text(command.arguments.request) === (await work(jobOf(path))).text).toBe(true);
    expect(world.told).toMatchObject([{ command: command.id, succeeded: true }]);
  });

  it('of an agent with other rules, or of one before, is not gone on with', async () => {
    const world = terminalOver(await journalOf(blocksOf('sale', 50)));
    const first = world.open();
    first.begin(commandFor());
    await world.turn(20);
    expect(world.disk.text).toContain('tillwatch-redact/');
    world.disk.text = world.disk.text?.replace(/tillwatch-redact\/\d+/, 'tillwatch-redact/0') ?? '';
    first.stop();
    world.open();
    const former = { command: 'c', request: 'r', expiresMs: NOON, segments: [], truncated: false };
    world.disk.text = JSON.stringify([former]);
    world.open();
    expect(world.told.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('upgraded'),
      expect.stringContaining('ask again'),
    ]);
  });

  it('ends with its expiry, and when it cannot be written down', async () => {
    const world = terminalOver(await journalOf(blocksOf('sale', 50)));
    const pulls = world.open();
    pulls.begin({ ...commandFor(), expiresMs: world.time.clock.wallMs() + 60_000 });
    world.time.pass(62_000);
    expect(world.told[0]?.reason).toContain('expired');
    await world.turn();
    expect(pulls.take()).toBeUndefined();
    world.disk.full = true;
    pulls.begin(commandFor());
    expect(world.told[1]?.reason).toContain('no space');
    expect(world.pins).toEqual([]);
  });

  it('whose line rests for minutes is not taken for one whose process hangs', async () => {
    const world = terminalOver(await journalOf(large(20_000)));
    const [pulls, broker] = [world.open(), shelf()];
    pulls.begin(commandFor());
    await world.turn(20);
    for (let n = 0; n < 6; n += 1) {
      world.time.pass(5 * 60_000);
      pulls.acknowledge(broker.give(pulls.take() ?? Buffer.alloc(0)));
      world.time.pass(1_000);
      await world.turn(4);
    }
    expect(world.process.started()).toBe(1);
    expect(world.told).toEqual([]);
  });

  it('whose search hangs is ended', async () => {
    const path = await journalOf([]);
    let stopped = 0;
    const world = terminalOver(path, {
      startPull: () => ({
        ...{ pid: 1, go: () => {}, cancel: () => {} },
        stop: () => {
          stopped += 1;
        },
      }),
    });
    world.open().begin(commandFor({ searchMs: 1_000 }));
    world.time.pass(40_000);
    expect(world.told[0]).toMatchObject({ succeeded: false, reason: /did not end in its time/ });
    expect(stopped).toBe(1);
  });
});

describe('several requests', () => {
  it('are bounded, searched two at a time, and a small one is not stuck behind large ones', async () => {
    const path = await journalOf([...large(20_000), ...blocksOf('sync', 3)]);
    const world = terminalOver(path, { components: ['sale', 'sync'] });
    const pulls = world.open();
    const broker = shelf();
    for (let n = 0; n < PULLS_OPEN_MAX - 1; n += 1) pulls.begin(commandFor());
    const small = commandFor({ components: ['sync'] });
    pulls.begin(small);
    pulls.begin(commandFor());
    expect(world.told).toMatchObject([{ succeeded: false, reason: /ask again later/ }]);
    await world.turn();
    expect(world.process.running.size).toBe(CHILDREN_MAX);
    // Nobody reads from the large ones; after a while the small one is searched all the same.
    for (let n = 0; n < 60 && broker.text(small.arguments.request) === ''; n += 1) {
      world.time.pass(1_000);
      await world.turn(4);
      expect(world.process.running.size).toBeLessThanOrEqual(CHILDREN_MAX);
      const bytes = pulls.take();
      if (bytes !== undefined) pulls.acknowledge(broker.give(bytes));
    }
    expect(broker.text(small.arguments.request)).toContain('[sync]');
    const whole = [...broker.held.values()].filter(({ isEnded }) => isEnded);
    expect(whole).toHaveLength(1);
  });
});

describe('a request that is cancelled', () => {
  it('ends with what was sent, and says so', async () => {
    const world = terminalOver(await journalOf(large(20_000)));
    const pulls = world.open();
    const broker = shelf();
    const command = commandFor();
    const { request } = command.arguments;
    pulls.begin(command);
    await world.turn(20);
    const bytes = pulls.take();
    if (bytes !== undefined) pulls.acknowledge(broker.give(bytes));
    expect(pulls.cancel(request)).toBe(true);
    await drain(pulls, world, broker);
    expect(broker.held.get(request)?.last).toMatchObject({ cutBy: 'cancelled', truncated: true });
    expect(broker.text(request).length).toBeGreaterThan(10_000);
    expect(world.told).toMatchObject([{ succeeded: true, detail: { cutBy: 'cancelled' } }]);
  });

  it('before its turn, or before it has come, never runs', async () => {
    const world = terminalOver(await journalOf(large(20_000)));
    const pulls = world.open();
    const broker = shelf();
    pulls.begin(commandFor());
    pulls.begin(commandFor());
    const third = commandFor();
    pulls.begin(third);
    expect(pulls.cancel(third.arguments.request)).toBe(true);
    const later = commandFor();
    expect(pulls.cancel(later.arguments.request)).toBe(false);
    pulls.begin(later);
    expect(world.told[0]).toMatchObject({ command: later.id, reason: /cancelled before/ });
    await drain(pulls, world, broker);
    expect(broker.held.get(third.arguments.request)?.last?.cutBy).toBe('cancelled');
    expect(broker.text(third.arguments.request)).toBe('');
  });
});

describe('a file', () => {
  it('is sent as it is, also by the next agent, and goes', async () => {
    const world = terminalOver(await journalOf([]));
    const broker = shelf();
    const file = join(folder(), 'diagnosis.gz');
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, n) => (n * 7919) % 251));
    writeFileSync(file, bytes);
    const { id: command, arguments: args } = commandFor();
    let pulls = world.open();
    pulls.sendFile({ command, request: args.request, expiresMs: NOON * 2, file });
    expect(pulls.isPinned(file)).toBe(true);
    const first = pulls.take();
    if (first !== undefined) pulls.acknowledge(broker.give(first));
    pulls.stop();
    pulls = world.open();
    await drain(pulls, world, broker);
    expect(broker.held.get(args.request)?.bytes).toEqual(bytes);
    expect(world.told).toMatchObject([{ command, succeeded: true }]);
    expect(pulls.isPinned(file)).toBe(false);
  });
});
