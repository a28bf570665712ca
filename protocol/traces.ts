// Spans as this project knows them, and bodies of stream traces, which are byte for byte an OTLP
// `TracesData`. Times are milliseconds with fractions, kept to the microsecond: that is what a double
// can hold of a date before 2039, and nanoseconds as bigint would cost every consumer a conversion. The
// decoder is total and strict, because whatever a sink cannot send would block what comes after it.

import * as limits from './limits.ts';
import { fail, ok, type Result } from './result.ts';
import { bytes, decodeRaw, encodeRaw, list, num, text } from './wire.ts';

/** In the order of their numbers in OTLP, from 1. */
export const SPAN_KINDS = ['internal', 'server', 'client', 'producer', 'consumer'] as const;
export type SpanKind = (typeof SPAN_KINDS)[number];

export type Attribute = string | number | boolean;
export type Attributes = Readonly<Record<string, Attribute>>;
export type SpanMoment = {
  readonly timeMs: number;
  readonly name: string;
  readonly attributes: Attributes;
};
export type Span = {
  /** 32 and 16 characters of lower-case hex, not all 0. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly events: readonly SpanMoment[];
  readonly status?: { readonly code: 'ok' | 'error'; readonly message?: string };
};
/** Spans of one source. `resource`: at least `service.name`; `store` and `terminal` are the broker's to add. */
export type SpanGroup = { readonly resource: Attributes; readonly spans: readonly Span[] };

/** The scope of all our spans: they are made by us, whatever component they are about. */
const SCOPE = 'tillwatch';
const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;
const SPAN_ID = /^(?!0{16})[0-9a-f]{16}$/;
const KEY = /^[a-zA-Z_][a-zA-Z0-9_.-]*$/;
/** Nanoseconds since the epoch end at 2^63 in many a reader, in the year 2262. */
const TIME_MS_MAX = 9_223_372_036_854;
const STATUS_CODES = ['ok', 'error'] as const;

export const isTraceId = (value: string): boolean => TRACE_ID.test(value);
export const isSpanId = (value: string): boolean => SPAN_ID.test(value);

const isTime = (ms: number): boolean => ms >= 0 && ms <= TIME_MS_MAX;

/** As protobufjs takes 64 bits without loss. */
function nanosOf(ms: number): { low: number; high: number } {
  const micros = Math.round(Math.min(Math.max(ms, 0), TIME_MS_MAX) * 1000);
  const nanos = BigInt(Number.isFinite(micros) ? micros : 0) * 1000n;
  return { low: Number(nanos & 0xffffffffn), high: Number(nanos >> 32n) };
}

/** 64 bits arrive as a number or a Long, depending on what is bundled; neither loses a microsecond. */
const msOf = (nanos: unknown): number => Math.round(num(nanos ?? 0) / 1000) / 1000;

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hexOf = (value: unknown): string => Buffer.from(bytes(value)).toString('hex');

function anyValue(value: Attribute): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  const isWhole = Number.isSafeInteger(value) && !Object.is(value, -0);
  return isWhole ? { intValue: value } : { doubleValue: value };
}

const keyValues = (attributes: Attributes): object[] =>
  Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));

const rawSpan = (span: Span): object => ({
  traceId: bytesOf(span.traceId),
  spanId: bytesOf(span.spanId),
  ...(span.parentSpanId === undefined ? {} : { parentSpanId: bytesOf(span.parentSpanId) }),
  name: span.name,
  kind: SPAN_KINDS.indexOf(span.kind) + 1,
  startTimeUnixNano: nanosOf(span.startMs),
  endTimeUnixNano: nanosOf(span.endMs),
  attributes: keyValues(span.attributes),
  events: span.events.map(({ timeMs, name, attributes }) => ({
    ...{ timeUnixNano: nanosOf(timeMs), name, attributes: keyValues(attributes) },
  })),
  ...(span.status && {
    status: {
      code: STATUS_CODES.indexOf(span.status.code) + 1,
      message: span.status.message ?? '',
    },
  }),
});

export function encodeTraces(groups: readonly SpanGroup[]): Uint8Array {
  return encodeRaw('TracesData', {
    resourceSpans: groups.map(({ resource, spans }) => ({
      resource: { attributes: keyValues(resource) },
      scopeSpans: [{ scope: { name: SCOPE }, spans: spans.map(rawSpan) }],
    })),
  });
}

/** Bytes of one span with the few of a body around it: at most SPAN_BYTES_MAX may be sent. */
export const spanBytes = (span: Span): number =>
  encodeTraces([{ resource: {}, spans: [span] }]).length;

/** Kinds of values that we do not use (arrays, bytes) are left out, not refused: they may come to be used. */
function readAttributes(value: unknown): Result<Attributes> {
  const entries = list(value);
  if (entries.length > limits.SPAN_ATTRIBUTES_MAX) return fail('span has too many attributes');
  const attributes: Record<string, Attribute> = {};
  for (const entry of entries) {
    const key = text(entry['key']);
    if (key.length > limits.NAME_CHARS_MAX || !KEY.test(key)) {
      return fail('span has an attribute without a valid name');
    }
    const raw = (entry['value'] ?? {}) as Record<string, unknown>;
    if (Object.hasOwn(raw, 'stringValue')) attributes[key] = text(raw['stringValue']);
    else if (Object.hasOwn(raw, 'boolValue')) attributes[key] = raw['boolValue'] === true;
    else if (Object.hasOwn(raw, 'intValue')) attributes[key] = num(raw['intValue']);
    else if (Object.hasOwn(raw, 'doubleValue')) attributes[key] = num(raw['doubleValue']);
  }
  return ok(attributes);
}

function readMoments(value: unknown): Result<SpanMoment[]> {
  const entries = list(value);
  if (entries.length > limits.SPAN_EVENTS_MAX) return fail('span has too many events');
  const moments: SpanMoment[] = [];
  for (const entry of entries) {
    const attributes = readAttributes(entry['attributes']);
    if (!attributes.ok) return attributes;
    const timeMs = msOf(entry['timeUnixNano']);
    moments.push({ timeMs, name: text(entry['name']), attributes: attributes.value });
  }
  return ok(moments);
}

function readStatus(value: unknown): Span['status'] {
  const raw = (value ?? {}) as Record<string, unknown>;
  const code = STATUS_CODES[num(raw['code'] ?? 0) - 1];
  if (code === undefined) return undefined;
  const message = text(raw['message']).slice(0, limits.REASON_CHARS_MAX);
  return message === '' ? { code } : { code, message };
}

/** @returns why nobody should be sent this span, or undefined. Also for spans that never were on the wire. */
export function faultOf(span: Span): string | undefined {
  const { traceId, spanId, parentSpanId, name, startMs, endMs, attributes, events } = span;
  if (!isTraceId(traceId)) return 'span has no valid trace id';
  if (!isSpanId(spanId)) return 'span has no valid id';
  if (parentSpanId !== undefined && !isSpanId(parentSpanId)) return 'span has no valid parent';
  if (name === '' || name.length > limits.NAME_CHARS_MAX) return 'span has no valid name';
  if (!isTime(startMs) || !isTime(endMs)) return 'span has no valid time';
  if (endMs < startMs) return 'span ends before it begins';
  if (!events.every(({ timeMs }) => isTime(timeMs))) return 'span has an event without a time';
  if (events.length > limits.SPAN_EVENTS_MAX) return 'span has too many events';
  if (Object.keys(attributes).length > limits.SPAN_ATTRIBUTES_MAX) {
    return 'span has too many attributes';
  }
  return undefined;
}

function readSpan(raw: Record<string, unknown>): Result<Span> {
  const attributes = readAttributes(raw['attributes']);
  const events = readMoments(raw['events']);
  const kind = SPAN_KINDS[num(raw['kind'] ?? 0) - 1] ?? 'internal';
  if (!attributes.ok) return attributes;
  if (!events.ok) return events;
  const parentSpanId = hexOf(raw['parentSpanId']);
  const status = readStatus(raw['status']);
  const span: Span = {
    traceId: hexOf(raw['traceId']),
    spanId: hexOf(raw['spanId']),
    ...(parentSpanId === '' ? {} : { parentSpanId }),
    name: text(raw['name']),
    kind,
    startMs: msOf(raw['startTimeUnixNano']),
    endMs: msOf(raw['endTimeUnixNano']),
    attributes: attributes.value,
    events: events.value,
    ...(status && { status }),
  };
  const fault = faultOf(span);
  return fault === undefined ? ok(span) : fail(fault);
}

/** @returns the groups in the order of the body, or why the whole body is refused. */
export function decodeTraces(data: Uint8Array): Result<SpanGroup[]> {
  const raw = decodeRaw('TracesData', data, limits.BODY_BYTES_MAX, limits.SPANS_PER_BODY_MAX);
  if (!raw.ok) return raw;
  const groups: SpanGroup[] = [];
  let count = 0;
  for (const entry of list(raw.value['resourceSpans'])) {
    const of = (entry['resource'] ?? {}) as Record<string, unknown>;
    const resource = readAttributes(of['attributes']);
    if (!resource.ok) return resource;
    const spans: Span[] = [];
    for (const scoped of list(entry['scopeSpans'])) {
      for (const rawSpan of list(scoped['spans'])) {
        count += 1;
        if (count > limits.SPANS_PER_BODY_MAX) return fail('body has too many spans');
        const span = readSpan(rawSpan);
        if (!span.ok) return span;
        spans.push(span.value);
      }
    }
    groups.push({ resource: resource.value, spans });
    if (groups.length > limits.SPANS_PER_BODY_MAX) return fail('body has too many groups');
  }
  return ok(groups);
}
