// The broker's front with real MQTT clients over real sockets: what is committed is acknowledged, what is
// not allowed is refused, counted and told, and no client can harm another.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ackTopic, commandTopic, goneTopic, upTopic } from '../../protocol/topics.ts';
import {
  connectRaw,
  EPOCH_HEX,
  makeBatch,
  type Rig,
  startRig,
  type Terminal,
  until,
} from './front-rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.close());

/** The broker still takes and acknowledges a batch of a terminal that did nothing wrong. */
async function expectAlive(other: Terminal, seq: number): Promise<void> {
  await other.send(makeBatch(seq));
  await until('another terminal is served', () => other.acked(seq));
}

describe('a batch', () => {
  test('is on disk before its PUBACK and its acknowledgement come', async () => {
    const till = await rig.terminal('lane-1');
    await till.send(makeBatch(1));
    expect(rig.ledger.ranges('lane-1', EPOCH_HEX, 'events')).toEqual([{ first: 1, last: 1 }]);
    const [ack] = await until('the acknowledgement', () => till.acks.length > 0 && till.acks);
    expect(Buffer.from(ack?.epoch ?? []).toString('hex')).toBe(EPOCH_HEX);
    expect(ack?.streams).toEqual([{ stream: 'events', ranges: [{ first: 1, last: 1 }] }]);
    expect(Buffer.from(ack?.ledgerGeneration ?? [])).toEqual(Buffer.from(rig.ledger.generation));
    expect(Math.abs((ack?.brokerTimeMs ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(ack?.paceBytesPerSecond).toBeGreaterThan(0);
    expect(ack?.notice).toBe('');
    expect(rig.counted('events new')).toBe(1);
  });

  test('that comes twice is stored once and acknowledged twice', async () => {
    const till = await rig.terminal('lane-1');
    await till.send(makeBatch(1));
    await until('the first acknowledgement', () => till.acks.length === 1);
    await till.send(makeBatch(1));
    await until('the second acknowledgement', () => till.acks.length === 2);
    expect(till.acks[1]?.streams).toEqual(till.acks[0]?.streams);
    expect(rig.ledger.stats().rows).toBe(1);
    expect(rig.counted('events duplicate')).toBe(1);
  });

  test('is committed together with others, and all are answered in order', async () => {
    const till = await rig.terminal('lane-1');
    const order: number[] = [];
    const seqs = Array.from({ length: 300 }, (_, index) => index + 1);
    await Promise.all(seqs.map((seq) => till.send(makeBatch(seq)).then(() => order.push(seq))));
    await until('the last acknowledgement', () => till.acked(300));
    expect(order).toEqual(seqs);
    expect(rig.ledger.readAfter(0, 1000).map((row) => row.seq)).toEqual(seqs);
    expect(rig.counted('commits')).toBeLessThan(100);
  });

  test('sent before the terminal has subscribed is acknowledged once it has', async () => {
    const till = await rig.terminal('lane-1');
    await till.client.unsubscribeAsync(ackTopic('lane-1'));
    await till.send(makeBatch(1));
    await till.client.subscribeAsync(ackTopic('lane-1'), { qos: 1 });
    await until('the acknowledgement', () => till.acked(1));
  });

  test('that is no envelope is dropped, counted, and told with the next acknowledgement', async () => {
    const till = await rig.terminal('lane-1');
    await till.send(new Uint8Array([255, 255, 255]));
    await till.send(makeBatch(1));
    const ack = await until('the acknowledgement', () => till.acks[0]);
    expect(ack.notice).toContain('a batch on events was dropped');
    expect(rig.counted('events malformed')).toBe(1);
    expect(rig.ledger.stats().rows).toBe(1);
    await till.send(makeBatch(2));
    await until('the next acknowledgement', () => till.acked(2));
    expect(till.acks.at(-1)?.notice).toBe('');
  });

  test('on the topic of another stream is refused by its seq', async () => {
    const till = await rig.terminal('lane-1');
    await till.send(makeBatch(5, { stream: 'metrics' }), 'events');
    const ack = await until('the refusal', () => till.acks[0]);
    expect(ack.refused).toEqual([
      { stream: 'metrics', seq: 5, reason: 'it says metrics and was published on events' },
    ]);
    expect(ack.streams).toEqual([]);
    expect(rig.ledger.stats().rows).toBe(0);
  });
});

describe('what a terminal may not do', () => {
  const foreign: readonly [string, string, string][] = [
    ['publish as another terminal', upTopic('lane-2', 'events'), 'topic'],
    ['publish on its own down topic', ackTopic('lane-1'), 'topic'],
    ["publish another's end", goneTopic('lane-2'), 'topic'],
    ['publish under $SYS', '$SYS/tillwatch/new/clients', 'topic'],
    ['publish where nothing is', 'other/place', 'topic'],
  ];
  for (const [what, topic, reason] of foreign) {
    test(`${what}: the connection closes, and the next one begins with why`, async () => {
      const other = await rig.terminal('lane-2');
      const till = await rig.terminal('lane-1');
      till.client.publish(topic, Buffer.from(makeBatch(1)), { qos: 1 });
      await until('the connection closes', till.closed);
      expect(rig.counted(`refused ${reason}`)).toBe(1);
      expect(rig.ledger.stats().rows).toBe(0);
      await until('the fleet hears of it', () => rig.told.includes('lane-1 refused'));
      const again = await rig.terminal('lane-1');
      await again.send(makeBatch(1));
      await until('the acknowledgement', () => again.acks[0]);
      expect(again.greetings[0]?.notice).toContain(JSON.stringify(topic));
      await expectAlive(other, 1);
    });
  }

  for (const [what, options, reason] of [
    ['a retained publish', { qos: 1, retain: true }, 'retained'],
    ['a publish with QoS 0', { qos: 0 }, 'quality_of_service'],
    ['a publish with QoS 2', { qos: 2 }, 'quality_of_service'],
  ] as const) {
    test(`${what} closes the connection`, async () => {
      const other = await rig.terminal('lane-2');
      const till = await rig.terminal('lane-1');
      till.client.publish(upTopic('lane-1', 'events'), Buffer.from(makeBatch(1)), options);
      await until('the connection closes', till.closed);
      expect(rig.counted(`refused ${reason}`)).toBe(1);
      expect(rig.ledger.stats().rows).toBe(0);
      await expectAlive(other, 1);
    });
  }

  test('subscribe to anything but its own two topics', async () => {
    const till = await rig.terminal('lane-1');
    const topics = ['#', 'tillwatch/1/+/up/events', ackTopic('lane-2'), '$SYS/#', '$share/g/#'];
    for (const topic of topics) {
      await expect(till.client.subscribeAsync(topic, { qos: 1 })).rejects.toThrow();
    }
    expect(rig.counted('refused subscription')).toBe(topics.length);
    const other = await rig.terminal('lane-2');
    const heard: string[] = [];
    till.client.on('message', (topic) => heard.push(topic));
    await expectAlive(other, 1);
    await expectAlive(till, 1);
    expect(new Set(heard)).toEqual(new Set([ackTopic('lane-1')]));
  });

  const refusals = [
    ['under an unknown id', 'till-9', {}, 5, 'unknown_terminal'],
    ['under an id that is none', 'Lane 1!', {}, 2, 'client_id'],
    ['with a session that is kept', 'lane-1', { clean: false }, 5, 'session_not_clean'],
    ['with no end to its silence', 'lane-1', { keepalive: 0 }, 6, 'keepalive'],
    ['with MQTT 5', 'lane-1', { protocolVersion: 5 }, 1, 'protocol_version'],
    [
      'with MQTT 3.1',
      'lane-1',
      { protocolVersion: 3, protocolId: 'MQIsdp' },
      1,
      'protocol_version',
    ],
    [
      'with a will for another',
      'lane-1',
      { will: { topic: goneTopic('lane-2'), payload: Buffer.alloc(0), qos: 1, retain: false } },
      5,
      'will',
    ],
  ] as const;
  for (const [what, id, options, code, reason] of refusals) {
    test(`connect ${what}: CONNACK ${code}, counted`, async () => {
      await expect(rig.terminal(id, options)).rejects.toMatchObject({ code });
      await until('it is counted', () => rig.counted('connects refused') === 1);
      expect(rig.counted(`refused ${reason}`)).toBe(1);
      expect(rig.told).toEqual([]);
      await expectAlive(await rig.terminal('lane-2'), 1);
    });
  }
});

describe('small packets of a terminal that was accepted', () => {
  const CONNECT = Buffer.from('101200044d5154540402003c00066c616e652d31', 'hex');
  const topic = Buffer.alloc(1_000, 'a');
  const subscription = Buffer.concat([Buffer.from([0x82, 0xed, 0x07, 0, 1, 3, 0xe8]), topic]);

  test.each([
    ['PINGREQ', Buffer.alloc(65_536, Buffer.from([0xc0, 0]))],
    ['PUBACK that nobody waits for', Buffer.alloc(65_536, Buffer.from([0x40, 2, 0, 1]))],
    ['UNSUBSCRIBE', Buffer.alloc(70_000, Buffer.from([0xa2, 5, 0, 1, 0, 1, 97]))],
    ['SUBSCRIBE of a kilobyte', Buffer.concat([subscription, Buffer.from([0])])],
  ])('end its connection when they come without end: %s', async (_what, packets) => {
    const other = await rig.terminal('lane-2');
    const raw = await connectRaw(rig.front.port);
    raw.socket.write(CONNECT);
    await until('CONNACK', () => raw.got().length >= 4);
    for (let n = 0; n < 64; n += 1) raw.socket.write(packets);
    await until('its end', raw.closed, 2_000);
    expect(rig.counted('refused terminal_rate')).toBe(1);
    expect(raw.got().length).toBeLessThan(4_096);
    expect(rig.told).toContain('lane-1 refused');
    await expectAlive(other, 1);
  });

  test('are no matter as often as a terminal needs them, also many answers to what it is told', async () => {
    const till = await rig.terminal('lane-1');
    const all = 1_000;
    for (let n = 0; n < all; n += 1) {
      await until('room', () => rig.front.sendCommand('lane-1', Buffer.from(`do ${n}`)));
    }
    for (let n = 0; n < 30; n += 1) till.client.sendPing();
    await until('all that it was told', () => till.commands.length === all);
    await expectAlive(till, 1);
    expect(rig.counted('refused terminal_rate')).toBe(0);
  });
});

describe('a session', () => {
  test('is told to the fleet from its beginning to its end', async () => {
    const till = await rig.terminal('lane-1');
    await till.client.endAsync();
    await until('the end', () => rig.told.includes('lane-1 gone'));
    const broken = await rig.terminal('lane-1');
    broken.client.stream.destroy();
    await until('the loss', () => rig.told.includes('lane-1 lost'));
    expect(rig.told).toEqual([
      'lane-1 opened',
      'lane-1 ready',
      'lane-1 gone',
      'lane-1 opened',
      'lane-1 ready',
      'lane-1 lost',
    ]);
  });

  test('is taken over by a newer connection of the same terminal', async () => {
    const older = await rig.terminal('lane-1');
    const newer = await rig.terminal('lane-1');
    await until('the older one closes', older.closed);
    expect(rig.counted('connects taken_over')).toBe(1);
    expect(rig.told).toEqual([
      'lane-1 opened',
      'lane-1 ready',
      'lane-1 taken_over',
      'lane-1 opened',
      'lane-1 ready',
    ]);
    await expectAlive(newer, 1);
    expect(older.acks).toEqual([]);
  });

  test('keeps one connection when ten come at the same moment', async () => {
    const tills = await Promise.allSettled(
      Array.from({ length: 10 }, () => rig.terminal('lane-1')),
    );
    const open = tills.flatMap((till) => (till.status === 'fulfilled' ? [till.value] : []));
    await until('all but one close', () => open.filter((till) => !till.closed()).length === 1);
    await until('their sockets are gone', () => rig.front.connections() === 1);
    expect(rig.told.filter((line) => line.endsWith('opened')).length).toBe(
      rig.told.filter((line) => /taken_over|lost|gone/.test(line)).length + 1,
    );
  });

  test('gets commands only once it has subscribed, and only its own', async () => {
    const till = await rig.terminal('lane-1');
    const other = await rig.terminal('lane-2');
    expect(rig.front.sendCommand('lane-1', new Uint8Array([1, 2, 3]))).toBe(true);
    await until('the command', () => till.commands.length === 1);
    expect([...(till.commands[0] ?? [])]).toEqual([1, 2, 3]);
    expect(other.commands).toEqual([]);
    expect(rig.front.sendCommand('lane-3', new Uint8Array([1]))).toBe(false);
    await till.client.unsubscribeAsync(commandTopic('lane-1'));
    expect(rig.front.sendCommand('lane-1', new Uint8Array([1]))).toBe(false);
  });
});
