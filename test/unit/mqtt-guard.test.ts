import mqttPacket from 'mqtt-packet';
import { describe, expect, test } from 'vitest';
import {
  CONTROL_BYTES_MAX,
  PacketReader,
  readPublish,
  writeHeader,
  writePubacks,
  writePublish,
} from '../../broker/mqtt/packets.ts';
import { createRateLimiter } from '../../broker/mqtt/rate.ts';
import { PACKET_BYTES_MAX } from '../../protocol/limits.ts';

const CONNECT = Buffer.from('101000044d5154540402003c00046c616e65', 'hex');
const PING = Buffer.from([0xc0, 0]);
const SUBSCRIBE = Buffer.from([0x82, 6, 0, 1, 0, 1, 0x61, 1]);
const publish = (size: number): Buffer => {
  const length = [];
  let rest = size;
  do {
    length.push((rest % 128) + (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.concat([Buffer.from([0x32, ...length]), Buffer.alloc(size)]);
};

/** Reads the chunks as one stream. @returns its packets, or the first problem. */
function read(...chunks: Buffer[]): string | Buffer[] {
  const reader = new PacketReader();
  const packets: Buffer[] = [];
  for (const chunk of chunks) {
    reader.take(chunk);
    for (let step = reader.step(); step !== 'more'; step = reader.step()) {
      if (step !== 'packet') return step;
      packets.push(Buffer.concat([writeHeader(reader.first, reader.body.length), reader.body]));
    }
  }
  return packets;
}
/** @returns the first problem. */
function scan(...chunks: Buffer[]): string | undefined {
  const found = read(...chunks);
  return typeof found === 'string' ? found : undefined;
}

describe('the packet reader', () => {
  test('finds every packet that a terminal says, whole, wherever the stream is cut', () => {
    const packets = [CONNECT, SUBSCRIBE, publish(9_000), PING, publish(5), publish(300), PING];
    const whole = Buffer.concat(packets);
    const isWhole = (found: string | Buffer[]): boolean =>
      typeof found !== 'string' &&
      found.length === packets.length &&
      found.every((packet, index) => packet.equals(packets[index] ?? PING));
    for (let at = 0; at <= whole.length; at += 1) {
      expect(isWhole(read(whole.subarray(0, at), whole.subarray(at)))).toBe(true);
    }
    expect(isWhole(read(...Array.from(whole, (byte) => Buffer.from([byte]))))).toBe(true);
  });

  test('finds the same problem wherever the stream is cut', () => {
    const whole = Buffer.concat([
      CONNECT,
      publish(300),
      publish(PACKET_BYTES_MAX + 1).subarray(0, 9),
    ]);
    for (let at = 0; at <= whole.length; at += 1) {
      expect(scan(whole.subarray(0, at), whole.subarray(at))).toBe('packet_too_large');
    }
  });

  test('stops behind each packet, so that what follows a CONNECT can wait', () => {
    const reader = new PacketReader();
    reader.take(CONNECT.subarray(0, 7));
    expect(reader.step()).toBe('more');
    reader.take(Buffer.concat([CONNECT.subarray(7), PING, publish(5)]));
    expect(reader.step()).toBe('packet');
    expect(reader.rest()).toEqual(Buffer.concat([PING, publish(5)]));
  });

  test('passes a PUBLISH of exactly the limit and refuses one byte more, by its header alone', () => {
    expect(scan(CONNECT, publish(PACKET_BYTES_MAX), PING)).toBe(undefined);
    const large = publish(PACKET_BYTES_MAX + 1);
    expect(scan(CONNECT, large.subarray(0, 4))).toBe('packet_too_large');
  });

  test('allows everything else a few kilobytes only, also the CONNECT of a stranger', () => {
    const subscribe = publish(CONTROL_BYTES_MAX + 1);
    subscribe[0] = 0x82;
    expect(scan(CONNECT, subscribe)).toBe('packet_too_large');
    const connect = publish(CONTROL_BYTES_MAX + 1);
    connect[0] = 0x10;
    expect(scan(connect)).toBe('packet_too_large');
  });

  test.each([
    ['nothing of MQTT', Buffer.from('GET / HTTP/1.1\r\n'), 'no_connect'],
    ['a PUBLISH before CONNECT', publish(5), 'no_connect'],
    ['a length of five bytes', Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80, 1]), 'malformed'],
  ])('refuses %s', (_what, bytes, problem) => {
    expect(scan(bytes)).toBe(problem);
  });

  test.each([
    ['a second CONNECT', CONNECT],
    ['a packet only brokers send', Buffer.from([0x20, 2, 0, 0])],
    ['a packet of QoS 2', Buffer.from([0x62, 2, 0, 1])],
    ['a type that does not exist', Buffer.from([0x00, 0])],
    ['an AUTH of MQTT 5', Buffer.from([0xf0, 0])],
    ['QoS 3', Buffer.from([0x36, 2, 0, 0])],
    ['a SUBSCRIBE with wrong flags', Buffer.from([0x80, 2, 0, 1])],
    ['a PINGREQ with a body', Buffer.from([0xc0, 1, 0])],
  ])('refuses %s after CONNECT', (_what, bytes) => {
    expect(scan(CONNECT, bytes)).toBe('malformed');
  });
});

describe('a packet', () => {
  const head = { cmd: 'publish', qos: 1, dup: false, retain: false } as const;
  const topic = 'tillwatch/1/lane-1/up/metrics';

  test.each([0, 1, 100, 127, 128, 16_383, 16_384, 70_000])(
    'PUBLISH with %i bytes is written and read as the library does it',
    (size) => {
      const payload = Buffer.alloc(size, 7);
      const written = writePublish(topic, 513, payload);
      expect(written).toEqual(mqttPacket.generate({ ...head, topic, payload, messageId: 513 }));
      const [, packet] = read(CONNECT, written) as Buffer[];
      expect(packet).toEqual(written);
      const body = written.subarray(written.length - size - topic.length - 4);
      expect(readPublish(written[0] ?? 0, body)).toEqual({
        ...{ topic, qos: 1, retain: false, id: 513, payload },
      });
    },
  );

  test('PUBLISH says its QoS and whether it is to be retained', () => {
    const body = Buffer.from('000161', 'hex');
    expect(readPublish(0x31, body)).toMatchObject({ qos: 0, retain: true, id: 0, topic: 'a' });
    expect(readPublish(0x3c, Buffer.from('00016100ff', 'hex'))).toMatchObject({ qos: 2, id: 255 });
  });

  test.each([
    ['nothing', ''],
    ['half a length', '00'],
    ['a topic beyond its end', '000961'],
    ['no packet id', '000161'],
    ['half a packet id', '00016101'],
    ['packet id 0', '0001610000'],
  ])('PUBLISH with %s is none', (_what, hex) => {
    expect(readPublish(0x32, Buffer.from(hex, 'hex'))).toBeUndefined();
  });

  test('PUBACK is written for each publish, in order', () => {
    const ids = [1, 65_535, 256];
    const single = ids.map((messageId) => mqttPacket.generate({ cmd: 'puback', messageId }));
    expect(writePubacks(ids)).toEqual(Buffer.concat(single));
  });
});

describe('the rate of connects', () => {
  const allowed = (limiter: ReturnType<typeof createRateLimiter>, times: number, nowMs: number) =>
    Array.from({ length: times }, () => limiter.allow('a', nowMs)).filter(Boolean).length;

  test('lets a burst through, then so many a second, and is not filled by waiting for ever', () => {
    const limiter = createRateLimiter({ burst: 10, perSecond: 2 });
    expect(allowed(limiter, 20, 0)).toBe(10);
    expect(allowed(limiter, 20, 1_000)).toBe(2);
    expect(allowed(limiter, 20, 1_400)).toBe(0);
    expect(allowed(limiter, 20, 1_600)).toBe(1);
    expect(allowed(limiter, 50, 3_600_000)).toBe(10);
  });

  test('counts each address for itself and remembers a bounded number of them', () => {
    const limiter = createRateLimiter({ burst: 1, perSecond: 1 }, 2);
    expect(limiter.allow('a', 0)).toBe(true);
    expect(limiter.allow('b', 0)).toBe(true);
    expect(limiter.allow('a', 0)).toBe(false);
    expect(limiter.allow('c', 0)).toBe(true); // b, the longest unused, is forgotten
    expect(limiter.allow('a', 0)).toBe(false);
    expect(limiter.allow('b', 0)).toBe(true);
  });

  test('counts a whole network of IPv6 addresses, which one customer has, as one', () => {
    const limiter = createRateLimiter({ burst: 2, perSecond: 1 });
    const allow = (address: string): boolean => limiter.allow(address, 0);
    expect(['2001:db8:0:1::1', '2001:db8:0:1::2', '2001:db8:0:1:a::'].map(allow)).toEqual([
      ...[true, true, false],
    ]);
    expect(
      ['2001:db8:0:2::1', '::ffff:192.0.2.1', '192.0.2.1', '::ffff:192.0.2.1'].map(allow),
    ).toEqual([true, true, true, false]);
  });
});
