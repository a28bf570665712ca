import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { SPAN_ATTRIBUTES_MAX, SPANS_PER_BODY_MAX } from '../../protocol/limits.ts';
import { parseTraceparent, traceOfUuid, traceparentOf } from '../../protocol/traceparent.ts';
import {
  decodeTraces,
  encodeTraces,
  faultOf,
  SPAN_KINDS,
  type Span,
  spanBytes,
} from '../../protocol/traces.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const span: Span = {
  traceId,
  spanId: '00f067aa0ba902b7',
  parentSpanId: 'ffffffffffffffff',
  name: 'kill',
  kind: 'internal',
  startMs: 1_763_800_000_000.123,
  endMs: 1_763_800_000_001.999,
  attributes: { 'tillwatch.cause': 'hang', forced: false, attempts: 0, ratio: -0.5, empty: '' },
  events: [{ timeMs: 1_763_800_000_001, name: 'signal', attributes: { signal: 'SIGKILL' } }],
  status: { code: 'error', message: 'it did not end' },
};
const groups = [
  { resource: { 'service.name': 'tillwatch-agent', 'service.version': '0.1.0' }, spans: [span] },
  { resource: { 'service.name': 'sale' }, spans: [] },
];

/** OTLP's own schema, written from opentelemetry-proto's trace.proto: only names and numbers count. */
const otlp = protobuf.parse(`syntax = "proto3"; package otlp;
  message TracesData { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
  message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
  message Scope { string name = 1; string version = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4;
    fixed32 flags = 16; string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7;
    fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; repeated Event events = 11;
    Status status = 15;
  }
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message ArrayValue { repeated AnyValue values = 1; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3;
    double double_value = 4; ArrayValue array_value = 5; } }`).root;
const TheirData = otlp.lookupType('otlp.TracesData');

const decoded = (data: Uint8Array) => {
  const read = decodeTraces(data);
  if (!read.ok) throw new Error(read.reason);
  return read.value;
};

describe('a body of spans', () => {
  it('comes back as it was, to the microsecond', () => {
    expect(decoded(encodeTraces(groups))).toEqual(groups);
  });

  it('comes back as it was for every kind of span and any time until 2039', () => {
    const any = fc.record({
      kind: fc.constantFrom(...SPAN_KINDS),
      startMs: fc.integer({ min: 0, max: Date.UTC(2039, 0, 1) * 1000 }).map((us) => us / 1000),
      number: fc.oneof(fc.double({ noNaN: true }), fc.maxSafeInteger(), fc.constant(-0)),
      word: fc.string(),
    });
    fc.assert(
      fc.property(any, ({ kind, startMs, number, word }) => {
        const one = { ...span, kind, startMs, endMs: startMs, attributes: { number, word } };
        const [group] = decoded(encodeTraces([{ resource: {}, spans: [one] }]));
        expect(group?.spans).toEqual([one]);
      }),
    );
  });

  it('reads in OTLP as what it is', () => {
    const read = TheirData.toObject(TheirData.decode(encodeTraces(groups)), {
      longs: String,
      bytes: String,
    });
    expect(read['resourceSpans'][0].scopeSpans[0].spans[0]).toEqual({
      traceId: Buffer.from(traceId, 'hex').toString('base64'),
      spanId: Buffer.from(span.spanId, 'hex').toString('base64'),
      parentSpanId: Buffer.from(span.parentSpanId ?? '', 'hex').toString('base64'),
      name: 'kill',
      kind: 1,
      startTimeUnixNano: '1763800000000123000',
      endTimeUnixNano: '1763800000001999000',
      attributes: [
        { key: 'tillwatch.cause', value: { stringValue: 'hang' } },
        { key: 'forced', value: { boolValue: false } },
        { key: 'attempts', value: { intValue: '0' } },
        { key: 'ratio', value: { doubleValue: -0.5 } },
        { key: 'empty', value: { stringValue: '' } },
      ],
      events: [
        {
          timeUnixNano: '1763800000001000000',
          name: 'signal',
          attributes: [{ key: 'signal', value: { stringValue: 'SIGKILL' } }],
        },
      ],
      status: { code: 2, message: 'it did not end' },
    });
  });

  it('stands in the published schema with the numbers of OTLP', () => {
    const ours = protobuf.parse(readFileSync('protocol/tillwatch.proto', 'utf8')).root;
    const names = ['TracesData', 'ResourceSpans', 'ScopeSpans', 'Span', 'KeyValue', 'AnyValue'];
    for (const name of names) {
      for (const field of ours.lookupType(`tillwatch.v1.${name}`).fieldsArray) {
        expect([name, field.name, field.id]).toEqual([
          name,
          field.name,
          otlp.lookupType(`otlp.${name}`).fields[field.name]?.id,
        ]);
      }
    }
  });

  it('loses only the value that is of a kind not used here', () => {
    const theirs = TheirData.encode(
      TheirData.fromObject({
        resourceSpans: [
          {
            scopeSpans: [
              {
                spans: [
                  {
                    traceId: Buffer.from(traceId, 'hex'),
                    spanId: Buffer.from(span.spanId, 'hex'),
                    name: 'x',
                    kind: 77,
                    startTimeUnixNano: 1000,
                    endTimeUnixNano: 2000,
                    attributes: [
                      { key: 'list', value: { arrayValue: { values: [] } } },
                      { key: 'word', value: { stringValue: 'kept' } },
                    ],
                  },
                ],
              },
            ],
          },
        ],
      }),
    ).finish();
    expect(decoded(theirs)[0]?.spans[0]).toMatchObject({
      kind: 'internal',
      attributes: { word: 'kept' },
    });
  });

  it('is refused whole, with the reason, when one span of it could not be sent on', () => {
    const many = Object.fromEntries(
      Array.from({ length: SPAN_ATTRIBUTES_MAX + 1 }, (_, i) => [`a${i}`, i]),
    );
    const broken: [Partial<Span>, string][] = [
      [{ traceId: '0'.repeat(32) }, 'trace id'],
      [{ traceId: 'ab' }, 'trace id'],
      [{ spanId: '' }, 'valid id'],
      [{ parentSpanId: 'ab' }, 'parent'],
      [{ name: '' }, 'name'],
      [{ name: 'x'.repeat(200) }, 'name'],
      [{ endMs: span.startMs - 1 }, 'before it begins'],
      [{ attributes: many }, 'too many attributes'],
      [{ attributes: { 'a key': 1 } }, 'valid name'],
    ];
    for (const [change, word] of broken) {
      const body = encodeTraces([{ resource: {}, spans: [span, { ...span, ...change }] }]);
      expect(decodeTraces(body)).toEqual({ ok: false, reason: expect.stringContaining(word) });
    }
    const spans = Array.from({ length: SPANS_PER_BODY_MAX + 1 }, () => span);
    expect(decodeTraces(encodeTraces([{ resource: {}, spans }]))).toMatchObject({
      reason: expect.stringContaining('too many spans'),
    });
  });

  it('never throws, whatever bytes come and whatever is encoded', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
        expect(typeof decodeTraces(data).ok).toBe('boolean');
      }),
    );
    const whole = encodeTraces(groups);
    for (let at = 0; at < whole.length; at += 1) {
      const cut = whole.slice();
      cut[at] = (cut[at] ?? 0) ^ 0x55;
      expect(typeof decodeTraces(cut).ok).toBe('boolean');
      expect(typeof decodeTraces(whole.subarray(0, at)).ok).toBe('boolean');
    }
    for (const startMs of [Number.NaN, Number.POSITIVE_INFINITY, -1, 1e300]) {
      expect(
        typeof decodeTraces(encodeTraces([{ resource: {}, spans: [{ ...span, startMs }] }])).ok,
      ).toBe('boolean');
      expect(faultOf({ ...span, startMs })).toBeDefined();
    }
  });

  it('weighs a span as what it takes in the body', () => {
    const one = encodeTraces([{ resource: {}, spans: [span] }]).length;
    const two = encodeTraces([{ resource: {}, spans: [span, span] }]).length;
    expect(Math.abs(two - one - spanBytes(span))).toBeLessThan(40);
  });
});

describe('a traceparent', () => {
  const good = `00-${traceId}-${span.spanId}-01`;

  it('says trace, span and whether it is sampled, and is written as it was read', () => {
    expect(parseTraceparent(good)).toEqual({ traceId, spanId: span.spanId, sampled: true });
    expect(parseTraceparent(`00-${traceId}-${span.spanId}-00`)?.sampled).toBe(false);
    const read = parseTraceparent(good);
    expect(read && traceparentOf(read)).toBe(good);
  });

  it('may be of a later version that says more', () => {
    expect(parseTraceparent(`cc-${traceId}-${span.spanId}-01-what-comes`)).toMatchObject({
      traceId,
    });
  });

  it('is as good as absent when it is not valid', () => {
    for (const bad of [
      undefined,
      '',
      'x',
      `${good}-more`,
      `ff-${traceId}-${span.spanId}-01`,
      good.toUpperCase(),
      `00-${'0'.repeat(32)}-${span.spanId}-01`,
      `00-${traceId}-${'0'.repeat(16)}-01`,
      `cc-${traceId}-${span.spanId}-01-${'x'.repeat(300)}`,
    ]) {
      expect(parseTraceparent(bad)).toBeUndefined();
    }
  });

  it('names for an incident the trace that everybody would name', () => {
    expect(traceOfUuid('4bf92f35-77b3-4da6-a3ce-929d0e0e4736')).toBe(traceId);
  });
});
