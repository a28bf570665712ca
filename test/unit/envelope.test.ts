// The broker's own reader of envelopes against the general decoder of protocol/wire.ts: the same answer to
// whatever a terminal may send, and to what it may not.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readEnvelope } from '../../broker/ingest/envelope.ts';
import { BATCH_BYTES_MAX } from '../../protocol/limits.ts';
import {
  type Batch,
  decodeBatch,
  ENCODINGS,
  EPOCH_BYTES,
  encodeBatch,
  STREAMS,
} from '../../protocol/wire.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const anyBatch: fc.Arbitrary<Batch> = fc.record({
  epoch: fc.oneof({ weight: 9, arbitrary: bytes(EPOCH_BYTES) }, { weight: 1, arbitrary: bytes(3) }),
  stream: fc.constantFrom(...STREAMS),
  seq: fc.oneof(fc.nat(300), fc.maxSafeNat()),
  createdMs: fc.maxSafeNat(),
  clockOffsetMs: fc.oneof(fc.integer(), fc.maxSafeInteger()),
  encoding: fc.constantFrom(...ENCODINGS),
  body: fc.uint8Array({ maxLength: 300 }),
});
const plain = (answer: ReturnType<typeof readEnvelope>): unknown =>
  answer.ok
    ? { ...answer.value, epoch: [...answer.value.epoch], body: [...answer.value.body] }
    : answer.reason;
function expectSame(data: Uint8Array): void {
  expect(plain(readEnvelope(data))).toEqual(plain(decodeBatch(data)));
}

describe('an envelope', () => {
  test('is read as the general decoder reads it', () => {
    fc.assert(fc.property(anyBatch, (batch) => expectSame(encodeBatch(batch))));
  });

  test('may have its fields in any order, twice, and others that are not known yet', () => {
    const unknown = Buffer.from('42036162634801510102030405060708a50601020304', 'hex');
    fc.assert(
      fc.property(anyBatch, anyBatch, (one, other) => {
        expectSame(Buffer.concat([encodeBatch(one), unknown, encodeBatch(other)]));
      }),
    );
  });

  test('cut anywhere is refused as by the general decoder', () => {
    const whole = encodeBatch({
      ...{ epoch: new Uint8Array(16).fill(9), stream: 'metrics', seq: 300, createdMs: 1.7e12 },
      ...{ clockOffsetMs: -5, encoding: 'gzip', body: new Uint8Array(40) },
    });
    for (let at = 0; at < whole.length; at += 1) expectSame(whole.subarray(0, at));
  });

  test.each([
    ['a number that does not end', '18ffffffffffffffffffffff01'],
    [
      'a number that does not end, and then one that does',
      `0a10${'07'.repeat(16)}100118012080a094a5a094a5a094a58d1d00000000200130013a00`,
    ],
    [
      'a seq beyond what can be counted',
      `0a10${'07'.repeat(16)}100118ffffffffffffffff7f200130023a00`,
    ],
    ['a length beyond its end', '0a7f01'],
    ['no stream that is known', `0a10${'07'.repeat(16)}1009180120013001`],
    ['no encoding that is known', `0a10${'07'.repeat(16)}1001180120013009`],
  ])('with %s is refused', (_what, hex) => {
    const data = Buffer.from(hex, 'hex');
    expect(readEnvelope(data).ok).toBe(false);
    expect(decodeBatch(data).ok).toBe(false);
  });

  test('of bytes that were changed is a batch or a reason, and never another batch', () => {
    fc.assert(
      fc.property(anyBatch, fc.array(fc.tuple(fc.nat(), fc.nat(255))), (batch, changes) => {
        const data = Buffer.from(encodeBatch(batch));
        for (const [at, byte] of changes) data[at % data.length] = byte;
        const read = readEnvelope(data);
        if (read.ok) expectSame(data);
      }),
      { numRuns: 2_000 },
    );
  });

  test('that is too large is refused before it is read', () => {
    expect(readEnvelope(new Uint8Array(BATCH_BYTES_MAX + 1))).toEqual(
      decodeBatch(new Uint8Array(BATCH_BYTES_MAX + 1)),
    );
  });
});
