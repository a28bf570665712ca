import { describe, expect, it } from 'vitest';
import type { OtlpSpan } from '../../agent/channel/tracing.ts';
import { SaleTraces } from '../../terminal/sale/tracing.ts';

/** By its last characters it is not one in a thousand; the other is. */
const ORDINARY = '4bf92f35-77b3-4da6-a3ce-929d00000001';
const CHOSEN = '4bf92f35-77b3-4da6-a3ce-929d000003e8';
const SALE = 'a1a1a1a1-0000-4000-8000-000000000001';

function till(slowMs = 5_000) {
  const said: OtlpSpan[] = [];
  const traces = new SaleTraces({ span: (otlp) => said.push(otlp) }, slowMs);
  function scan(basket: string, tookMs = 0): void {
    const startMs = Date.now() - tookMs;
    traces.scanned(basket, { startMs, priceFromMs: startMs, priceUntilMs: startMs + 1, lines: 1 });
  }
  /** Two items, a payment, the receipt. */
  function sell(basket: string, { declined = false, unprinted = false, scanMs = 0 } = {}): void {
    scan(basket, scanMs);
    scan(basket);
    if (declined) traces.begin(basket, 'tender').end('The payment was not authorised');
    traces.begin(basket, 'tender', { 'tillwatch.tender': 'card' }).end();
    const complete = traces.begin(basket, 'complete');
    traces.completed(basket, SALE);
    complete.end();
    traces.print(SALE)?.end(unprinted ? 'failed' : undefined);
    traces.printed(SALE);
  }
  const names = (): unknown[] => said.map((span) => span['name']);
  return { traces, said, scan, sell, names };
}
const WHOLE = ['price', 'scan', 'price', 'scan', 'tender', 'complete', 'print', 'sale'];

describe("a sale's trace", () => {
  it('is not kept when all went well', () => {
    const { sell, said } = till();
    sell(ORDINARY);
    expect(said).toEqual([]);
  });

  it('is kept whole when it is one in a thousand, and named after the basket', () => {
    const { sell, said, names } = till();
    sell(CHOSEN);
    expect(names()).toEqual(WHOLE);
    expect(new Set(said.map((span) => span['traceId']))).toEqual(
      new Set([CHOSEN.replaceAll('-', '')]),
    );
    expect(JSON.stringify(said.at(-1))).toContain(SALE);
  });

  it('is kept when a payment was declined, a receipt did not come, or a step was slow', () => {
    for (const why of [{ declined: true }, { unprinted: true }, { scanMs: 6_000 }]) {
      const { sell, names } = till();
      sell(ORDINARY, why);
      expect(names()).toEqual(
        why.declined ? [...WHOLE.slice(0, 4), 'tender', ...WHOLE.slice(4)] : WHOLE,
      );
    }
  });

  it('ends with a basket that is given up', () => {
    const { traces, scan, names } = till();
    scan(ORDINARY, 6_000);
    traces.ended(ORDINARY, 'voided');
    expect(names()).toEqual(['price', 'scan', 'sale']);
  });

  it('gives the printer the trace that its job belongs to', () => {
    const { traces, scan } = till();
    scan(ORDINARY);
    traces.completed(ORDINARY, SALE);
    expect(traces.print(SALE)?.traceparent).toMatch(
      new RegExp(`^00-${ORDINARY.replaceAll('-', '')}-[0-9a-f]{16}-01$`),
    );
  });

  it('is none for a receipt of a process before', () => {
    const { traces } = till();
    expect(traces.print(SALE)).toBeUndefined();
    traces.printed(SALE);
  });
});
