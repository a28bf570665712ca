// Requests for logs over HTTP: ask, look how far it is, read what has arrived. The text is streamed from its
// file and may be read while it still grows: `offset` goes on where the last answer ended.

import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Logs } from '../logs/logs.ts';
import { operatorOf } from './auth.ts';
import { originOf, REFUSED_STATUS } from './command-routes.ts';
import { sendProblem } from './problem.ts';
import { schemas } from './schemas.ts';

export type LogRouteOptions = {
  readonly logs: Pick<Logs, 'create' | 'get' | 'list' | 'read'>;
};

type Id = { Params: { id: string } };
type Ask = Id & {
  Body: {
    components?: string[];
    sinceMs: number;
    untilMs: number;
    bytesMax?: number;
    reason?: string;
    operator?: string;
    expiresMs?: number;
  };
};

const UNKNOWN = 'there is no such request for logs';

export function addLogRoutes(app: FastifyInstance, { logs }: LogRouteOptions): void {
  app.post<Ask>(
    '/terminals/:id/logs',
    { schema: schemas.askLogs, config: { role: 'oncall' } },
    (request, reply) => {
      const { operator: said, reason = '', ...body } = request.body;
      const operator = operatorOf(request, said);
      const asked = { ...body, terminal: request.params.id, operator, reason };
      const created = logs.create({ ...asked, ...originOf(request, reply) });
      if (!created.ok) return sendProblem(reply, REFUSED_STATUS[created.kind], created.reason);
      const { id, state, connected, expiresMs, trace } = created.view;
      return reply
        .code(202)
        .header('location', `/api/v1/logs/${id}`)
        .send({ id, state, connected, expiresMs, ...(trace === undefined ? {} : { trace }) });
    },
  );
  app.get('/logs', { schema: schemas.logRequests, config: { role: 'oncall' } }, () => ({
    requests: logs.list(),
  }));
  app.get<Id>(
    '/logs/:id',
    { schema: schemas.logRequest, config: { role: 'oncall' } },
    (request, reply) => logs.get(request.params.id) ?? sendProblem(reply, 404, UNKNOWN),
  );
  app.get<Id & { Querystring: { offset?: string } }>(
    '/logs/:id/content',
    { schema: schemas.logContent, config: { role: 'oncall' } },
    (request, reply) => {
      const view = logs.get(request.params.id);
      if (view === undefined) return sendProblem(reply, 404, UNKNOWN);
      if (view.goneMs !== undefined) return sendProblem(reply, 410, view.error);
      const offset = Number(request.query.offset ?? 0);
      if (offset > view.bytes) {
        return sendProblem(reply, 416, `only ${view.bytes} bytes have arrived`);
      }
      const body =
        offset === view.bytes ? Readable.from([]) : logs.read(view.id, offset, view.bytes);
      return reply
        .header('content-type', 'text/plain; charset=utf-8')
        .header('content-length', view.bytes - offset)
        .header('x-content-type-options', 'nosniff')
        .send(body);
    },
  );
}
