// What TLS and proxies say in words, and which address is tried when. Without a socket.

import { describe, expect, test } from 'vitest';
import { failureOf } from '../../agent/absence/absence.ts';
import { BACKOFF } from '../../agent/link/backoff.ts';
import { parseProxy, readAnswer, refusal } from '../../agent/link/proxy.ts';
import { CLOSED, isLasting, sentenceOf } from '../../agent/link/reasons.ts';
import { Tries } from '../../agent/link/tries.ts';

const SOME = [
  { host: 'a', port: 1 },
  { host: 'b', port: 2 },
  { host: 'c', port: 3 },
] as const;

describe('a list of addresses', () => {
  const tries = (random = 0.5) => new Tries(BACKOFF, () => random);
  const failed = { wasUp: false, wasSteady: false, addresses: 3 };
  const reason = 'connect ECONNREFUSED 127.0.0.1:8883';

  test('is gone through in turn within seconds, and only a whole round makes the wait longer', () => {
    const one = tries();
    const seen = Array.from({ length: 9 }, () => {
      const { host } = one.pick(SOME);
      return [host, one.endedMs({ ...failed, reason })];
    });
    expect(seen).toEqual([
      ['a', 500],
      ['b', 500],
      ['c', 500],
      ['a', 500],
      ['b', 500],
      ['c', 1_000],
      ['a', 500],
      ['b', 500],
      ['c', 2_000],
    ]);
  });

  test('what worked is tried first again', () => {
    const one = tries();
    one.endedMs({ ...failed, reason });
    expect(one.pick(SOME).host).toBe('b');
    one.worked();
    one.endedMs({ reason: CLOSED, wasUp: true, wasSteady: true, addresses: 3 });
    expect(one.pick(SOME).host).toBe('b');
  });

  test('a shorter list than before has an address, too', () => {
    const one = tries();
    one.endedMs({ ...failed, reason });
    one.endedMs({ ...failed, reason });
    expect(one.pick([SOME[0]]).host).toBe('a');
  });
});

describe('waits', () => {
  const up = { wasUp: true, wasSteady: true, addresses: 1 };
  const down = { wasUp: false, wasSteady: false, addresses: 1 };

  test('when the broker goes away its terminals come back over thirty seconds, not at once', () => {
    const drawn = [0, 0.25, 0.999].map((random) =>
      new Tries(BACKOFF, () => random).endedMs({ ...up, reason: CLOSED }),
    );
    expect(drawn).toEqual([20, 7_500, 29_970]);
  });

  test('a line of our own that breaks is tried again within a second', () => {
    const one = new Tries(BACKOFF, () => 0.999);
    expect(one.endedMs({ ...up, reason: 'Keepalive timeout' })).toBeLessThan(1_000);
  });

  test('where the configuration allows less, less it is', () => {
    const one = new Tries({ ...BACKOFF, reconnectMsMax: 500 }, () => 0.999);
    expect(one.endedMs({ ...up, reason: CLOSED })).toBeLessThanOrEqual(500);
    const refused = { ...down, reason: 'Connection refused: Not authorized' };
    expect(one.endedMs(refused)).toBeLessThanOrEqual(500);
  });

  test('who is refused asks again after a minute, then two, at most every five', () => {
    const one = new Tries(BACKOFF, () => 0);
    const refused = { ...down, reason: 'the broker refused our certificate: certificate revoked' };
    const waits = Array.from({ length: 5 }, () => one.endedMs(refused));
    expect(waits).toEqual([30_000, 60_000, 120_000, 150_000, 150_000]);
    one.worked();
    expect(one.endedMs(refused)).toBe(30_000);
  });

  test('one of several that refuses does not keep the others from being tried', () => {
    const one = new Tries(BACKOFF, () => 0.5);
    const two = { ...down, addresses: 2 };
    expect(one.endedMs({ ...two, reason: "the broker's certificate is refused: x" })).toBe(500);
    expect(one.endedMs({ ...two, reason: 'connect ECONNREFUSED ::1:1' })).toBe(45_000);
  });
});

describe('what a connection says at its end', () => {
  const alert = (code: string) => sentenceOf(Object.assign(new Error('SSL routines'), { code }));

  test.each([
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'certificate required'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'certificate expired'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED', 'certificate revoked'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'unknown ca'],
  ])('%s is a refusal of our certificate', (code, words) => {
    expect(alert(code)).toBe(`the broker refused our certificate: ${words}`);
    expect(failureOf(alert(code))).toBe('refused');
    expect(isLasting(alert(code))).toBe(true);
  });

  test('other alerts are faults of the handshake, other errors keep their words', () => {
    const other = alert('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR');
    expect(other).toBe('the broker ended the handshake: internal error');
    expect(failureOf(other)).toBe('unreachable');
    expect(sentenceOf(new Error('read ECONNRESET'))).toBe('read ECONNRESET');
  });

  test('a broker that is busy is asked again soon, one that knows us not is not', () => {
    expect(isLasting('Connection refused: Server unavailable')).toBe(false);
    expect(isLasting('Connection refused: Not authorized')).toBe(true);
    expect(isLasting('connect ECONNREFUSED 127.0.0.1:8883')).toBe(false);
  });
});

describe("a proxy's answer", () => {
  const read = (text: string) => readAnswer(Buffer.from(text));

  test('opens the way with any 2xx, whatever headers come with it', () => {
    expect(read('HTTP/1.0 200 OK\r\nVia: x\r\n\r\n')).toEqual({
      kind: 'open',
      rest: Buffer.alloc(0),
    });
    expect(read('HTTP/1.1 200\r\n\r\nrest')).toMatchObject({
      kind: 'open',
      rest: Buffer.from('rest'),
    });
  });

  test('is waited for while it may be one, byte by byte, and not longer', () => {
    const all = 'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n';
    for (let length = 0; length < all.length; length += 1) {
      expect(read(all.slice(0, length))).toEqual({ kind: 'more' });
    }
    expect(read(all)).toEqual({ kind: 'status', status: 407 });
    expect(read('SSH')).toEqual({ kind: 'garbage' });
    expect(read(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`)).toEqual({ kind: 'garbage' });
    expect(read('HTTP/1.1 2000 OK\r\n\r\n')).toEqual({ kind: 'garbage' });
  });

  test('is told in a sentence that shows no password', () => {
    const target = { host: '::1', port: 443 };
    expect(refusal(403, target, true)).toBe(
      'the proxy does not allow a connection to [::1]:443 (403)',
    );
    expect(refusal(504, target, true)).toMatch(/cannot be reached from the proxy/);
    expect(refusal(418, target, true)).toBe('the proxy answered 418 to a connection to [::1]:443');
  });

  test('its address may carry name and password, percent-encoded', () => {
    expect(parseProxy('http://till%40store:p%3Aw@proxy.example.com:3128')).toEqual({
      host: 'proxy.example.com',
      port: 3128,
      authorization: `Basic ${Buffer.from('till@store:p:w').toString('base64')}`,
    });
    expect(parseProxy('http://[::1]')).toEqual({ host: '::1', port: 80, authorization: undefined });
  });
});
