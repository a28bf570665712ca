import { describe, expect, it, onTestFinished } from 'vitest';
import { systemTimers } from '../../broker/clock.ts';
import { OWN } from '../../broker/ledger.ts';
import type { LedgerRow } from '../../broker/ledger-reader.ts';
import { createOtlp, SPANS_PER_REQUEST } from '../../broker/sinks/otlp.ts';
import { encodeTraces, type Span, type SpanGroup } from '../../protocol/traces.ts';
import { batchBytes, EPOCH } from './fleet-rig.ts';
import { openReceiver, type Received } from './otlp-receiver.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const START_MS = 1_763_800_000_000;
const id = (n: number): string => n.toString(16).padStart(16, '0');
const spanAt = (n: number, change: Partial<Span> = {}): Span => ({
  ...{ traceId, spanId: id(n), parentSpanId: id(0xffff), name: `part ${n}`, kind: 'internal' },
  ...{ startMs: START_MS + n + 0.123, endMs: START_MS + n + 1, attributes: { n }, events: [] },
  ...change,
});
const spansFrom = (first: number, count: number): Span[] =>
  Array.from({ length: count }, (_, i) => spanAt(first + i));

let seq = 0;
function row(terminal: string, groups: readonly SpanGroup[] | Uint8Array): LedgerRow {
  seq += 1;
  const body = groups instanceof Uint8Array ? groups : encodeTraces(groups);
  const bytes = batchBytes('traces', seq, body);
  return { id: seq, terminal, epoch: EPOCH, stream: 'traces', seq, receivedMs: START_MS, bytes };
}
const sale = { 'service.name': 'sale', 'service.version': '2.4.1' };

async function open(timeoutMs = 5_000) {
  const receiver = await openReceiver();
  const results: string[] = [];
  const sink = createOtlp({
    ...{ name: 'traces', url: receiver.url, timeoutMs, timers: systemTimers, nowMs: Date.now },
    headers: { 'X-Scope-OrgID': 'shops' },
    storeOf: (terminal) => `store of ${terminal}`,
    onRequest: (result) => results.push(result),
  });
  onTestFinished(async () => {
    sink.close();
    await receiver.close();
  });
  return { receiver, sink, results };
}
const idsOf = (spans: readonly Received[]): string[] => spans.map(({ spanId }) => spanId);

describe('the sink for traces', () => {
  it('sends each span with its own ids and times, and says whose it is', async () => {
    const { receiver, sink, results } = await open();
    const whole = spanAt(7, {
      kind: 'server',
      status: { code: 'error', message: 'declined' },
      attributes: { word: 'x', yes: true, half: 0.5, huge: 1e300 },
      events: [{ timeMs: START_MS + 7.5, name: 'asked', attributes: {} }],
    });
    // A body cannot say that it is another terminal's.
    const resource = { ...sale, terminal: 'lane-9', store: 'nowhere' };
    const sent = await sink.send([row('lane-1', [{ resource, spans: [whole] }])]);
    expect(sent).toEqual({ kind: 'taken', items: 1, buried: [] });
    expect(receiver.spans).toEqual([
      {
        ...{ traceId, spanId: id(7), parentSpanId: id(0xffff), name: 'part 7', kind: 2 },
        startNs: 1_763_800_000_007_123_000n,
        endNs: 1_763_800_000_008_000_000n,
        attributes: { word: 'x', yes: true, half: 0.5, huge: '1e+300' },
        resource: {
          ...sale,
          ...{ store: 'store of lane-1', terminal: 'lane-1', 'service.namespace': 'tillwatch' },
          ...{ 'host.name': 'lane-1', 'service.instance.id': 'lane-1' },
        },
        status: { code: 2, message: 'declined' },
        events: [{ name: 'asked', timeNs: 1_763_800_000_007_500_000n }],
      },
    ]);
    expect(receiver.requests[0]?.headers).toMatchObject({ 'x-scope-orgid': 'shops' });
    expect(results).toEqual(['taken']);
  });

  it("leaves the broker's own spans without a place", async () => {
    const { receiver, sink } = await open();
    const resource = { 'service.name': 'tillwatch-broker' };
    await sink.send([row(OWN, [{ resource, spans: [spanAt(1)] }])]);
    expect(receiver.spans[0]?.resource).toEqual(resource);
  });

  it('buries a body that cannot be read and sends the others', async () => {
    const { receiver, sink } = await open();
    const sent = await sink.send([
      row('lane-1', [{ resource: sale, spans: [spanAt(1)] }]),
      row('lane-2', new Uint8Array([1, 2, 3])),
      row('lane-3', [{ resource: sale, spans: [spanAt(2)] }]),
    ]);
    expect(sent).toMatchObject({
      ...{ kind: 'taken', items: 2 },
      buried: [{ terminal: 'lane-2', reason: 'invalid', count: 1 }],
    });
    expect(receiver.spans.map(({ resource }) => resource['terminal'])).toEqual([
      'lane-1',
      'lane-3',
    ]);
  });

  it('comes again after 429, 5xx and a reset, is tried once each time, and arrives once', async () => {
    const { receiver, sink, results } = await open();
    const rows = [row('lane-1', [{ resource: sale, spans: spansFrom(1, 3) }])];
    const answers = [
      { status: 429, headers: { 'retry-after': '7' } },
      { status: 503 },
      { status: 500 },
      'reset',
    ] as const;
    for (const answer of answers) {
      receiver.answer = () => answer;
      const sent = await sink.send(rows);
      expect(sent.kind).toBe('again');
      if (answer !== 'reset' && answer.status === 429)
        expect(sent).toMatchObject({ afterMs: 7_000 });
    }
    receiver.answer = () => undefined;
    expect(await sink.send(rows)).toEqual({ kind: 'taken', items: 3, buried: [] });
    expect(results).toEqual(['throttled', 'unavailable', 'unavailable', 'unreachable', 'taken']);
    // Nothing is sent behind our back: the exporter's own retries are off.
    await new Promise((done) => setTimeout(done, 1_500));
    expect(receiver.requests.length).toBe(5);
    expect(idsOf(receiver.spans)).toEqual([id(1), id(2), id(3)]);
  });

  it('is not held by a collector that never answers, nor by one that never ends its answer', async () => {
    const { receiver, sink } = await open(300);
    const rows = [row('lane-1', [{ resource: sale, spans: [spanAt(1)] }])];
    for (const answer of [
      'hang',
      { status: 200, drips: true },
      { status: 503, drips: true },
    ] as const) {
      receiver.answer = () => answer;
      const begunMs = performance.now();
      expect((await sink.send(rows)).kind).toBe('again');
      expect(performance.now() - begunMs).toBeLessThan(5_000);
    }
    receiver.answer = () => undefined;
    expect(await sink.send(rows)).toMatchObject({ kind: 'taken', items: 1 });
  });

  it('finds the one span that is refused, buries it with the reason and sends all others once', async () => {
    const { receiver, sink } = await open();
    receiver.answer = (spans) =>
      spans.some(({ spanId }) => spanId === id(5))
        ? { status: 400, json: { code: 3, message: 'no thanks' } }
        : undefined;
    const rows = [row('lane-1', [{ resource: sale, spans: spansFrom(1, 20) }])];
    const sent = await sink.send(rows);
    expect(sent).toMatchObject({
      ...{ kind: 'taken', items: 19 },
      buried: [
        {
          ...{ terminal: 'lane-1', reason: 'refused', count: 1 },
          sentence: expect.stringContaining('no thanks'),
          sample: `part 5 ${traceId}/${id(5)}`,
        },
      ],
    });
    expect(idsOf(receiver.spans)).toEqual(
      spansFrom(1, 20)
        .map(({ spanId }) => spanId)
        .filter((one) => one !== id(5)),
    );
  });

  it('keeps what is settled when it has to come again in the middle', async () => {
    const { receiver, sink } = await open();
    const rows = [1, 2].map((n) =>
      row('lane-1', [{ resource: sale, spans: spansFrom(n * 1_000, SPANS_PER_REQUEST) }]),
    );
    receiver.answer = () => (receiver.requests.length === 2 ? { status: 503 } : undefined);
    expect((await sink.send(rows)).kind).toBe('again');
    expect(await sink.send(rows)).toMatchObject({ kind: 'taken', items: 2 * SPANS_PER_REQUEST });
    expect(receiver.requests.map(({ spans }) => spans)).toEqual([256, 256, 256]);
    expect(new Set(idsOf(receiver.spans)).size).toBe(receiver.spans.length);
  });

  it('counts what a collector takes only in part', async () => {
    const { receiver, sink } = await open();
    const partialSuccess = { rejectedSpans: '2', errorMessage: 'over the limit' };
    receiver.answer = () => ({ status: 200, json: { partialSuccess } });
    const rows = [row('lane-1', [{ resource: sale, spans: spansFrom(1, 5) }])];
    expect(await sink.send(rows)).toMatchObject({
      ...{ kind: 'taken', items: 3 },
      buried: [{ terminal: 'lane-1', count: 2, sentence: 'partly refused: over the limit' }],
    });
    receiver.answer = () => undefined;
    expect(await sink.send([...rows])).toMatchObject({ items: 5, buried: [] });
  });

  it('buries nothing for a wrong path, a missing token or a proxy that refuses everything', async () => {
    const { receiver, sink } = await open();
    const rows = [row('lane-1', [{ resource: sale, spans: [spanAt(1)] }])];
    for (const status of [302, 401, 403, 404, 405, 400, 413]) {
      receiver.answer = () => ({ status });
      expect([status, (await sink.send(rows)).kind]).toEqual([status, 'again']);
    }
    receiver.answer = () => undefined;
    expect(await sink.send(rows)).toMatchObject({ kind: 'taken', items: 1, buried: [] });
  });

  it('says at its test what is missing, and nothing when all is well', async () => {
    const { receiver, sink } = await open();
    expect(await sink.check()).toEqual([]);
    receiver.answer = () => ({ status: 404 });
    expect(await sink.check()).toEqual([expect.stringMatching(/404.*otlp.*\/v1\/traces/)]);
    receiver.answer = () => ({ status: 401 });
    expect(await sink.check()).toEqual([expect.stringMatching(/sinks\.traces\.headers/)]);
    await receiver.close();
    expect(await sink.check()).toEqual([expect.stringMatching(/cannot be reached.*4318/)]);
  });

  it('answers at once when it is closed in the middle', async () => {
    const { receiver, sink } = await open(60_000);
    receiver.answer = () => 'hang';
    const sent = sink.send([row('lane-1', [{ resource: sale, spans: [spanAt(1)] }])]);
    await expect.poll(() => receiver.requests.length).toBe(1);
    sink.close();
    expect((await sent).kind).toBe('again');
    expect((await sink.send([])).kind).toBe('taken');
  });
});
