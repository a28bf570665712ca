// Metric bodies from somebody who means harm, and the hand-written reader beside the generated one.

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { BODY_BYTES_MAX } from '../../protocol/limits.ts';
import { encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import { decodeMetricColumns } from '../../protocol/metric-columns.ts';
import { encodeRaw } from '../../protocol/wire.ts';
import { referenceColumns } from './metric-reference.ts';

const published = protobuf
  .parse(readFileSync('protocol/tillwatch.proto', 'utf8'))
  .root.lookupType('tillwatch.v1.MetricBody');
const SEED = 5;

const value = fc.oneof(
  fc.integer({ min: -2, max: 2 }),
  fc.maxSafeInteger(),
  fc.double(),
  fc.tuple(fc.integer(), fc.nat(6)).map(([whole, places]) => whole / 10 ** places),
);
const sample = fc.record({
  name: fc.constantFrom('pos_a', 'pos_b_total', 'app_c:d'),
  labels: fc.dictionary(
    fc.constantFrom('component', 'state'),
    fc.oneof(fc.constantFrom('sale', 'ready'), fc.string({ unit: 'grapheme', maxLength: 9 })),
    { noNullPrototype: true },
  ),
  value,
});
const snapshots: fc.Arbitrary<Snapshot[]> = fc.array(
  fc.record({ timeMs: fc.nat(2 ** 31 - 1), samples: fc.array(sample, { maxLength: 6 }) }),
  { maxLength: 5 },
);
/** As an agent of another make may send it: values with their series, in any of the forms. */
const foreign = fc
  .array(
    fc.record(
      {
        name: fc.constantFrom('a', 'b_total', 'c d'),
        labels: fc.array(fc.constantFrom('a', 'b', 'store', 'x y'), { maxLength: 4 }),
        at: fc.array(fc.nat(3), { maxLength: 3 }),
        wholeDeltas: fc.array(fc.integer(), { maxLength: 3 }),
        scaledDeltas: fc.array(fc.integer(), { maxLength: 3 }),
        values: fc.array(fc.double(), { maxLength: 3 }),
        decimals: fc.nat(17),
      },
      { requiredKeys: ['name'] },
    ),
    { maxLength: 3 },
  )
  .chain((series) =>
    fc
      .tuple(
        fc.array(fc.nat(1_000), { maxLength: 3 }),
        fc.array(fc.nat(18), { maxLength: 3 }),
        fc.array(fc.integer(), { maxLength: 9 }),
        fc.array(fc.double(), { maxLength: 3 }),
      )
      .map(([timeDeltasMs, forms, deltas, doubles]) =>
        encodeRaw('MetricBody', { timeDeltasMs, series, forms, deltas, doubles }),
      ),
  );
/** A place in the bytes and what is done there. */
const wound = fc.tuple(fc.nat(), fc.constantFrom('flip', 'cut', 'insert', 'repeat'), fc.nat(255));

function harm(data: Uint8Array, wounds: readonly [number, string, number][]): Uint8Array {
  let bytes = [...data];
  for (const [place, deed, what] of wounds) {
    const at = bytes.length === 0 ? 0 : place % bytes.length;
    if (deed === 'flip') bytes[at] = (bytes[at] ?? 0) ^ (1 << (what & 7));
    else if (deed === 'cut') bytes = bytes.slice(0, at);
    else if (deed === 'insert') bytes.splice(at, 0, what);
    else bytes.splice(at, 0, ...bytes.slice(at, at + 40));
  }
  return Uint8Array.from(bytes);
}

/** What the quick one takes, the slow one takes too, and the same; groups and the like only the slow one. */
function agree(data: Uint8Array, strictly = false): boolean {
  const quick = decodeMetricColumns(data);
  const slow = referenceColumns(data);
  if (quick.ok) expect(quick.value).toEqual(slow);
  else if (strictly) expect(slow, quick.reason).toBeUndefined();
  return quick.ok;
}

describe('the hand-written reader', () => {
  it('reads what the generated one reads, and refuses what that refuses', () => {
    let read = 0;
    fc.assert(
      fc.property(fc.oneof(snapshots.map(encodeMetricBody), foreign), (data) => {
        read += agree(data, true) ? 1 : 0;
        // Names that are known by their bytes read the same the second time.
        agree(data, true);
      }),
      { numRuns: 1_500, seed: SEED },
    );
    expect(read).toBeGreaterThan(500);
  });

  it('agrees with it on whatever somebody does to the bytes', () => {
    const body = fc.oneof(snapshots.map(encodeMetricBody), foreign, fc.uint8Array());
    fc.assert(
      fc.property(body, fc.array(wound, { minLength: 1, maxLength: 4 }), (data, wounds) => {
        agree(harm(data, wounds));
      }),
      { numRuns: 4_000, seed: SEED },
    );
  });

  it('refuses each cut of a body but those that end between its fields', () => {
    const samples = ['a', 'b'].map((name) => ({ name, labels: { of: 'x' }, value: 1.5 }));
    const data = encodeMetricBody([{ timeMs: 1_763_800_000_000, samples }]);
    const whole = Array.from({ length: data.length }, (_, i) => agree(data.subarray(0, i), true));
    // Nothing at all, and the instants alone.
    expect(whole.filter(Boolean).length).toBe(2);
  });

  it('is as good on text that is no UTF-8: it is refused', () => {
    const data = encodeMetricBody([
      { timeMs: 1, samples: [{ name: 'a', labels: { b: 'é' }, value: 1 }] },
    ]);
    expect(agree(data, true)).toBe(true);
    expect(
      agree(
        data.map((byte) => (byte === 0xc3 ? 0xff : byte)),
        true,
      ),
    ).toBe(false);
  });

  it('reads right while more names come than it keeps', () => {
    const bodies = Array.from({ length: 1_500 }, (_, i) =>
      encodeMetricBody([
        {
          timeMs: 1,
          samples: Array.from({ length: 20 }, (_s, k) => ({
            name: 'a',
            labels: { i: String(i % 1_000), k: String(k) },
            value: i + k,
          })),
        },
      ]),
    );
    for (const [i, data] of bodies.entries()) {
      const columns = decodeMetricColumns(data);
      const values = columns.ok
        ? columns.value.series.map(({ labels: [, own, , k], values: [value] }) => [own, k, value])
        : [];
      const expected = Array.from({ length: 20 }, (_, k) => [String(i % 1_000), String(k), i + k]);
      expect(values.toSorted()).toEqual(expected.toSorted());
    }
  });

  it('does not grow with what a body claims', () => {
    const zeros = new Uint8Array(BODY_BYTES_MAX - 16);
    for (const tag of [10, 26, 34, 42]) {
      const head = [
        tag,
        ...[0, 7, 14, 21].map((bits) => ((zeros.length >>> bits) & 0x7f) | 0x80),
        0,
      ];
      const data = Buffer.concat([Uint8Array.from(head), zeros]);
      expect(decodeMetricColumns(data)).toMatchObject({ ok: false });
    }
    const empty = Uint8Array.from({ length: 200_000 }, (_, i) => (i % 2 === 0 ? 18 : 0));
    expect(decodeMetricColumns(empty)).toMatchObject({ ok: false });
    expect(decodeMetricColumns(new Uint8Array(BODY_BYTES_MAX + 1))).toMatchObject({ ok: false });
    // A million claims of a length that is not there.
    expect(decodeMetricColumns(Uint8Array.from([10, 0xff, 0xff, 0xff, 0x07, 1]))).toMatchObject({
      ok: false,
    });
  });
});

describe('the hand-written writer', () => {
  it('has the bytes that the published schema gives what it wrote', () => {
    fc.assert(
      fc.property(snapshots, (given) => {
        const data = encodeMetricBody(given);
        const theirs = published.encode(published.decode(data)).finish();
        expect(Buffer.from(data).equals(Buffer.from(theirs))).toBe(true);
      }),
      { seed: SEED },
    );
  });
});
