// Rows of the ledger as spans that OpenTelemetry's exporter takes. Ids and times are those that the terminal gave,
// so that what is sent twice is the same span twice. Whose they are is added here, from the session and the
// registry, never read from a body: under the names of the semantic conventions for any tool, and as `store` and
// `terminal`, which are the words of the metrics.

import {
  type HrTime,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
} from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { unpackBody } from '../../protocol/body.ts';
import type { Result } from '../../protocol/result.ts';
import {
  type Attributes,
  decodeTraces,
  type SpanKind as OurKind,
  type Span,
  type SpanGroup,
} from '../../protocol/traces.ts';
import { decodeBatch } from '../../protocol/wire.ts';
import { OWN } from '../ledger.ts';
import type { LedgerRow } from '../ledger-reader.ts';
import type { Buried } from './types.ts';

/** A span and whose it is, for a dead letter. */
export type Outgoing = { readonly terminal: string; readonly span: ReadableSpan };

const KINDS: Readonly<Record<OurKind, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};
const SCOPE = { name: 'tillwatch' };

/** Seconds and nanoseconds; exact to the microsecond, as spans are on the wire. */
export function hrTime(ms: number): HrTime {
  const micros = Math.round(ms * 1000);
  const seconds = Math.floor(micros / 1_000_000);
  return [seconds, (micros - seconds * 1_000_000) * 1000];
}

/** A number that is no 64-bit integer and no finite fraction cannot be written as JSON of OTLP. */
const isSendable = (value: number): boolean =>
  Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);

const sendable = (attributes: Attributes): Attributes =>
  Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [
      key,
      typeof value === 'number' && !isSendable(value) ? String(value) : value,
    ]),
  );

function statusOf(status: Span['status']): SpanStatus {
  if (status === undefined) return { code: SpanStatusCode.UNSET };
  const code = status.code === 'ok' ? SpanStatusCode.OK : SpanStatusCode.ERROR;
  return status.message === undefined ? { code } : { code, message: status.message };
}

function readable(span: Span, resource: Resource): ReadableSpan {
  const { traceId, spanId, parentSpanId, name, kind, startMs, endMs } = span;
  const context = (id: string) => ({ traceId, spanId: id, traceFlags: TraceFlags.SAMPLED });
  return {
    name,
    kind: KINDS[kind],
    spanContext: () => context(spanId),
    ...(parentSpanId === undefined ? {} : { parentSpanContext: context(parentSpanId) }),
    startTime: hrTime(startMs),
    endTime: hrTime(endMs),
    duration: hrTime(endMs - startMs),
    status: statusOf(span.status),
    attributes: sendable(span.attributes),
    links: [],
    events: span.events.map(({ timeMs, name: event, attributes }) => ({
      ...{ name: event, time: hrTime(timeMs), attributes: sendable(attributes) },
    })),
    ended: true,
    resource,
    instrumentationScope: SCOPE,
    ...{ droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
  };
}

function readGroups({ bytes }: LedgerRow): Result<readonly SpanGroup[]> {
  const batch = decodeBatch(bytes);
  if (!batch.ok) return batch;
  const body = unpackBody(batch.value);
  return body.ok ? decodeTraces(body.value) : body;
}

/** The broker's own spans stand nowhere in the fleet. */
const placeOf = (terminal: string, store: string): Attributes =>
  terminal === OWN
    ? {}
    : {
        'service.instance.id': terminal,
        'host.name': terminal,
        'service.namespace': 'tillwatch',
        store,
        terminal,
      };

export type RowsOptions = {
  readonly storeOf: (terminal: string) => string;
  /** `resourceFromAttributes` of the SDK, which is loaded only where traces are wanted. */
  readonly makeResource: (attributes: Record<string, string | number | boolean>) => Resource;
  readonly bury: (one: Buried) => void;
};

/** In the order of the ledger; what cannot be read is buried. */
export function spansOf(rows: readonly LedgerRow[], options: RowsOptions): readonly Outgoing[] {
  const { storeOf, makeResource, bury } = options;
  // The exporter groups by the object itself.
  const resources = new Map<string, Resource>();
  return rows.flatMap((row) => {
    if (row.stream !== 'traces') return [];
    const { terminal, epoch, seq } = row;
    const groups = readGroups(row);
    if (!groups.ok) {
      const sample = `${epoch}/${seq}`;
      bury({ terminal, reason: 'invalid', sentence: groups.reason, count: 1, sample });
      return [];
    }
    return groups.value.flatMap(({ resource: own, spans }) => {
      const attributes = { ...sendable(own), ...placeOf(terminal, storeOf(terminal)) };
      const key = JSON.stringify(attributes);
      const resource = resources.get(key) ?? makeResource(attributes);
      resources.set(key, resource);
      return spans.map((span) => ({ terminal, span: readable(span, resource) }));
    });
  });
}
