import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SPANS_BYTES_MAX } from '../../agent/telemetry/span-rows.ts';
import type { Outgoing } from '../../agent/telemetry/types.ts';
import { unpackBody } from '../../protocol/body.ts';
import * as limits from '../../protocol/limits.ts';
import { decodeTraces, type Span, type SpanGroup } from '../../protocol/traces.ts';
import { freshForEach } from './outbox-fresh.ts';
import {
  ackFor,
  batchOf,
  drain,
  eventsOf,
  need,
  open,
  START_MS,
  snapshotAt,
  someEvent,
} from './outbox-rig.ts';

const { folder, clock } = freshForEach();

const spanAt = (startMs: number, more: Partial<Span> = {}): Span => ({
  traceId: randomBytes(16).toString('hex'),
  spanId: randomBytes(8).toString('hex'),
  name: 'incident',
  kind: 'internal',
  startMs,
  endMs: startMs + 250,
  attributes: { component: 'sale' },
  events: [{ timeMs: startMs + 100, name: 'evidence', attributes: {} }],
  ...more,
});
const groupsOf = (batch: Outgoing): SpanGroup[] =>
  need(decodeTraces(need(unpackBody(batchOf(batch)))));
const spansIn = (all: readonly Outgoing[]): Span[] =>
  all
    .filter((batch) => batch.stream === 'traces')
    .flatMap(groupsOf)
    .flatMap(({ spans }) => spans);
const gapsIn = (all: readonly Outgoing[]) =>
  all
    .filter((batch) => batch.stream === 'events')
    .flatMap(eventsOf)
    .filter((event) => event.kind === 'gap');

describe('spans', () => {
  test('go after live metrics and before backlog, and survive the process', () => {
    const first = open(folder.path, clock);
    first.addSpans([spanAt(START_MS)], { 'service.name': 'sale' });
    first.addSpans([spanAt(START_MS + 1)], { 'service.name': 'agent' });
    first.addSpans([spanAt(START_MS + 2)], { 'service.name': 'sale' });
    expect(first.stats().waiting.spans).toBe(3);
    first.close();
    const outbox = open(folder.path, clock);
    for (let n = 0; n < 80; n += 1) {
      outbox.addSnapshot(snapshotAt(clock.wallMs()));
      clock.pass(15_000);
    }
    outbox.addEvent(someEvent('later'));
    const taken = outbox.takeBatches(16);
    const kinds = taken.map(({ stream, backlog }) => (backlog ? 'backlog' : stream));
    expect(kinds.slice(0, 4)).toEqual(['events', 'metrics', 'traces', 'backlog']);
    const [traces] = taken.filter((batch) => batch.stream === 'traces');
    const groups = traces === undefined ? [] : groupsOf(traces);
    expect(groups.map(({ resource, spans }) => [resource['service.name'], spans.length])).toEqual([
      ['sale', 2],
      ['agent', 1],
    ]);
    expect(outbox.stats()).toMatchObject({ batches: { traces: 1 }, waiting: { spans: 0 } });
    outbox.acknowledge(ackFor(outbox.epoch, taken));
    expect(outbox.stats().batches.traces).toBe(0);
    outbox.close();
  });

  test('are sealed at most 256 to a body, with none left out and none twice', () => {
    const outbox = open(folder.path, clock);
    const all = Array.from({ length: 1_000 }, (_, i) => spanAt(START_MS + i));
    outbox.addSpans(all.slice(0, 700));
    for (const span of all.slice(700)) outbox.addSpans([span]);
    const batches = drain(outbox).filter((batch) => batch.stream === 'traces');
    for (const batch of batches) {
      expect(spansIn([batch]).length).toBeLessThanOrEqual(limits.SPANS_PER_BODY_MAX);
      expect(batch.bytes.length).toBeLessThan(limits.BATCH_BYTES_MAX);
    }
    expect(spansIn(batches)).toEqual(all);
    outbox.close();
  });

  test('stamped before first contact are sealed at the corrected time, moments and all', () => {
    clock.jump(-86_400_000);
    const outbox = open(folder.path, clock);
    outbox.addSpans([spanAt(outbox.time.nowMs() - 250)]);
    clock.pass(2_000);
    outbox.acknowledge(ackFor(outbox.epoch, [], { brokerTimeMs: START_MS + 2_000 }));
    const [span] = spansIn(drain(outbox));
    // Known to half of the ten seconds that the answer may have taken.
    expect(span?.startMs).toBe(START_MS - 250 + 5_000);
    expect(span?.endMs).toBe(START_MS + 5_000);
    expect(span?.events[0]?.timeMs).toBe(START_MS - 150 + 5_000);
    outbox.close();
  });

  test('take 4 MB at most: the oldest go, each is sent or named by a gap', () => {
    const outbox = open(folder.path, clock, { bytesMax: 64 * 1024 * 1024 });
    const noise = () => ({ noise: randomBytes(1_500).toString('base64') });
    const added = 3_000;
    clock.pass(added + 250);
    for (let n = 0; n < added; n += 10) {
      const spans = Array.from({ length: 10 }, (_, i) =>
        spanAt(START_MS + n + i, { attributes: noise(), events: [] }),
      );
      outbox.addSpans(spans);
    }
    expect(outbox.stats().bytes).toBeLessThan(SPANS_BYTES_MAX * 1.1);
    const all = drain(outbox);
    const sent = spansIn(all);
    const gaps = gapsIn(all);
    const lost = gaps.reduce((sum, gap) => sum + Number(gap.fields['spans']), 0);
    expect(sent.length + lost).toBe(added);
    expect(lost).toBeGreaterThan(300);
    expect(sent[0]?.startMs).toBe(START_MS + lost);
    expect(gaps[0]?.fields).toMatchObject({ stream: 'traces', fromMs: START_MS });
    expect(gaps.at(-1)?.fields['untilMs']).toBe(START_MS + lost - 1 + 250);
    expect(outbox.stats().drops).toEqual([{ stream: 'traces', reason: 'quota', count: lost }]);
    outbox.close();
  });

  test('that nobody could read are counted and told, and the others are sent', () => {
    const outbox = open(folder.path, clock);
    const large = { attributes: { text: 'x'.repeat(limits.SPAN_BYTES_MAX) } };
    outbox.addSpans([spanAt(1, { traceId: 'none' }), spanAt(2, large), spanAt(START_MS)]);
    const all = drain(outbox);
    expect(spansIn(all).map(({ startMs }) => startMs)).toEqual([START_MS]);
    expect(gapsIn(all)).toHaveLength(2);
    expect(outbox.stats().drops).toEqual([
      { stream: 'traces', reason: 'unencodable', count: 1 },
      { stream: 'traces', reason: 'too_large', count: 1 },
    ]);
    outbox.close();
  });

  test('are not written while the disk is full to its floor, and told when it is not', () => {
    const outbox = open(folder.path, clock);
    outbox.setRoom('urgent');
    outbox.addSpans([spanAt(START_MS)]);
    outbox.addSnapshot(snapshotAt(START_MS + 7));
    outbox.addSnapshot(snapshotAt(START_MS + 9));
    outbox.setRoom('all');
    const all = drain(outbox);
    expect(spansIn(all)).toEqual([]);
    expect(gapsIn(all).map((gap) => gap.fields)).toMatchObject([
      { stream: 'metrics', samples: 6, fromMs: START_MS + 7, untilMs: START_MS + 9 },
      { stream: 'traces', spans: 1 },
    ]);
    outbox.close();
  });
});
