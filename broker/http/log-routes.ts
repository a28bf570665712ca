// Requests for logs and diagnoses over HTTP: ask, look how far it is, read what has arrived. The text is streamed
// from its file and may be read while it still grows: `offset` goes on where the last answer ended. A diagnosis is
// one document, and is there when it is whole.

import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Asked, Logs } from '../logs/logs.ts';
import { askerOf, keyOf, originOf, sendRefusal } from './command-routes.ts';
import { readDiagnosis } from './diagnosis.ts';
import { sendProblem } from './problem.ts';
import { schemas } from './schemas.ts';

export type LogRouteOptions = {
  readonly logs: Pick<Logs, 'create' | 'diagnose' | 'get' | 'list' | 'read'>;
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

type Diagnose = Id & { Body: { reason?: string; operator?: string; expiresMs?: number } };

const UNKNOWN = 'there is no such request for logs';
const NOT_WHOLE = 'the diagnosis is not here yet: ask again when its state is complete';

function sendAsked(reply: FastifyReply, { view }: Asked): FastifyReply {
  const { id, state, connected, expiresMs, trace } = view;
  return reply
    .code(202)
    .header('location', `/api/v1/logs/${id}`)
    .send({ id, state, connected, expiresMs, ...(trace === undefined ? {} : { trace }) });
}

export function addLogRoutes(app: FastifyInstance, { logs }: LogRouteOptions): void {
  app.post<Ask>(
    '/terminals/:id/logs',
    { schema: schemas.askLogs, config: { role: 'oncall' } },
    (request, reply) => {
      const { operator, reason = '', ...body } = request.body;
      const actor = askerOf(request, operator);
      const asked = { ...body, terminal: request.params.id, actor, reason };
      const origin = { ...originOf(request, reply), ...keyOf(request) };
      const created = logs.create({ ...asked, ...origin });
      return created.ok ? sendAsked(reply, created) : sendRefusal(reply, created);
    },
  );
  app.post<Diagnose>(
    '/terminals/:id/diagnose',
    { schema: schemas.diagnose, config: { role: 'oncall' } },
    (request, reply) => {
      const { operator, reason = '', expiresMs } = request.body;
      const actor = askerOf(request, operator);
      const asked = { terminal: request.params.id, actor, reason, expiresMs };
      const origin = { ...originOf(request, reply), ...keyOf(request) };
      const created = logs.diagnose({ ...asked, ...origin });
      return created.ok ? sendAsked(reply, created) : sendRefusal(reply, created);
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
    async (request, reply) => {
      const view = logs.get(request.params.id);
      if (view === undefined) return sendProblem(reply, 404, UNKNOWN);
      if (view.goneMs !== undefined) return sendProblem(reply, 410, view.error);
      reply.header('x-content-type-options', 'nosniff');
      if (view.what === 'diagnosis') {
        if (!view.complete) return sendProblem(reply, 409, NOT_WHOLE);
        const document = await readDiagnosis(logs.read(view.id, 0, view.bytes));
        if (!document.ok) return sendProblem(reply, 422, document.reason);
        return reply.type('application/json; charset=utf-8').send(document.value);
      }
      const offset = Number(request.query.offset ?? 0);
      if (offset > view.bytes) {
        return sendProblem(reply, 416, `only ${view.bytes} bytes have arrived`);
      }
      const body =
        offset === view.bytes ? Readable.from([]) : logs.read(view.id, offset, view.bytes);
      return reply
        .header('content-type', 'text/plain; charset=utf-8')
        .header('content-length', view.bytes - offset)
        .send(body);
    },
  );
}
