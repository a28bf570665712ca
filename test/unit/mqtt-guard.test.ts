import { describe, expect, test } from 'vitest';
import { CONTROL_BYTES_MAX, createHeaderReader } from '../../broker/mqtt/headers.ts';
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

/** Scans the chunks as one stream. @returns the first problem. */
function scan(...chunks: Uint8Array[]): string | undefined {
  const reader = createHeaderReader();
  for (const chunk of chunks) {
    const { problem } = reader.scan(chunk);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

describe('the header reader', () => {
  test('passes what a terminal says, wherever the stream is cut', () => {
    const whole = Buffer.concat([CONNECT, SUBSCRIBE, publish(300), PING, publish(5), PING]);
    for (let at = 0; at <= whole.length; at += 1) {
      expect(scan(whole.subarray(0, at), whole.subarray(at))).toBe(undefined);
    }
    expect(scan(...Array.from(whole, (byte) => Buffer.from([byte])))).toBe(undefined);
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

  test('says where the CONNECT ends, in whichever chunk that is', () => {
    const reader = createHeaderReader();
    expect(reader.scan(CONNECT.subarray(0, 7))).toEqual({});
    const rest = Buffer.concat([CONNECT.subarray(7), PING]);
    expect(reader.scan(rest)).toEqual({ connectEnd: CONNECT.length - 7 });
    expect(reader.scan(PING)).toEqual({});
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
});
