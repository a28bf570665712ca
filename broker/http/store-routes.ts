// Stores over HTTP: what is known of them, and a new list of them, which is shown as a difference before it is applied.
// Who reads sees hours as text, as they stand in the file; who writes sends what a file says, read on their machine.

import type { FastifyInstance, FastifyReply } from 'fastify';
import type { StoresAnswer } from '../stores/apply.ts';
import { nextChange } from '../stores/hours.ts';
import { textOf } from '../stores/shape.ts';
import type { StoresRoom } from '../stores/stores.ts';
import type { StoreView } from '../stores/types.ts';
import { askerOf, sendRefusal } from './command-routes.ts';
import { sendProblem } from './problem.ts';
import { storeSchemas } from './schemas-stores.ts';

export type StoreRouteOptions = {
  /** None: there are no such routes. */
  readonly stores?: Pick<StoresRoom, 'all' | 'get' | 'plan' | 'apply'>;
  readonly nowMs: () => number;
};

/** Ten thousand stores with hours, exceptions and terminals. */
const LIST_BYTES_MAX = 16 * 1024 * 1024;

type Id = { Params: { id: string } };
type Said = { readonly reason?: string; readonly operator?: string };
type Plan = { Body: Said & { stores: unknown[]; prune?: boolean } };
type Apply = { Body: Said & { stores: unknown[]; prune?: boolean; digest: string } };

function tell(view: StoreView, nowMs: number): object {
  const { open, lanesExpected, counts } = view;
  const changesMs = nextChange(view, nowMs);
  return {
    ...textOf(view),
    ...(open === undefined ? {} : { open }),
    ...(changesMs === undefined ? {} : { changesMs }),
    ...{ lanesExpected, counts },
  };
}

const answerWith = (reply: FastifyReply, answer: StoresAnswer): FastifyReply =>
  answer.ok ? reply.send(answer.plan) : sendRefusal(reply, answer);

export function addStoreRoutes(app: FastifyInstance, { stores, nowMs }: StoreRouteOptions): void {
  if (stores === undefined) return;
  app.get('/stores', { schema: storeSchemas.list, config: { role: 'viewer' } }, () => {
    const now = nowMs();
    return { stores: stores.all().map((view) => tell(view, now)) };
  });
  app.get<Id>(
    '/stores/:id',
    { schema: storeSchemas.one, config: { role: 'viewer' } },
    (request, reply) => {
      const { id } = request.params;
      const view = stores.get(id);
      const unknown = `no file has named the store "${id}": tillwatch stores apply`;
      return view === undefined ? sendProblem(reply, 404, unknown) : tell(view, nowMs());
    },
  );
  app.post<Plan>(
    '/stores/plan',
    { schema: storeSchemas.plan, config: { role: 'admin' }, bodyLimit: LIST_BYTES_MAX },
    (request, reply) => {
      const { stores: list, prune, operator } = request.body;
      const wish = { stores: list, prune, actor: askerOf(request, operator) };
      return answerWith(reply, stores.plan(wish));
    },
  );
  app.post<Apply>(
    '/stores/apply',
    { schema: storeSchemas.apply, config: { role: 'admin' }, bodyLimit: LIST_BYTES_MAX },
    (request, reply) => {
      const { stores: list, prune, operator, digest, reason = '' } = request.body;
      const wish = { stores: list, prune, actor: askerOf(request, operator) };
      return answerWith(reply, stores.apply({ ...wish, digest, reason }));
    },
  );
}
