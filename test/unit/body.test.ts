import { createHash } from 'node:crypto';
import { deflateRawSync, gzipSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packBody, unpackBody } from '../../protocol/body.ts';
import { dictionary } from '../../protocol/dictionary.ts';
import { BODY_BYTES_MAX } from '../../protocol/limits.ts';
import { encodeMetricBody } from '../../protocol/metric-body.ts';
import { decodeMetricColumns } from '../../protocol/metric-columns.ts';
import type { Encoding } from '../../protocol/wire.ts';

const PINNED = '54c1ecaa078b3149667fa8f1a4ce98d82f585a82d978fef8785eeee2b2baebfd';
const sample = (state: string, value: number) => ({
  name: 'pos_component_state',
  labels: { component: 'sale', state },
  value,
});
const body = encodeMetricBody([
  { timeMs: 1_763_800_000_000, samples: [sample('ready', 1), sample('suspect', 0)] },
]);

describe('a body', () => {
  it('is compressed where it pays and comes back either way', () => {
    for (const size of [0, 1, 10, 15, 16, 127, 128, 5_000, BODY_BYTES_MAX]) {
      const plain = new Uint8Array(size).fill(65);
      const packed = packBody(plain);
      expect(packed.encoding).toBe(size >= 16 ? 'deflate' : 'identity');
      const back = unpackBody(packed);
      expect(back.ok && Buffer.from(back.value).equals(plain)).toBe(true);
    }
    const noise = createHash('sha512').update('noise').digest();
    expect(packBody(noise)).toEqual({ encoding: 'identity', body: noise });
  });

  it('of a till is small from the first one on', () => {
    expect(body.length).toBeGreaterThan(100);
    expect(packBody(body).body.length).toBeLessThan(40);
    expect(gzipSync(body).length).toBeGreaterThan(90);
  });

  it('that an older agent packed with gzip, or not at all, is still read', () => {
    expect(unpackBody({ encoding: 'gzip', body: gzipSync(body) })).toMatchObject({ ok: true });
    expect(unpackBody({ encoding: 'identity', body })).toMatchObject({ ok: true });
  });

  it('that unpacks to more than the limit is refused, not inflated', () => {
    const large = new Uint8Array(BODY_BYTES_MAX + 1);
    for (const bomb of [
      packBody(large),
      { encoding: 'gzip', body: gzipSync(large) } as const,
      { encoding: 'deflate', body: deflateRawSync(Buffer.alloc(200_000_000)) } as const,
      { encoding: 'identity', body: large } as const,
    ]) {
      expect(unpackBody(bomb)).toMatchObject({ ok: false });
    }
    expect(packBody(large).body.length).toBeLessThan(10_000);
  });

  it('that is not what it says is refused or read as something else, never thrown', () => {
    const encodings: readonly Encoding[] = ['gzip', 'deflate', 'identity'];
    const { body: packed } = packBody(body);
    for (let i = 0; i < packed.length; i += 1) {
      for (const bit of [1, 16, 128]) {
        const bad = Uint8Array.from(packed);
        bad[i] = (bad[i] ?? 0) ^ bit;
        const back = unpackBody({ encoding: 'deflate', body: bad });
        if (back.ok) expect(typeof decodeMetricColumns(back.value).ok).toBe('boolean');
      }
      expect(unpackBody({ encoding: 'deflate', body: packed.subarray(0, i) }).ok).toBe(false);
    }
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(...encodings),
        (data, encoding) => {
          const back = unpackBody({ encoding, body: data });
          if (back.ok) expect(typeof decodeMetricColumns(back.value).ok).toBe('boolean');
        },
      ),
      { seed: 5, numRuns: 2_000 },
    );
  });

  it('that was packed with another dictionary is no body', () => {
    // All that it refers to stands five bytes away.
    const other = dictionary().subarray(0, -5);
    const wrong = deflateRawSync(body, { dictionary: other });
    expect(inflateRawSync(wrong, { dictionary: other }).length).toBe(body.length);
    const back = unpackBody({ encoding: 'deflate', body: wrong });
    expect(back.ok && decodeMetricColumns(back.value).ok).toBe(false);
  });
});

describe('the dictionary', () => {
  it('is the same for ever: batches that were packed with it lie in outboxes and ledgers', () => {
    expect(createHash('sha256').update(dictionary()).digest('hex')).toBe(PINNED);
  });

  it('fits into the window, with room for a body behind it', () => {
    expect(dictionary().length).toBeLessThan(27 * 1024);
  });

  it('holds series as they stand in a body', () => {
    // Without the field of instants in front.
    const head = Buffer.from(body).subarray(8, 8 + 55);
    expect(head.includes('pos_component_state')).toBe(true);
    expect(Buffer.from(dictionary()).includes(head)).toBe(true);
  });
});
