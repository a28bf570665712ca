// A sale as a trace: scans with their price, the payment, completing it, and the receipt until it is on paper. The
// trace is named after the basket, so that what hardware and sync do for it is part of it without being told. The
// lane says what happened and when; whether anybody keeps it is decided when the receipt is through (channel/tracing).

import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { Channel } from '../../agent/channel/client.ts';
import { createTracing, traceContext } from '../../agent/channel/tracing.ts';

/** Open sales, with those whose receipt is on its way; one more lets go of the oldest. */
const SALES_MAX = 64;

/** A step that is under way. */
export type Step = {
  readonly traceparent: string;
  /** Without a reason it went well. */
  readonly end: (failed?: string, attributes?: Attributes) => void;
};
export type Scan = {
  readonly startMs: number;
  readonly priceFromMs: number;
  readonly priceUntilMs: number;
  readonly lines: number;
};

export class SaleTraces {
  readonly #tracer: Tracer;
  readonly #roots = new Map<string, { readonly span: Span; readonly within: Context }>();
  /** By sale, until its receipt is through. */
  readonly #baskets = new Map<string, string>();

  constructor(channel: Pick<Channel, 'span'>, slowMs: number) {
    const provider = createTracing({ send: (span) => channel.span(span), slowMs });
    this.#tracer = provider.getTracer('sale');
  }

  #within(basket: string, startTime?: number): Context {
    const known = this.#roots.get(basket);
    if (known !== undefined) return known.within;
    const attributes = { 'tillwatch.basket': basket };
    const span = this.#tracer.startSpan(
      'sale',
      { attributes, ...(startTime === undefined ? {} : { startTime }) },
      traceContext(basket.replaceAll('-', '')),
    );
    const within = trace.setSpan(ROOT_CONTEXT, span);
    const [oldest] = this.#roots.keys();
    if (this.#roots.size >= SALES_MAX && oldest !== undefined) this.#roots.delete(oldest);
    this.#roots.set(basket, { span, within });
    return within;
  }

  /** Told afterwards: which basket it is in is known only then. */
  scanned(basket: string, { startMs, priceFromMs, priceUntilMs, lines }: Scan): void {
    const context = this.#within(basket, startMs);
    const attributes = { 'tillwatch.lines': lines };
    const scan = this.#tracer.startSpan('scan', { startTime: startMs, attributes }, context);
    this.#tracer
      .startSpan('price', { startTime: priceFromMs }, trace.setSpan(ROOT_CONTEXT, scan))
      .end(priceUntilMs);
    scan.end();
  }

  begin(basket: string, name: string, attributes: Attributes = {}): Step {
    const kind = SpanKind.INTERNAL;
    const span = this.#tracer.startSpan(name, { kind, attributes }, this.#within(basket));
    const { traceId, spanId } = span.spanContext();
    return {
      traceparent: `00-${traceId}-${spanId}-01`,
      end: (failed, more = {}) => {
        span.setAttributes(more);
        if (failed !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failed });
        span.end();
      },
    };
  }

  completed(basket: string, sale: string): void {
    this.#roots.get(basket)?.span.setAttribute('tillwatch.sale', sale);
    const [oldest] = this.#baskets.keys();
    if (this.#baskets.size >= SALES_MAX && oldest !== undefined) this.#baskets.delete(oldest);
    this.#baskets.set(sale, basket);
  }

  /** Of a sale of this process; one of an earlier process has no trace any more. */
  print(sale: string): Step | undefined {
    const basket = this.#baskets.get(sale);
    return basket === undefined ? undefined : this.begin(basket, 'print');
  }

  /** Its receipt is through, or given up. */
  printed(sale: string): void {
    const basket = this.#baskets.get(sale);
    this.#baskets.delete(sale);
    if (basket !== undefined) this.ended(basket, 'completed');
  }

  ended(basket: string, result: string): void {
    const root = this.#roots.get(basket);
    this.#roots.delete(basket);
    root?.span.setAttribute('tillwatch.result', result);
    root?.span.end();
  }
}
