// What can be read: health without a token, fleet, events and audit with it. Handlers only look up and
// hand on; what the numbers mean is decided in fleet/.

import type { FastifyInstance } from 'fastify';
import type { Audit } from '../audit.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Metrics } from '../metrics.ts';
import { sendProblem } from './problem.ts';
import { LIMIT_DEFAULT, schemas } from './schemas.ts';

export type ReadOptions = {
  readonly fleet: Pick<Fleet, 'view' | 'views' | 'rollup' | 'events' | 'unready'>;
  readonly audit: Pick<Audit, 'list'>;
  readonly metrics: Pick<Metrics, 'registry'>;
};

type Id = { Params: { id: string } };
type EventsQuery = {
  Querystring: { terminal?: string; kind?: string; after?: string; limit?: string };
};

/** healthz: the process turns. readyz: what it tells is current. */
export function addHealthRoutes(app: FastifyInstance, { fleet, metrics }: ReadOptions): void {
  app.get('/healthz', { schema: schemas.health }, () => ({ status: 'ok' }));
  app.get('/readyz', { schema: schemas.health }, (_request, reply) => {
    const why = fleet.unready();
    return why === undefined ? { status: 'ok' } : sendProblem(reply, 503, why);
  });
  app.get('/metrics', { schema: schemas.metrics }, async (_request, reply) => {
    reply.header('content-type', metrics.registry.contentType);
    return await metrics.registry.metrics();
  });
}

export function addReadRoutes(app: FastifyInstance, { fleet, audit }: ReadOptions): void {
  app.get('/fleet', { schema: schemas.fleet }, () => fleet.rollup());
  app.get('/terminals', { schema: schemas.terminals }, () => ({ terminals: fleet.views() }));
  app.get<Id>('/terminals/:id', { schema: schemas.terminal }, (request, reply) => {
    const { id } = request.params;
    const unknown = `there is no terminal "${id}" in this fleet`;
    return fleet.view(id) ?? sendProblem(reply, 404, unknown);
  });
  app.get<EventsQuery>('/events', { schema: schemas.events }, (request) => {
    const { terminal, kind, after = '0', limit } = request.query;
    const afterId = Number(after);
    const events = fleet.events({ terminal, kind, afterId, limit: Number(limit ?? LIMIT_DEFAULT) });
    return { events, next: events.at(-1)?.id ?? afterId };
  });
  app.get<{ Querystring: { limit?: string } }>('/audit', { schema: schemas.audit }, (request) => ({
    entries: audit.list(Number(request.query.limit ?? LIMIT_DEFAULT)),
  }));
}
