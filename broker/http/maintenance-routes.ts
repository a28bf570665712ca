// Maintenances over HTTP: start, end, list; and recurring windows. Anybody on call may keep watchdogs from acting for a
// while; what happens again and again without anybody there is for an admin.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Refusal } from '../commands/view.ts';
import { refuse } from '../commands/view.ts';
import type { WindowWish } from '../maintenance/calendar.ts';
import type { Scope } from '../maintenance/model.ts';
import type { Maintenances } from '../maintenance/room.ts';
import { askerOf, sendRefusal } from './command-routes.ts';
import { maintenanceSchemas as schemas } from './schemas-maintenance.ts';

export type MaintenanceRouteOptions = {
  /** None: there are no such routes. */
  readonly maintenances?: Pick<Maintenances, 'start' | 'end' | 'list' | 'windows'>;
};

const LISTED_DEFAULT = 20;

type Said = { reason?: string; operator?: string };
type Whom = { store?: string; terminal?: string };
type StartRequest = { Body: Whom & Said & { forMs: number } };
type EndRequest = { Querystring: Whom & Said };
type AddRequest = { Body: Omit<WindowWish, 'actor' | 'reason'> & Said };
type RemoveRequest = { Params: { id: string }; Querystring: Said };

function whomOf({ store, terminal }: Whom): { scope: Scope; subject: string } | Refusal {
  if (store !== undefined && terminal === undefined) return { scope: 'store', subject: store };
  if (terminal !== undefined && store === undefined)
    return { scope: 'terminal', subject: terminal };
  return refuse('invalid', 'say a store or a terminal, and not both');
}

const saidBy = (request: FastifyRequest, { operator, reason = '' }: Said) => ({
  ...{ actor: askerOf(request, operator), reason },
});

function addWindowRoutes(app: FastifyInstance, { windows }: Pick<Maintenances, 'windows'>): void {
  app.get('/maintenance/windows', { schema: schemas.windows, config: { role: 'viewer' } }, () => ({
    windows: windows.list(),
  }));
  app.post<AddRequest>(
    '/maintenance/windows',
    { schema: schemas.add, config: { role: 'admin' } },
    (request, reply) => {
      const { name, where, at, forMs, action } = request.body;
      const added = windows.add({
        name,
        where,
        at,
        forMs,
        action,
        ...saidBy(request, request.body),
      });
      return added.ok ? reply.code(201).send(added.window) : sendRefusal(reply, added);
    },
  );
  app.delete<RemoveRequest>(
    '/maintenance/windows/:id',
    { schema: schemas.remove, config: { role: 'admin' } },
    (request, reply) => {
      const { actor, reason } = saidBy(request, request.query);
      const removed = windows.remove(request.params.id, actor, reason);
      return removed.ok ? reply.send(removed.window) : sendRefusal(reply, removed);
    },
  );
}

export function addMaintenanceRoutes(
  app: FastifyInstance,
  { maintenances }: MaintenanceRouteOptions,
): void {
  if (maintenances === undefined) return;
  /** As it is after the first telling. */
  const shown = (ids: readonly { readonly id: string }[], most: number) => {
    const wanted = new Set(ids.map(({ id }) => id));
    return { maintenances: maintenances.list(most).filter(({ id }) => wanted.has(id)) };
  };
  app.get<{ Querystring: { limit?: string } }>(
    '/maintenance',
    { schema: schemas.list, config: { role: 'viewer' } },
    ({ query: { limit } }) => ({
      maintenances: maintenances.list(Number(limit ?? LISTED_DEFAULT)),
    }),
  );
  app.post<StartRequest>(
    '/maintenance',
    { schema: schemas.start, config: { role: 'oncall' } },
    (request, reply) => {
      const whom = whomOf(request.body);
      if ('ok' in whom) return sendRefusal(reply, whom);
      const started = maintenances.start({
        ...whom,
        forMs: request.body.forMs,
        ...saidBy(request, request.body),
      });
      if (!started.ok) return sendRefusal(reply, started);
      return reply.code(201).send(shown(started.maintenances, 0));
    },
  );
  app.delete<EndRequest>(
    '/maintenance',
    { schema: schemas.end, config: { role: 'oncall' } },
    (request, reply) => {
      const whom = whomOf(request.query);
      if ('ok' in whom) return sendRefusal(reply, whom);
      const ended = maintenances.end({ ...whom, ...saidBy(request, request.query) });
      if (!ended.ok) return sendRefusal(reply, ended);
      return reply.send(shown(ended.maintenances, LISTED_DEFAULT));
    },
  );
  addWindowRoutes(app, maintenances);
}
