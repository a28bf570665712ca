// The lane's local API. Bodies are small and strict; a refusal is a sentence for the cashier's screen.
// GET /sales and POST /sales/ack are for sync, which takes completed sales oldest first and gives back
// the ids that the head office confirmed.

import * as v from 'valibot';
import { identifier, minor, sku, uuid } from '../shared/check.ts';
import { answer, problem, type Reply, type Route, withBody } from '../shared/http.ts';
import { type Basket, changeMinor, type Outcome, totalMinor } from './basket.ts';
import type { Lane } from './lane.ts';
import { PAGE_MAX, type Sales } from './sales.ts';

const QUANTITY_MAX = 999;
const ACK_IDS_MAX = 200;

const itemBody = v.strictObject({
  id: v.optional(identifier),
  sku,
  quantity: v.optional(
    v.pipe(
      v.number('give a number'),
      v.integer('give a whole number'),
      v.minValue(1, 'a quantity is at least 1'),
      v.maxValue(QUANTITY_MAX, `a quantity is at most ${QUANTITY_MAX}`),
    ),
    1,
  ),
});
const tenderBody = v.strictObject({
  kind: v.picklist(['cash', 'card'], 'use cash or card'),
  amountMinor: minor,
});
const completeBody = v.optional(v.strictObject({ basket: v.optional(uuid) }), {});
const ackBody = v.strictObject({
  ids: v.pipe(v.array(uuid, 'give a list of sale ids'), v.maxLength(ACK_IDS_MAX)),
});

const STATUS = { conflict: 409, invalid: 422, declined: 402, unavailable: 503 } as const;

const reply = <T>(outcome: Outcome<T>, show: (value: T) => unknown): Reply =>
  outcome.ok
    ? answer(200, show(outcome.value))
    : problem(
        STATUS[outcome.kind],
        outcome.reason,
        outcome.kind === 'unavailable' ? { 'retry-after': '1' } : {},
      );

const showBasket = (basket: Basket) => ({
  id: basket.id,
  state: basket.state,
  openedMs: basket.openedMs,
  lines: basket.lines.map(({ clientId, ...line }) => (clientId ? { id: clientId, ...line } : line)),
  totalMinor: totalMinor(basket),
  tender: basket.tender && {
    kind: basket.tender.kind,
    amountMinor: basket.tender.amountMinor,
    state: basket.tender.state,
    changeMinor: changeMinor(basket),
  },
});

/** A whole number in the query, within bounds; `fallback` when it is missing or no number. */
function queryNumber(query: URLSearchParams, name: string, fallback: number, max: number): number {
  const text = query.get(name) ?? '';
  return /^[0-9]{1,15}$/.test(text) ? Math.min(Number(text), max) : fallback;
}

export function saleRoutes(lane: Lane, sales: Sales, now: () => number): Route[] {
  return [
    {
      method: 'POST',
      path: '/basket/items',
      run: withBody(itemBody, (item) => reply(lane.addItem(item), showBasket)),
    },
    {
      method: 'GET',
      path: '/basket',
      run: () => {
        const basket = lane.basket();
        return answer(200, basket ? showBasket(basket) : { state: 'none' });
      },
    },
    {
      method: 'POST',
      path: '/basket/tender',
      run: withBody(tenderBody, async (tender) => reply(await lane.tender(tender), showBasket)),
    },
    {
      method: 'POST',
      path: '/basket/complete',
      run: withBody(completeBody, ({ basket }) => reply(lane.complete(basket), (sale) => sale)),
    },
    {
      method: 'POST',
      path: '/basket/void',
      run: () => reply(lane.voidBasket(), (voided) => voided),
    },
    {
      method: 'GET',
      path: '/sales',
      run: ({ query }) => {
        const after = queryNumber(query, 'after', 0, Number.MAX_SAFE_INTEGER);
        const limit = Math.max(1, queryNumber(query, 'limit', PAGE_MAX, PAGE_MAX));
        return answer(200, sales.unconfirmed(after, limit));
      },
    },
    {
      method: 'POST',
      path: '/sales/ack',
      run: withBody(ackBody, ({ ids }) => answer(200, { confirmed: sales.confirm(ids, now()) })),
    },
  ];
}
