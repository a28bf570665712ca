import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { readLine } from '../../agent/channel/messages.ts';
import {
  createTracing,
  isOneIn,
  ONE_IN,
  type OtlpSpan,
  SPANS_PER_TRACE_MAX,
  TRACES_OPEN_MAX,
  traceContext,
} from '../../agent/channel/tracing.ts';
import {
  readOtlpSpan,
  SPANS_AT_ONCE_MAX,
  SPANS_PER_SECOND_MAX,
  SpanPace,
} from '../../agent/telemetry/spans-channel.ts';
import { cleanSpan } from '../../agent/telemetry/spans-clean.ts';
import { CHANNEL_LINE_BYTES_MAX } from '../../protocol/limits.ts';
import { decodeTraces, encodeTraces, type Span } from '../../protocol/traces.ts';

const NOW = 1_763_800_000_000;
/** Not one in a thousand. */
const ORDINARY = '4bf92f3577b34da6a3ce929d00000001';
const CHOSEN = '4bf92f3577b34da6a3ce929d000003e8';
const PAN = '4111 1111 1111 1111';

function tracing(oneIn = ONE_IN) {
  const said: OtlpSpan[] = [];
  const clock = { nowMs: NOW };
  const provider = createTracing({
    ...{ send: (span) => said.push(span), slowMs: 2_000, nowMs: () => clock.nowMs, oneIn },
  });
  const tracer = provider.getTracer('sale');
  /** A sale of two steps. */
  function sell({ traceId = ORDINARY, failed = false, stepMs = 10, waitMs = 60_000 } = {}): void {
    const root = tracer.startSpan('sale', { attributes: { basket: 'b-1' } }, traceContext(traceId));
    const within = trace.setSpan(ROOT_CONTEXT, root);
    const scan = tracer.startSpan('scan', { kind: SpanKind.SERVER }, within);
    const price = tracer.startSpan('price', {}, trace.setSpan(ROOT_CONTEXT, scan));
    clock.nowMs += stepMs;
    price.end();
    if (failed) scan.setStatus({ code: SpanStatusCode.ERROR, message: 'declined' });
    scan.end();
    clock.nowMs += waitMs;
    root.end();
  }
  return { said, clock, tracer, sell, names: () => said.map((span) => span['name']) };
}
const read = (given: unknown, offsetMs = 0, nowMs = NOW + 60_010): Span => {
  const result = readOtlpSpan(given, nowMs, offsetMs);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
};

describe("a component's trace", () => {
  it('is forgotten when all went well, however long the customer took', () => {
    const { said, sell } = tracing();
    sell();
    expect(said).toEqual([]);
  });

  it('is told whole when a step failed, or was slow, or its id is one in a thousand', () => {
    for (const why of [{ failed: true }, { stepMs: 2_000 }, { traceId: CHOSEN }]) {
      const { sell, names } = tracing();
      sell(why);
      expect(names()).toEqual(['price', 'scan', 'sale']);
    }
  });

  it('chooses one in a thousand by the id alone', () => {
    expect([isOneIn(CHOSEN, ONE_IN), isOneIn(ORDINARY, ONE_IN)]).toEqual([true, false]);
    const ids = Array.from({ length: 100_000 }, (_, i) => (i * 2_654_435_761) % 2 ** 32);
    const chosen = ids.filter((id) => isOneIn(id.toString(16).padStart(32, '0'), ONE_IN)).length;
    expect(chosen).toBeGreaterThan(50);
    expect(chosen).toBeLessThan(150);
  });

  it('has the given id, one root, and children that name their parents', () => {
    const { sell, said } = tracing(1);
    sell();
    const [price, scan, sale] = said.map((span) => read(span)) as [Span, Span, Span];
    expect(sale.parentSpanId).toBeUndefined();
    expect([scan.parentSpanId, price.parentSpanId]).toEqual([sale.spanId, scan.spanId]);
    expect(new Set([price, scan, sale].map(({ traceId }) => traceId))).toEqual(new Set([ORDINARY]));
    expect(scan).toMatchObject({ kind: 'server', startMs: NOW, endMs: NOW + 10 });
    expect(sale.attributes).toEqual({ basket: 'b-1' });
  });

  it('is bounded in traces, spans and attributes', () => {
    const { tracer, said, clock } = tracing(1);
    const roots = Array.from({ length: TRACES_OPEN_MAX + 10 }, () =>
      tracer.startSpan('sale', { root: true }),
    );
    for (const root of roots) root.end();
    expect(said.length).toBe(TRACES_OPEN_MAX);
    said.length = 0;
    const root = tracer.startSpan('sale', { root: true });
    const within = trace.setSpan(ROOT_CONTEXT, root);
    for (let i = 0; i < 1_000; i += 1) {
      const attributes = Object.fromEntries(
        Array.from({ length: 200 }, (_, n) => [`a${n}`, 'x'.repeat(10_000)]),
      );
      tracer.startSpan('scan', { attributes }, within).end();
    }
    clock.nowMs += 1;
    root.end();
    expect(said.length).toBe(SPANS_PER_TRACE_MAX + 1);
    expect(said.at(-1)?.['name']).toBe('sale');
    const line = JSON.stringify({ kind: 'span', otlp: said[0] });
    expect(Buffer.byteLength(line)).toBeLessThan(2 * CHANNEL_LINE_BYTES_MAX);
  });
});

describe('a span that a component says', () => {
  const said = (change: object = {}): object => ({
    ...{ traceId: ORDINARY, spanId: '00f067aa0ba902b7', name: 'scan', kind: 2 },
    startTimeUnixNano: `${NOW}000000`,
    endTimeUnixNano: `${NOW + 5}000000`,
    ...change,
  });

  it('comes over the channel as a line like any other', () => {
    const line = readLine(JSON.stringify({ kind: 'span', otlp: said() }));
    expect(line).toMatchObject({ ok: true, message: { kind: 'span' } });
    expect(readLine(JSON.stringify({ kind: 'span', otlp: 'x' })).ok).toBe(false);
  });

  it("has its times in the broker's clock", () => {
    expect(
      read(
        said({ events: [{ timeUnixNano: `${NOW + 1}000000`, name: 'x' }] }),
        3_600_000,
        NOW + 3_600_010,
      ),
    ).toMatchObject({
      ...{ startMs: NOW + 3_600_000, endMs: NOW + 3_600_005, kind: 'server' },
      events: [{ timeMs: NOW + 3_600_001 }],
    });
  });

  it('is refused when it is not valid, of long ago or of the future', () => {
    const bad: [object | string | undefined, string][] = [
      [undefined, 'trace id'],
      ['x', 'trace id'],
      [said({ traceId: 'x' }), 'trace id'],
      [said({ spanId: '0'.repeat(16) }), 'valid id'],
      [said({ parentSpanId: 'zz' }), 'parent'],
      [said({ name: '' }), 'name'],
      [said({ startTimeUnixNano: 'yesterday' }), 'time'],
      [said({ startTimeUnixNano: `${NOW + 6}000000` }), 'before it begins'],
      [said({ endTimeUnixNano: `${NOW + 86_400_000}000000` }), 'future'],
    ];
    for (const [given, word] of bad) {
      const result = readOtlpSpan(given, NOW + 10, 0);
      expect(result).toEqual({ ok: false, reason: expect.stringContaining(word) });
    }
    expect(readOtlpSpan(said(), NOW + 2 * 3_600_000, 0).ok).toBe(false);
  });

  it('loses card data, wherever it stands', () => {
    const status = { code: 2, message: `refused ${PAN}` };
    const attributes = [
      { key: 'sku', value: { stringValue: PAN } },
      { key: 'price', value: { intValue: '199' } },
    ];
    const events = [{ timeUnixNano: `${NOW}000000`, name: `asked ${PAN}`, attributes }];
    const span = cleanSpan(read(said({ name: `scan ${PAN}`, attributes, events, status })));
    expect(JSON.stringify(span)).not.toMatch(/4111.?1111.?1111.?1111/);
    expect(span.attributes['price']).toBe(199);
    expect(span.name).toContain('scan');
  });

  it('loses card data also where it is a number, the name of an attribute, or named as such', () => {
    const attributes = [
      { key: 'basket', value: { intValue: PAN.replaceAll(' ', '') } },
      { key: `card.${PAN.replaceAll(' ', '')}`, value: { boolValue: true } },
      { key: 'cvv', value: { intValue: '123' } },
      { key: 'price', value: { intValue: '199' } },
    ];
    const events = [{ timeUnixNano: `${NOW}000000`, name: 'asked', attributes }];
    const span = cleanSpan(read(said({ attributes, events })));
    expect(JSON.stringify(span)).not.toMatch(/411111111111|:123/);
    expect(span.attributes['price']).toBe(199);
    expect(decodeTraces(encodeTraces([{ resource: {}, spans: [span] }])).ok).toBe(true);
  });

  it('is one too many when its component says more than its measure', () => {
    const pace = new SpanPace();
    const take = (component: string, count: number, now: number): number =>
      Array.from({ length: count }, () => pace.take(component, now)).filter(Boolean).length;
    expect(take('sale', 500, 0)).toBe(SPANS_AT_ONCE_MAX);
    expect(take('sync', 10, 0)).toBe(10);
    expect(take('sale', 500, 1_000)).toBe(SPANS_PER_SECOND_MAX);
  });
});
