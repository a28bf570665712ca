// A stand-in for the retailer's head office: takes completed sales and gives out price lists. It is not
// part of Tillwatch and the broker never sees a sale; it exists so that the reference terminal has
// somebody real to talk to. PUT /sales/{id} answers 201 at first, 200 when it is said again, 409 when
// another content comes under a known id.

import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { count, identifier, minor, uuid } from '../shared/check.ts';
import type { Context, Service } from '../shared/component.ts';
import { answer, problem, type Reply, type Route, withBody } from '../shared/http.ts';
import { CURRENCY, products } from '../shared/products.ts';
import { type CentreStore, openCentreStore } from './store.ts';

const BODY_BYTES_MAX = 256 * 1024;
const REVISION_MAX = 1_000;

const saleBody = v.looseObject({
  id: uuid,
  terminal: identifier,
  store: identifier,
  sequence: count,
  totalMinor: minor,
  lines: v.pipe(v.array(v.unknown(), 'give a list'), v.minLength(1, 'a sale has lines')),
});
const revisionBody = v.strictObject({
  revision: v.pipe(count, v.minValue(1, 'revisions count from 1'), v.maxValue(REVISION_MAX)),
});

function priceList(store: string, revision: number): { etag: string; body: object } {
  const body = {
    version: `${store}-${revision}`,
    currency: CURRENCY,
    products: products(revision),
  };
  const digest = createHash('sha256').update(JSON.stringify(body)).digest('hex').slice(0, 32);
  return { etag: `"${digest}"`, body };
}

/** If-None-Match is a list, compared weakly [RFC 9110 13.1.2]. */
const matches = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some((one) => ['*', etag, `W/${etag}`].includes(one.trim()));

function pricesReply(store: string, revision: number, ifNoneMatch: string | undefined): Reply {
  const { etag, body } = priceList(store, revision);
  const headers = { etag, 'cache-control': 'no-cache' };
  if (matches(ifNoneMatch, etag)) return { status: 304, headers };
  return { status: 200, json: body, headers };
}

const known = (store: string): boolean => v.is(identifier, store);

function centreRoutes(store: CentreStore): Route[] {
  return [
    {
      method: 'PUT',
      path: '/sales/:id',
      run: withBody(saleBody, (sale, { params, body }) => {
        if (sale.id !== params['id']) return problem(422, 'id: the body and the path differ.');
        const booked = store.book(sale, body);
        if (booked === 'other') return problem(409, 'Another sale is booked under this id.');
        return answer(booked === 'new' ? 201 : 200, { id: sale.id });
      }),
    },
    {
      method: 'GET',
      path: '/sales/count',
      run: ({ query }) => answer(200, store.count(query.get('terminal') ?? '')),
    },
    {
      method: 'GET',
      path: '/stores/:store/prices',
      run: ({ params, headers }) => {
        const name = params['store'] ?? '';
        if (!known(name)) return problem(404, 'There is no such store.');
        return pricesReply(name, store.revision(name), headers['if-none-match']);
      },
    },
    {
      // The head office changes its prices; for demonstrations and tests.
      method: 'PUT',
      path: '/stores/:store/prices',
      run: withBody(revisionBody, ({ revision }, { params }) => {
        const name = params['store'] ?? '';
        if (!known(name)) return problem(404, 'There is no such store.');
        store.setRevision(name, revision);
        return answer(200, { store: name, revision });
      }),
    },
  ];
}

export function startCentre(context: Context, now: () => number): Service {
  const store = openCentreStore(context.dataDir, context.log, now);
  return {
    routes: centreRoutes(store),
    bodyBytesMax: BODY_BYTES_MAX,
    health: () => ({ status: 'ok', sales: store.count('').count }),
    stop: () => {
      store.close();
      return Promise.resolve();
    },
  };
}
