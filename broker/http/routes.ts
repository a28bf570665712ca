// What can be read: health without a token, fleet and events with it. Handlers only look up and
// hand on; what the numbers mean is decided in fleet/.

import type { FastifyInstance } from 'fastify';
import type { Fleet } from '../fleet/fleet.ts';
import type { Sort, TerminalQuery } from '../fleet/search.ts';
import { reportSuppressed } from '../fleet/suppressed.ts';
import type { Presence } from '../fleet/view.ts';
import type { Metrics } from '../metrics.ts';
import type { RouteRole } from './auth.ts';
import { sendProblem } from './problem.ts';
import { behind } from './schema-parts.ts';
import { LIMIT_DEFAULT, schemas } from './schemas.ts';
import { readTime, unreadableTime } from './times.ts';

export type ReadOptions = {
  readonly fleet: Pick<Fleet, 'view' | 'search' | 'rollup' | 'eventPage' | 'unready'>;
  readonly metrics: Pick<Metrics, 'registry'>;
  readonly nowMs: () => number;
  /** Who may read /metrics and /metrics/terminals. */
  readonly metricsRole: RouteRole;
  /** Somebody looks at this terminal: it sends more often for a while. */
  readonly watch?: (terminal: string) => void;
};

type Id = { Params: { id: string } };
type TerminalsQuery = {
  Querystring: {
    store?: string;
    region?: string;
    label?: string;
    presence?: Presence;
    version?: string;
    state?: string;
    search?: string;
    sort?: Sort;
    limit?: string;
    cursor?: string;
  };
};
type EventsQuery = {
  Querystring: {
    terminal?: string;
    store?: string;
    kind?: string;
    component?: string;
    since?: string;
    until?: string;
    after?: string;
    limit?: string;
    order?: 'asc' | 'desc';
  };
};
type ReportQuery = {
  Querystring: { terminal?: string; store?: string; component?: string; since?: string };
};
/** A report that names no time is of a week. */
const REPORT_MS = 7 * 24 * 3_600_000;

const VERSION = 'version: write COMPONENT:VERSION, such as sale:2.4.1';
/** Versions may have a colon, components have none [protocol/ids.ts]. */
function readVersion(text: string | undefined): TerminalQuery['version'] | 'unreadable' {
  if (text === undefined) return undefined;
  const [, component, version] = /^([^:]+):(.+)$/.exec(text) ?? [];
  return component && version ? { component, version } : 'unreadable';
}

/** healthz: the process turns. readyz: what it tells is current. */
export function addHealthRoutes(app: FastifyInstance, options: ReadOptions): void {
  const { fleet, metrics, metricsRole: role } = options;
  app.get('/healthz', { schema: schemas.health, config: { role: 'anyone' } }, () => ({
    status: 'ok',
  }));
  app.get('/readyz', { schema: schemas.ready, config: { role: 'anyone' } }, (_request, reply) => {
    const why = fleet.unready();
    return why === undefined ? { status: 'ok' } : sendProblem(reply, 503, why);
  });
  app.get(
    '/metrics',
    { schema: behind(role, schemas.metrics), config: { role } },
    async (_request, reply) => {
      reply.header('content-type', metrics.registry.contentType);
      return await metrics.registry.metrics();
    },
  );
}

export function addReadRoutes(app: FastifyInstance, options: ReadOptions): void {
  const { fleet, nowMs, watch } = options;
  app.get('/fleet', { schema: schemas.fleet, config: { role: 'viewer' } }, () => fleet.rollup());
  app.get<TerminalsQuery>(
    '/terminals',
    { schema: schemas.terminals, config: { role: 'viewer' } },
    (request, reply) => {
      const { version: text, limit, sort = 'id', ...filters } = request.query;
      const version = readVersion(text);
      if (version === 'unreadable') return sendProblem(reply, 400, VERSION);
      const page = { sort, limit: Number(limit ?? LIMIT_DEFAULT) };
      const found = fleet.search({ ...filters, ...page, version });
      return found.ok ? found.value : sendProblem(reply, 400, found.reason);
    },
  );
  app.get<Id>(
    '/terminals/:id',
    { schema: schemas.terminal, config: { role: 'viewer' } },
    (request, reply) => {
      const { id } = request.params;
      const unknown = `there is no terminal "${id}" in this fleet`;
      const view = fleet.view(id);
      if (view === undefined) return sendProblem(reply, 404, unknown);
      watch?.(id);
      return view;
    },
  );
  app.get<EventsQuery>(
    '/events',
    { schema: schemas.events, config: { role: 'viewer' } },
    (request, reply) => {
      const { since, until, after, limit, ...filters } = request.query;
      const times = { sinceMs: readTime(since), untilMs: readTime(until) };
      if (Number.isNaN(times.sinceMs)) return sendProblem(reply, 400, unreadableTime('since'));
      if (Number.isNaN(times.untilMs)) return sendProblem(reply, 400, unreadableTime('until'));
      const page = {
        afterId: after === undefined ? undefined : Number(after),
        limit: Number(limit ?? LIMIT_DEFAULT),
      };
      const { events, next } = fleet.eventPage({ ...filters, ...times, ...page });
      return { events, next };
    },
  );
  app.get<ReportQuery>(
    '/reports/would-have-acted',
    { schema: schemas.wouldHaveActed, config: { role: 'viewer' } },
    async (request, reply) => {
      const { since, ...where } = request.query;
      const sinceMs = readTime(since) ?? nowMs() - REPORT_MS;
      if (Number.isNaN(sinceMs)) return sendProblem(reply, 400, unreadableTime('since'));
      return await reportSuppressed(fleet.eventPage, where, sinceMs);
    },
  );
}
