import { createServer } from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type ClientHello,
  HELLO_BYTES_MAX,
  type HelloStep,
  PEEK_BYTES_MAX,
  RECORDS_MAX,
  readClientHello,
} from '../../broker/tls/client-hello.ts';

/** What Node's own client says first. */
function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once('data', (chunk: Buffer) => {
        socket.destroy();
        server.close();
        resolve(chunk);
      });
    }).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      tls.connect({ ...options, host: '127.0.0.1', port }).on('error', () => {});
    });
  });
}

let real: Buffer;
beforeAll(async () => {
  real = await helloOf({ ALPNProtocols: ['mqtt', 'http/1.1'], minVersion: 'TLSv1.3' });
});

const u16 = (value: number): number[] => [value >> 8, value & 0xff];
const block = (bytes: readonly number[]): number[] => [...u16(bytes.length), ...bytes];
const extension = (type: number, data: readonly number[]): number[] => [
  ...u16(type),
  ...block(data),
];
const alpn = (...names: string[]): number[] =>
  extension(16, block(names.flatMap((name) => [name.length, ...Buffer.from(name)])));
const versions = (...list: number[]): number[] =>
  extension(43, [list.length * 2, ...list.flatMap(u16)]);

/** A ClientHello message made by hand. */
function message(extensions: readonly number[]): Buffer {
  const body = [
    ...u16(0x0303),
    ...Array.from({ length: 32 }, () => 7),
    ...[0],
    ...block([0x13, 0x01]),
    ...[1, 0],
    ...block(extensions),
  ];
  return Buffer.from([1, 0, ...block(body)]);
}
const record = (bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([22, 3, 1, ...u16(bytes.length)]), bytes]);
/** The same message in records of `size` bytes. */
const inRecords = (bytes: Buffer, size: number): Buffer =>
  Buffer.concat(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
      record(bytes.subarray(n * size, (n + 1) * size)),
    ),
  );

const heard = (step: HelloStep): ClientHello | undefined =>
  step.kind === 'hello' ? step.hello : undefined;

describe('a ClientHello', () => {
  test('of a real client says which protocols it wants', () => {
    expect(heard(readClientHello(real))).toEqual({
      protocols: ['mqtt', 'http/1.1'],
      speaksTls13: true,
    });
  });

  test('of a client that cannot speak TLS 1.3 is recognised', async () => {
    const old = await helloOf({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    expect(heard(readClientHello(old))).toEqual({ protocols: [], speaksTls13: false });
  });

  test('is waited for wherever it is cut, and never with fewer bytes than promised to be news', () => {
    let promised = 0;
    for (let size = 0; size < real.length; size += 1) {
      const step = readClientHello(real.subarray(0, size));
      if (step.kind !== 'more') throw new Error(`${size} bytes: ${JSON.stringify(step)}`);
      expect(step.bytes).toBeGreaterThan(size);
      expect(step.bytes).toBeLessThanOrEqual(real.length);
      expect(step.bytes).toBeGreaterThanOrEqual(promised);
      promised = step.bytes;
    }
    expect(promised).toBe(real.length);
  });

  test('may be spread over many records', () => {
    const whole = message([...versions(0x0304), ...alpn('mqtt')]);
    for (const size of [2, 3, 7, 40]) {
      const spread = inRecords(whole, size);
      expect(heard(readClientHello(spread))).toEqual({ protocols: ['mqtt'], speaksTls13: true });
      for (let at = 0; at < spread.length; at += 1) {
        expect(readClientHello(spread.subarray(0, at)).kind).toBe('more');
      }
    }
  });

  test('in more records than anybody needs is refused, not gathered', () => {
    const spread = inRecords(message(alpn('m'.repeat(RECORDS_MAX))), 1);
    expect(readClientHello(spread)).toMatchObject({ kind: 'wrong' });
  });

  test('with values that nobody knows is read past them [RFC 8701]', () => {
    const grease = message([
      ...extension(0x0a0a, []),
      ...versions(0x2a2a, 0x0304, 0x0303),
      ...extension(0xfafa, [0]),
      ...alpn('\x4a\x4a', 'mqtt'),
    ]);
    const hello = heard(readClientHello(record(grease)));
    expect(hello?.protocols).toContain('mqtt');
    expect(hello?.speaksTls13).toBe(true);
  });

  test('is not looked at behind its end', () => {
    const more = Buffer.concat([real, Buffer.from('anything')]);
    expect(heard(readClientHello(more))?.protocols).toEqual(['mqtt', 'http/1.1']);
  });

  test.each([
    ['MQTT in plain text', Buffer.from('101000044d5154540402003c00046c616e65', 'hex')],
    ['HTTP in plain text', Buffer.from('GET / HTTP/1.1\r\n')],
    ['the PROXY protocol', Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n')],
    ['an alert', Buffer.from([21, 3, 1, 0, 2, 2, 40])],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1])],
    ['a record of no TLS', Buffer.from([22, 9, 9, 0, 5, 1, 0, 0, 1, 0])],
    ['a ServerHello', record(Buffer.from([2, 0, 0, 1, 0]))],
    ['a hello of 8 MB', record(Buffer.from([1, 0x80, 0, 0]))],
    ['a list that is longer than what holds it', record(message(extension(16, [0, 9, 1, 97])))],
    ['an extension that ends outside', record(message([0, 16, 0, 200]))],
    ['half a version', record(message(extension(43, [3, 3, 4, 3])))],
  ])('%s is none, and is told so', (_what, bytes) => {
    expect(readClientHello(bytes)).toMatchObject({ kind: 'wrong' });
  });

  test('never asks for more bytes than are kept of a stranger', () => {
    const longest = Buffer.concat([Buffer.from([1, 0, 0x40, 0]), Buffer.alloc(HELLO_BYTES_MAX)]);
    const cut = inRecords(longest, 300).subarray(0, -1);
    const step = readClientHello(cut);
    expect(step).toEqual({ kind: 'more', bytes: cut.length + 1 });
    expect(cut.length).toBeLessThan(PEEK_BYTES_MAX);
  });
});

describe('any bytes', () => {
  const steps = ['more', 'hello', 'wrong'];
  const settle = (bytes: Uint8Array): void => {
    const step = readClientHello(bytes);
    expect(steps).toContain(step.kind);
    if (step.kind === 'more') expect(step.bytes).toBeGreaterThan(bytes.length);
  };

  test('get an answer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        settle(bytes);
        settle(record(bytes.subarray(0, 500)));
        settle(record(message([...bytes])));
      }),
      { numRuns: 3_000 },
    );
  });

  test('that were a hello before some of them changed get one', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(), (changes, cut) => {
        const bytes = Buffer.from(real);
        for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
        settle(bytes);
        settle(bytes.subarray(0, cut % bytes.length));
      }),
      { numRuns: 10_000 },
    );
  });
});
