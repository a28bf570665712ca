// Traces of a component, for its own code through @opentelemetry/api: a small provider that keeps a trace until its
// root ends and decides then. What failed, what was slow and one in a thousand is said over the channel; everything
// else is forgotten, because a till sells all day and nobody reads a thousand good sales. Not the SDK: its processors
// decide at the beginning of a trace, when nobody knows yet how it ends, and its exporters want a network.

import { randomBytes } from 'node:crypto';
import {
  type Attributes,
  type AttributeValue,
  type Context,
  context as contexts,
  type Exception,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
  TraceFlags,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';

/** Traces that have not ended; for one more the oldest is forgotten. */
export const TRACES_OPEN_MAX = 64;
export const SPANS_PER_TRACE_MAX = 64;
const ATTRIBUTES_MAX = 32;
const EVENTS_MAX = 16;
const TEXT_CHARS_MAX = 256;
/** One trace in so many is kept whatever becomes of it; chosen by its id, so that all processes choose the same. */
export const ONE_IN = 1_000;
const NO_SPAN = '0'.repeat(16);

/** One span in the JSON of OTLP, as it stands on a line of the channel. */
export type OtlpSpan = Readonly<Record<string, unknown>>;

export type TracingOptions = {
  readonly send: (span: OtlpSpan) => void;
  /** A step that takes as long makes its trace a slow one. The root may wait for a customer and does not count. */
  readonly slowMs: number;
  readonly nowMs?: () => number;
  readonly oneIn?: number;
};

type Ended = { readonly span: LocalSpan; readonly endMs: number };
type OpenTrace = { root: LocalSpan; readonly ended: Ended[]; kept: boolean };

const timeOf = (time: TimeInput | undefined, nowMs: () => number): number => {
  if (time === undefined) return nowMs();
  if (typeof time === 'number') return time;
  return Array.isArray(time) ? time[0] * 1000 + time[1] / 1e6 : (time as Date).getTime();
};

const nanos = (ms: number): string => (BigInt(Math.round(ms * 1000)) * 1000n).toString();

function anyValue(value: AttributeValue): object {
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value !== 'number') return { stringValue: String(value).slice(0, TEXT_CHARS_MAX) };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
const keyValues = (attributes: Attributes): object[] =>
  Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: anyValue(value) }],
  );

/** The same answer in each process that knows the id: its last 32 bits are random in every scheme. */
export const isOneIn = (traceId: string, oneIn: number): boolean =>
  Number.parseInt(traceId.slice(-8), 16) % oneIn === 0;

class LocalSpan implements Span {
  readonly #context: SpanContext;
  readonly #attributes: Attributes = {};
  readonly #events: { name: string; timeMs: number; attributes: Attributes }[] = [];
  readonly #book: Book;
  readonly startMs: number;
  readonly parentSpanId: string | undefined;
  #name: string;
  #kind: SpanKind;
  #ended = false;
  status: SpanStatus = { code: SpanStatusCode.UNSET };

  constructor(
    book: Book,
    context: SpanContext,
    parent: string | undefined,
    name: string,
    options: SpanOptions,
  ) {
    this.#book = book;
    this.#context = context;
    this.parentSpanId = parent;
    this.#name = name;
    this.#kind = options.kind ?? SpanKind.INTERNAL;
    this.startMs = timeOf(options.startTime, book.nowMs);
    this.setAttributes(options.attributes ?? {});
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (key in this.#attributes || Object.keys(this.#attributes).length < ATTRIBUTES_MAX) {
      this.#attributes[key] = value;
    }
    return this;
  }

  setAttributes(attributes: Attributes): this {
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined) this.setAttribute(key, value);
    }
    return this;
  }

  addEvent(name: string, more?: Attributes | TimeInput, at?: TimeInput): this {
    const isTime = typeof more === 'number' || Array.isArray(more) || more instanceof Date;
    const time = isTime ? (more as TimeInput) : at;
    if (this.#events.length < EVENTS_MAX) {
      const attributes = isTime || more === undefined ? {} : (more as Attributes);
      this.#events.push({ name, timeMs: timeOf(time, this.#book.nowMs), attributes });
    }
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  setStatus(status: SpanStatus): this {
    this.status = status;
    return this;
  }

  updateName(name: string): this {
    this.#name = name;
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const message = typeof exception === 'string' ? exception : (exception.message ?? '');
    this.addEvent('exception', { 'exception.message': message }, time);
  }

  isRecording(): boolean {
    return !this.#ended;
  }

  end(time?: TimeInput): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#book.ended(this, Math.max(this.startMs, timeOf(time, this.#book.nowMs)));
  }

  toOtlp(endMs: number): OtlpSpan {
    const { traceId, spanId } = this.#context;
    const { code, message } = this.status;
    return {
      ...{ traceId, spanId, name: this.#name.slice(0, TEXT_CHARS_MAX), kind: this.#kind + 1 },
      ...(this.parentSpanId === undefined ? {} : { parentSpanId: this.parentSpanId }),
      startTimeUnixNano: nanos(this.startMs),
      endTimeUnixNano: nanos(endMs),
      attributes: keyValues(this.#attributes),
      events: this.#events.map(({ name, timeMs, attributes }) => ({
        ...{ name, timeUnixNano: nanos(timeMs), attributes: keyValues(attributes) },
      })),
      status:
        message === undefined ? { code } : { code, message: message.slice(0, TEXT_CHARS_MAX) },
    };
  }
}

/** The traces that are open, and what is decided when one ends. */
class Book {
  readonly #options: TracingOptions;
  readonly #open = new Map<string, OpenTrace>();
  readonly nowMs: () => number;

  constructor(options: TracingOptions) {
    this.#options = options;
    this.nowMs = options.nowMs ?? Date.now;
  }

  start(name: string, options: SpanOptions, context: Context): LocalSpan {
    const parent = options.root === true ? undefined : trace.getSpanContext(context);
    const traceId = parent?.traceId ?? randomBytes(16).toString('hex');
    // A trace whose name is known already and whose root this is (see traceContext).
    const parentId = parent === undefined || parent.spanId === NO_SPAN ? undefined : parent.spanId;
    const ids = { traceId, spanId: randomBytes(8).toString('hex'), traceFlags: TraceFlags.SAMPLED };
    const span = new LocalSpan(this, ids, parentId, name, options);
    if (!this.#open.has(traceId)) {
      const [oldest] = this.#open.keys();
      if (this.#open.size >= TRACES_OPEN_MAX && oldest !== undefined) this.#open.delete(oldest);
      const { oneIn = ONE_IN } = this.#options;
      this.#open.set(traceId, { root: span, ended: [], kept: isOneIn(traceId, oneIn) });
    }
    return span;
  }

  ended(span: LocalSpan, endMs: number): void {
    const { traceId } = span.spanContext();
    const open = this.#open.get(traceId);
    if (open === undefined) return;
    const { root, ended } = open;
    const failed = span.status.code === SpanStatusCode.ERROR;
    const slow = span !== root && endMs - span.startMs >= this.#options.slowMs;
    open.kept = open.kept || failed || slow;
    if (ended.length < SPANS_PER_TRACE_MAX || span === root) ended.push({ span, endMs });
    if (span !== root) return;
    this.#open.delete(traceId);
    if (!open.kept) return;
    for (const one of ended) this.#options.send(one.span.toOtlp(one.endMs));
  }
}

/** The trace of something that has a name already (32 characters of hex): its first span is the root. */
export const traceContext = (traceId: string): Context =>
  trace.setSpanContext(contexts.active(), { traceId, spanId: NO_SPAN, traceFlags: 1 });

/** For `trace.setGlobalTracerProvider`, or to be used as it is. */
export function createTracing(options: TracingOptions): TracerProvider {
  const book = new Book(options);
  const startSpan: Tracer['startSpan'] = (name, given = {}, context = contexts.active()) =>
    book.start(name, given, context);
  const tracer: Tracer = {
    startSpan,
    startActiveSpan: (name: string, ...rest: unknown[]) => {
      const run = rest.at(-1) as (span: Span) => unknown;
      const [given, within] = rest.length > 1 ? (rest as [SpanOptions, Context?]) : [{}, undefined];
      const base =
        typeof within === 'function' || within === undefined ? contexts.active() : within;
      const span = startSpan(name, given, base);
      return contexts.with(trace.setSpan(base, span), run, undefined, span);
    },
  } as Tracer;
  return { getTracer: () => tracer };
}
