// What hostile, broken and frozen clients do to the broker's front: nothing. Each case ends with another
// terminal whose batch is committed and acknowledged as if nobody else were there.

import mqttPacket from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemTimers, type Timers } from '../../broker/clock.ts';
import { COMMIT_BATCHES_MAX, COMMIT_EVERY_MS } from '../../broker/ingest/ingest.ts';
import { PACKET_BYTES_MAX } from '../../protocol/limits.ts';
import { upTopic } from '../../protocol/topics.ts';
import {
  connectRaw,
  makeBatch,
  type Rig,
  random,
  startRig,
  type Terminal,
  until,
} from './front-rig.ts';

let rig: Rig;
let witness: Terminal;
let seq = 0;
beforeEach(async () => {
  rig = await startRig({ connectTimeoutMs: 400, drainTimeoutMs: 400 });
  witness = await rig.terminal('lane-witness');
  seq = 0;
});
afterEach(() => rig.close());

async function expectUnharmed(): Promise<void> {
  seq += 1;
  const next = seq;
  await witness.send(makeBatch(next));
  await until('another terminal is served', () => witness.acked(next));
  expect(rig.counted('refused internal')).toBe(0);
}

const connectPacket = (clientId: string): Buffer =>
  mqttPacket.generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clientId,
    clean: true,
    keepalive: 60,
  });
const publishPacket = (id: string, messageId: number, payload: Uint8Array): Buffer =>
  mqttPacket.generate({
    cmd: 'publish',
    topic: upTopic(id, 'events'),
    payload: Buffer.from(payload),
    qos: 1,
    messageId,
    retain: false,
    dup: false,
  });

describe('a publish of 60 MiB', () => {
  test.each([
    ['of a terminal', 'lane-1'],
    ['of a stranger', undefined],
  ])('%s is refused by its header and costs no memory', async (_who, id) => {
    const raw = await connectRaw(rig.front.port);
    if (id !== undefined) {
      raw.socket.write(connectPacket(id));
      await until('CONNACK', () => raw.got().length >= 4);
    }
    const before = process.memoryUsage().rss;
    // Remaining length 62 914 560 and as much of the rest as the broker lets through.
    raw.socket.write(Buffer.from([0x32, 0x80, 0x80, 0x80, 0x1e]));
    const chunk = Buffer.alloc(256 * 1024, 97);
    let sent = 0;
    while (!raw.closed() && sent < 60 * 2 ** 20) {
      sent += chunk.length;
      if (!raw.socket.write(chunk)) {
        await Promise.race([
          new Promise((resolve) => raw.socket.once('drain', resolve)),
          until('the connection closes', raw.closed),
        ]);
      }
    }
    await until('the connection closes', raw.closed);
    expect(rig.counted(`refused ${id === undefined ? 'no_connect' : 'packet_too_large'}`)).toBe(1);
    expect(sent).toBeLessThan(16 * 2 ** 20);
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * 2 ** 20);
    await expectUnharmed();
  });

  test('is not confused with one of exactly the limit, which is read and then judged', async () => {
    const raw = await connectRaw(rig.front.port);
    raw.socket.write(connectPacket('lane-1'));
    await until('CONNACK', () => raw.got().length >= 4);
    const room = PACKET_BYTES_MAX - 4 - upTopic('lane-1', 'events').length;
    raw.socket.write(publishPacket('lane-1', 9, Buffer.alloc(room, 255)));
    await until('PUBACK', () => raw.got().includes(Buffer.from([0x40, 2, 0, 9])));
    expect(rig.counted('events malformed')).toBe(1);
    raw.socket.destroy();
    await expectUnharmed();
  });
});

describe('bytes that make no sense', () => {
  test('a few thousand connections of seeded garbage harm nobody', {
    timeout: 120_000,
  }, async () => {
    const seed = 20_241_122;
    const next = random(seed);
    const pick = (n: number): number => Math.floor(next() * n);
    const connect = connectPacket('lane-1');
    const good = Buffer.concat([connect, publishPacket('lane-1', 1, makeBatch(1))]);
    const subscribe = mqttPacket.generate({
      cmd: 'subscribe',
      messageId: 3,
      subscriptions: [{ topic: 'tillwatch/1/lane-1/down/ack', qos: 1 }],
    });
    const makers: (() => Buffer)[] = [
      () => Buffer.from(Array.from({ length: 1 + pick(40) }, () => pick(256))),
      // A good beginning and then noise, so that the parser behind the guard meets it, too.
      () =>
        Buffer.concat([connect, Buffer.from(Array.from({ length: pick(60) }, () => pick(256)))]),
      // Known packets with some bytes changed, and cut short.
      () => {
        const mutated = Buffer.concat([good, subscribe]);
        for (let count = 1 + pick(4); count > 0; count -= 1)
          mutated[pick(mutated.length)] = pick(256);
        return mutated.subarray(0, 1 + pick(mutated.length));
      },
      // A right header with a body of noise, for each type that a terminal sends.
      () => {
        const type = [0x30, 0x32, 0x34, 0x40, 0x82, 0xa2, 0x31][pick(7)] ?? 0;
        const body = Buffer.from(Array.from({ length: pick(60) }, () => pick(256)));
        return Buffer.concat([connect, Buffer.from([type, body.length]), body]);
      },
    ];
    const one = async (bytes: Buffer): Promise<void> => {
      const raw = await connectRaw(rig.front.port);
      const cut = 1 + pick(bytes.length);
      raw.socket.write(bytes.subarray(0, cut));
      if (cut < bytes.length) raw.socket.write(bytes.subarray(cut));
      await new Promise((resolve) => setTimeout(resolve, pick(4)));
      raw.socket.destroy();
    };
    for (let round = 0; round < 100; round += 1) {
      const batch = Array.from(
        { length: 25 },
        () => makers[pick(makers.length)]?.() ?? Buffer.of(0),
      );
      await Promise.all(batch.map(one)).catch((cause) => {
        throw new Error(`seed ${seed}, round ${round}`, { cause });
      });
      if (round % 20 === 0) await expectUnharmed();
    }
    await until('all are gone', () => rig.front.connections() === 1);
    await expectUnharmed();
    expect(rig.counted('refused malformed')).toBeGreaterThan(100);
    expect(rig.counted('refused no_connect')).toBeGreaterThan(100);
    expect(rig.counted('refused topic')).toBeGreaterThan(0);
  });
});

describe('a client that is too slow', () => {
  test('to say CONNECT is closed, and counted', async () => {
    const silent = await connectRaw(rig.front.port);
    const slow = await connectRaw(rig.front.port);
    slow.socket.write(connectPacket('lane-1').subarray(0, 5));
    await until('both are closed', () => silent.closed() && slow.closed());
    expect(rig.counted('refused connect_timeout')).toBe(2);
    await expectUnharmed();
  });

  test('to read what it gets is closed, and others are served meanwhile', async () => {
    const raw = await connectRaw(rig.front.port);
    raw.socket.write(connectPacket('lane-1'));
    await until('CONNACK', () => raw.got().length >= 4);
    raw.socket.write(
      mqttPacket.generate({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: [
          { topic: 'tillwatch/1/lane-1/down/ack', qos: 1 },
          { topic: 'tillwatch/1/lane-1/down/command', qos: 1 },
        ],
      }),
    );
    await until('SUBACK', () => rig.told.includes('lane-1 ready'));
    raw.socket.pause();
    let written = 0;
    let refused = 0;
    // More than the kernel's buffers of both ends hold.
    for (let count = 0; count < 6_000 && !rig.told.includes('lane-1 lost'); count += 1) {
      if (rig.front.sendCommand('lane-1', Buffer.alloc(16 * 1024, count))) written += 1;
      else refused += 1;
      if (count % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      if (count % 1_000 === 0) await expectUnharmed();
    }
    expect(refused).toBeGreaterThan(0);
    expect(written).toBeGreaterThan(0);
    await until('it is closed', () => rig.told.includes('lane-1 lost'));
    expect(rig.counted('refused slow_reader')).toBe(1);
    raw.socket.destroy();
    await expectUnharmed();
  });

  test('to read while it publishes at full speed neither fills memory nor stops others', async () => {
    const raw = await connectRaw(rig.front.port);
    raw.socket.write(connectPacket('lane-1'));
    await until('CONNACK', () => raw.got().length >= 4);
    raw.socket.pause();
    const before = process.memoryUsage().rss;
    for (let n = 1; n <= 40_000 && !raw.closed(); n += 1) {
      const flushed = raw.socket.write(publishPacket('lane-1', 1 + (n % 60_000), makeBatch(n)));
      if (!flushed) {
        await Promise.race([
          new Promise((resolve) => raw.socket.once('drain', resolve)),
          new Promise((resolve) => setTimeout(resolve, 500)),
        ]);
      }
      if (n % 10_000 === 0) await expectUnharmed();
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20);
    raw.socket.destroy();
    await expectUnharmed();
  });
});

describe('too many', () => {
  test('connections are closed at the door, and counted', async () => {
    await rig.close();
    rig = await startRig({ connections: 3 });
    witness = await rig.terminal('lane-witness');
    const raws = await Promise.all([1, 2, 3, 4].map(() => connectRaw(rig.front.port)));
    await until('two are closed', () => raws.filter((raw) => raw.closed()).length === 2);
    expect(rig.counted('refused too_many_connections')).toBe(2);
    raws[0]?.socket.destroy();
    await expectUnharmed();
  });

  test('connects of one address are closed at the door, and counted', async () => {
    await rig.close();
    rig = await startRig({ connects: { burst: 3, perSecond: 1 } });
    witness = await rig.terminal('lane-witness');
    const raws = await Promise.all([1, 2, 3, 4].map(() => connectRaw(rig.front.port)));
    await until('two are closed', () => raws.filter((raw) => raw.closed()).length === 2);
    expect(rig.counted('refused connect_rate')).toBe(2);
    for (const raw of raws) raw.socket.destroy();
    await expectUnharmed();
  });
});

test('a terminal that sends faster than the ledger commits is not read until it has', async () => {
  await rig.close();
  let commit: (() => void) | undefined;
  // Commits wait until the test lets them; the queue's own limit would commit, too.
  const after: Timers['after'] = (ms, run) => {
    if (ms !== COMMIT_EVERY_MS) return systemTimers.after(ms, run);
    commit = run;
    return () => {};
  };
  rig = await startRig({}, { ...systemTimers, after });
  const raw = await connectRaw(rig.front.port);
  raw.socket.write(connectPacket('lane-1'));
  await until('CONNACK', () => raw.got().length >= 4);
  const total = COMMIT_BATCHES_MAX + 100;
  // One by one: aedes holds back by itself only what comes in large chunks (research/mqtt.md 1.1).
  for (let n = 1; n <= total; n += 1) {
    raw.socket.write(publishPacket('lane-1', n, makeBatch(n)));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(rig.counted('commits')).toBe(0);
  await until('all is committed in the end', () => {
    commit?.();
    return rig.counted('events new') === total;
  });
  raw.socket.destroy();
});

test('a stranger who sends on behind its CONNECT gets none of it parsed', async () => {
  const raw = await connectRaw(rig.front.port);
  const publishes = Array.from({ length: 200 }, (_, n) =>
    publishPacket('till-9', n + 1, makeBatch(n + 1)),
  );
  raw.socket.write(Buffer.concat([connectPacket('till-9'), ...publishes]));
  await until('it is closed', raw.closed);
  expect(rig.counted('refused unknown_terminal')).toBe(1);
  expect(rig.counted('refused malformed')).toBe(0);
  await expectUnharmed();
});

test('a terminal may send on behind its CONNECT, and is answered in order [MQTT-4.6.0-2]', async () => {
  const raw = await connectRaw(rig.front.port);
  const publishes = Array.from({ length: 200 }, (_, n) =>
    publishPacket('lane-1', n + 1, makeBatch(n + 1)),
  );
  raw.socket.write(Buffer.concat([connectPacket('lane-1'), ...publishes]));
  await until('all are committed', () => rig.counted('events new') === 200);
  await until('all are answered', () => raw.got().length === 4 + 200 * 4);
  const ids = publishes.map((_, n) => raw.got().readUInt16BE(4 + n * 4 + 2));
  expect(ids).toEqual(publishes.map((_, n) => n + 1));
  raw.socket.destroy();
});
