// Requests for logs, live tails and diagnoses over HTTP: ask, look how far it is, end it. What has arrived is read in
// log-content-routes.ts.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Selector } from '../bulk/select.ts';
import type { Lines, TailAsk } from '../logs/asking.ts';
import type { Asked, LogFilter, Logs } from '../logs/logs.ts';
import { readPattern } from '../logs/patterns.ts';
import { askerOf, keyOf, originOf, sendRefusal } from './command-routes.ts';
import { addLogContentRoutes } from './log-content-routes.ts';
import { sendProblem } from './problem.ts';
import { LIMIT_DEFAULT } from './schemas.ts';
import { logSchemas } from './schemas-logs.ts';

export type LogRouteOptions = {
  readonly logs: Pick<
    Logs,
    'create' | 'createForAll' | 'tail' | 'diagnose' | 'cancel' | 'get' | 'list' | 'read'
  >;
  readonly nowMs: () => number;
};

type Id = { Params: { id: string } };
type Said = { reason?: string; operator?: string };
type WithExpiry = Said & { expiresMs?: number };
type Ask = Id & { Body: Lines & WithExpiry };
type AskAll = { Body: Lines & WithExpiry & { selector: Selector } };
type Tail = Id & { Body: Omit<TailAsk, 'terminal' | 'reason' | 'actor'> & Said };
type Diagnose = Id & { Body: WithExpiry };
type Cancel = Id & { Body: Said };
type List = { Querystring: Omit<LogFilter, 'limit'> & { limit?: string } };

const UNKNOWN = 'there is no such request for logs';
const ONCALL = { role: 'oncall' } as const;

function sendAsked(reply: FastifyReply, { view }: Asked): FastifyReply {
  const { id, state, connected, expiresMs, trace } = view;
  return reply
    .code(202)
    .header('location', `/api/v1/logs/${id}`)
    .send({ id, state, connected, expiresMs, ...(trace === undefined ? {} : { trace }) });
}

/** Who asks, why, under which trace and key. */
function wishOf(request: FastifyRequest, reply: FastifyReply, { operator, reason = '' }: Said) {
  const origin = { ...originOf(request, reply), ...keyOf(request) };
  return { actor: askerOf(request, operator), reason, ...origin };
}

async function wrongPattern({ pattern }: Pick<Lines, 'pattern'>): Promise<string | undefined> {
  const read = pattern === undefined ? undefined : await readPattern(pattern);
  return read?.ok === false ? read.reason : undefined;
}

function addAsks(app: FastifyInstance, logs: LogRouteOptions['logs']): void {
  app.post<Ask>(
    '/terminals/:id/logs',
    { schema: logSchemas.ask, config: ONCALL },
    async (request, reply) => {
      const { operator: _o, reason: _r, ...lines } = request.body;
      const wrong = await wrongPattern(lines);
      if (wrong !== undefined) return sendProblem(reply, 422, wrong);
      const wish = wishOf(request, reply, request.body);
      const created = logs.create({ ...lines, terminal: request.params.id, ...wish });
      return created.ok ? sendAsked(reply, created) : sendRefusal(reply, created);
    },
  );
  app.post<AskAll>(
    '/logs',
    { schema: logSchemas.askAll, config: ONCALL },
    async (request, reply) => {
      const { operator: _o, reason: _r, ...lines } = request.body;
      const wrong = await wrongPattern(lines);
      if (wrong !== undefined) return sendProblem(reply, 422, wrong);
      const asked = logs.createForAll({ ...lines, ...wishOf(request, reply, request.body) });
      if (!asked.ok) return sendRefusal(reply, asked);
      const { group, leftOut: skipped } = asked;
      const requests = asked.requests.map(({ id, terminal, state, connected }) => ({
        ...{ id, terminal, state, connected },
      }));
      const location = `/api/v1/logs?group=${group}`;
      return reply.code(202).header('location', location).send({ group, requests, skipped });
    },
  );
  app.post<Tail>(
    '/terminals/:id/tail',
    { schema: logSchemas.tail, config: ONCALL },
    (request, reply) => {
      const { operator: _o, reason: _r, ...tail } = request.body;
      const wish = wishOf(request, reply, request.body);
      const created = logs.tail({ ...tail, terminal: request.params.id, ...wish });
      return created.ok ? sendAsked(reply, created) : sendRefusal(reply, created);
    },
  );
  app.post<Diagnose>(
    '/terminals/:id/diagnose',
    { schema: logSchemas.diagnose, config: ONCALL },
    (request, reply) => {
      const { expiresMs } = request.body;
      const wish = wishOf(request, reply, request.body);
      const created = logs.diagnose({ terminal: request.params.id, expiresMs, ...wish });
      return created.ok ? sendAsked(reply, created) : sendRefusal(reply, created);
    },
  );
}

export function addLogRoutes(app: FastifyInstance, options: LogRouteOptions): void {
  const { logs } = options;
  addAsks(app, logs);
  app.post<Cancel>(
    '/logs/:id/cancel',
    { schema: logSchemas.cancel, config: ONCALL },
    (request, reply) => {
      const { operator, reason = '' } = request.body;
      const done = logs.cancel(request.params.id, askerOf(request, operator), reason);
      if (!done.ok) return sendRefusal(reply, done);
      return reply.code(202).send({ id: done.view.id, state: done.view.state });
    },
  );
  app.get<List>(
    '/logs',
    { schema: logSchemas.list, config: ONCALL },
    ({ query: { limit, ...filter } }) => ({
      requests: logs.list({ ...filter, limit: Number(limit ?? LIMIT_DEFAULT) }),
    }),
  );
  app.get<Id>(
    '/logs/:id',
    { schema: logSchemas.one, config: ONCALL },
    (request, reply) => logs.get(request.params.id) ?? sendProblem(reply, 404, UNKNOWN),
  );
  addLogContentRoutes(app, options);
}
