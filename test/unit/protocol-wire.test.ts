import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { BATCH_BYTES_MAX } from '../../protocol/limits.ts';
import { decodeLogChunk } from '../../protocol/logs.ts';
import { decodeMetricBody, encodeMetricBody, type Snapshot } from '../../protocol/metric-body.ts';
import { addRange, addSeq, countSeqs, hasSeq, type Ranges } from '../../protocol/ranges.ts';
import { ackTopic, commandTopic, goneTopic, parseTopic, upTopic } from '../../protocol/topics.ts';
import {
  type Ack,
  type Batch,
  decodeAck,
  decodeBatch,
  encodeAck,
  encodeBatch,
  STREAMS,
} from '../../protocol/wire.ts';

const epoch = Uint8Array.from({ length: 16 }, (_, i) => i);
const batch: Batch = {
  epoch,
  stream: 'metrics',
  seq: 7,
  createdMs: 1_763_800_000_000,
  clockOffsetMs: -90_000,
  encoding: 'identity',
  body: new Uint8Array([1, 2, 3]),
};
const published = protobuf.parse(readFileSync('protocol/tillwatch.proto', 'utf8')).root;

describe('the envelope', () => {
  it('comes back as it was, for every stream', () => {
    for (const stream of STREAMS) {
      const decoded = decodeBatch(encodeBatch({ ...batch, stream }));
      expect(decoded).toMatchObject({
        ok: true,
        value: { stream, seq: 7, clockOffsetMs: -90_000 },
      });
    }
  });

  it('has the bytes that the published schema gives it', () => {
    const type = published.lookupType('tillwatch.v1.Batch');
    const theirs = type
      .encode(
        type.fromObject({ ...batch, stream: 'STREAM_METRICS', encoding: 'ENCODING_IDENTITY' }),
      )
      .finish();
    expect(Buffer.from(encodeBatch(batch)).equals(Buffer.from(theirs))).toBe(true);
  });

  it('is refused with a reason when a field is missing or out of bounds', () => {
    const broken: [Partial<Batch>, string][] = [
      [{ epoch: new Uint8Array(15) }, 'epoch'],
      [{ seq: 0 }, 'seq'],
      [{ seq: -1 }, 'seq'],
      [{ body: new Uint8Array(BATCH_BYTES_MAX) }, 'larger'],
    ];
    for (const [change, word] of broken) {
      const decoded = decodeBatch(encodeBatch({ ...batch, ...change }));
      expect(decoded).toMatchObject({ ok: false, reason: expect.stringContaining(word) });
    }
  });

  it('never throws, whatever bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
        for (const decode of [decodeBatch, decodeAck, decodeMetricBody, decodeLogChunk]) {
          expect(typeof decode(data).ok).toBe('boolean');
        }
      }),
    );
  });

  it('never throws on one flipped byte or a cut of a good message', () => {
    const good = encodeBatch(batch);
    for (let i = 0; i < good.length; i += 1) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const bad = Uint8Array.from(good);
        bad[i] = value;
        expect(typeof decodeBatch(bad).ok).toBe('boolean');
      }
      expect(typeof decodeBatch(good.subarray(0, i)).ok).toBe('boolean');
    }
  });
});

describe('the acknowledgement', () => {
  const ack: Ack = {
    epoch,
    streams: [
      {
        stream: 'events',
        ranges: [
          { first: 1, last: 9 },
          { first: 11, last: 11 },
        ],
      },
    ],
    refused: [{ stream: 'metrics', seq: 3, reason: 'too old' }],
    brokerTimeMs: 1_763_800_000_123,
    paceBytesPerSecond: 4096,
    ledgerGeneration: new Uint8Array([9]),
    notice: 'topic was not yours',
    logCredits: 3,
    sendEveryMs: 15_000,
  };

  it('comes back as it was', () => {
    const decoded = decodeAck(encodeAck(ack));
    expect(
      decoded.ok && { ...decoded.value, epoch: [...decoded.value.epoch], ledgerGeneration: [9] },
    ).toEqual({
      ...ack,
      epoch: [...epoch],
      ledgerGeneration: [9],
    });
  });

  it('with a range that runs backwards is refused: it could delete what was never received', () => {
    const streams = [{ stream: 'events', ranges: [{ first: 9, last: 1 }] }] as const;
    expect(decodeAck(encodeAck({ ...ack, streams }))).toMatchObject({ ok: false });
  });
});

describe('metric samples', () => {
  const value = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.constantFrom(0, -0, 2 ** 53, -1, Number.NaN, Infinity),
  );
  const sample = fc.record({
    name: fc.constantFrom('pos_a', 'pos_b_total', 'app_c'),
    labels: fc.dictionary(
      fc.constantFrom('component', 'state', 'version'),
      fc.string({ maxLength: 20 }),
      { noNullPrototype: true },
    ),
    value,
  });
  const key = (s: { name: string; labels: object }) =>
    s.name + JSON.stringify(Object.entries(s.labels).sort());
  const snapshot = fc.record({
    timeMs: fc.integer({ min: 0, max: 2 ** 45 }),
    samples: fc.uniqueArray(sample, { selector: key, maxLength: 8 }),
  });
  const sorted = (snapshots: readonly Snapshot[]) =>
    snapshots.map((s) => ({
      ...s,
      samples: [...s.samples].sort((a, b) => (key(a) < key(b) ? -1 : 1)),
    }));

  it('come back with exactly the values, labels and times they were taken with', () => {
    fc.assert(
      fc.property(fc.array(snapshot, { maxLength: 12 }), (snapshots) => {
        const decoded = decodeMetricBody(encodeMetricBody(snapshots));
        expect(decoded.ok && sorted(decoded.value)).toEqual(sorted(snapshots));
      }),
    );
  });

  it('may not claim a store or a terminal: the broker knows who is speaking', () => {
    for (const label of ['store', 'terminal']) {
      const body = encodeMetricBody([
        { timeMs: 1, samples: [{ name: 'a', labels: { [label]: 'x' }, value: 1 }] },
      ]);
      expect(decodeMetricBody(body)).toMatchObject({
        ok: false,
        reason: expect.stringContaining(label),
      });
    }
  });
});

describe('sequence ranges', () => {
  it('hold exactly what was added, in any order, without overlap', () => {
    const range = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 5 }));
    fc.assert(
      fc.property(fc.array(range), (added) => {
        const set = new Set<number>();
        let ranges: Ranges = [];
        for (const [first, more] of added) {
          ranges = addRange(ranges, { first, last: first + more });
          for (let seq = first; seq <= first + more; seq += 1) set.add(seq);
        }
        for (let seq = 1; seq <= 70; seq += 1) expect(hasSeq(ranges, seq)).toBe(set.has(seq));
        expect(countSeqs(ranges)).toBe(set.size);
        ranges.forEach((r, i) => {
          expect(r.first).toBeLessThanOrEqual(r.last);
          if (i > 0) expect(r.first).toBeGreaterThan((ranges[i - 1]?.last ?? 0) + 1);
        });
      }),
    );
  });

  it('stay one range while nothing is lost', () => {
    let ranges: Ranges = [];
    for (let seq = 1; seq <= 1000; seq += 1) ranges = addSeq(ranges, seq);
    expect(ranges).toEqual([{ first: 1, last: 1000 }]);
  });
});

describe('topics', () => {
  it('are read back as what they were made for', () => {
    expect(parseTopic(upTopic('lane-1', 'events'))).toMatchObject({
      ok: true,
      value: { kind: 'up', stream: 'events' },
    });
    expect(parseTopic(goneTopic('lane-1'))).toMatchObject({ ok: true, value: { kind: 'gone' } });
    expect(parseTopic(ackTopic('lane-1'))).toMatchObject({ ok: true, value: { kind: 'ack' } });
    expect(parseTopic(commandTopic('lane-1'))).toMatchObject({
      ok: true,
      value: { kind: 'command' },
    });
  });

  it('that are not ours are refused', () => {
    const foreign = [
      '',
      '#',
      '$SYS/x',
      'tillwatch/1/+/up/events',
      'tillwatch/2/a/up/events',
      'tillwatch/1/A/up/events',
      'tillwatch/1/a/up/secrets',
      'tillwatch/1/a/up/events/x',
      'tillwatch/1/a/down/events',
      'tillwatch/1/../up/events',
    ];
    for (const topic of foreign) expect(parseTopic(topic).ok, topic).toBe(false);
  });
});
