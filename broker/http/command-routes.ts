// What can be done. Every attempt lands in the audit log, also a refused one: a request for a terminal
// that does not exist is as interesting afterwards as one that worked.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Commands, Refusal } from '../commands/commands.ts';
import { operatorOf } from './auth.ts';
import { sendProblem } from './problem.ts';
import { schemas } from './schemas.ts';

export type CommandRouteOptions = {
  readonly commands: Pick<Commands, 'create' | 'get'>;
};

type CreateRequest = {
  Params: { id: string };
  Body: {
    kind: string;
    arguments: Record<string, unknown>;
    reason?: string;
    operator?: string;
    expiresMs?: number;
  };
};

export const REFUSED_STATUS: Record<Refusal['kind'], number> = {
  unknown_terminal: 404,
  invalid: 422,
  too_many: 429,
  unavailable: 503,
};

/** Under which trace it is asked for, and how long ago. */
export function originOf({ headers }: FastifyRequest, reply: FastifyReply) {
  const { traceparent } = headers;
  const tookMs = reply.elapsedTime;
  return { tookMs, ...(typeof traceparent === 'string' ? { traceparent } : {}) };
}

const ASK_FOR_LOGS = 'kind: logs are asked for with POST /api/v1/terminals/{id}/logs';

export function addCommandRoutes(app: FastifyInstance, { commands }: CommandRouteOptions): void {
  app.post<CreateRequest>(
    '/terminals/:id/commands',
    { schema: schemas.createCommand, config: { role: 'oncall' } },
    (request, reply) => {
      const { operator: said, reason = '', ...body } = request.body;
      const operator = operatorOf(request, said);
      // What is asked for that way would have nowhere to go.
      if (body.kind === 'logs') return sendProblem(reply, 422, ASK_FOR_LOGS);
      const origin = originOf(request, reply);
      const terminal = request.params.id;
      const created = commands.create({ ...body, terminal, reason, operator, ...origin });
      if (!created.ok) return sendProblem(reply, REFUSED_STATUS[created.kind], created.reason);
      return reply
        .code(202)
        .header('location', `/api/v1/commands/${created.id}`)
        .send({ id: created.id, state: created.state, trace: created.trace });
    },
  );
  app.get<{ Params: { id: string } }>(
    '/commands/:id',
    { schema: schemas.command, config: { role: 'viewer' } },
    (request, reply) =>
      commands.get(request.params.id) ?? sendProblem(reply, 404, 'there is no such command'),
  );
}
