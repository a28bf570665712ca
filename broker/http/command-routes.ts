// What can be done, and what became of it. Every attempt lands in the audit log, also a refused one: a request for a
// terminal that does not exist is as interesting afterwards as one that worked. A request that is repeated with its
// Idempotency-Key is answered with the command that it made, because a line may break after the first.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Actor, Commands, Refusal } from '../commands/commands.ts';
import type { QueueState } from '../commands/queue.ts';
import { operatorOf } from './auth.ts';
import { sendProblem } from './problem.ts';
import { LIMIT_DEFAULT, schemas } from './schemas.ts';

export type CommandRouteOptions = {
  readonly commands: Pick<Commands, 'create' | 'get' | 'list' | 'cancel'>;
};

type Id = { Params: { id: string } };
type CreateRequest = Id & {
  Body: {
    kind: string;
    arguments: Record<string, unknown>;
    reason?: string;
    operator?: string;
    expiresMs?: number;
  };
};
type ListRequest = {
  Querystring: { terminal?: string; state?: QueueState; bulk?: string; limit?: string };
};
type CancelRequest = Id & { Querystring: { reason?: string; operator?: string } };

export const REFUSED_STATUS: Record<Refusal['kind'], 403 | 404 | 409 | 422 | 429 | 503> = {
  unknown_terminal: 404,
  forbidden: 403,
  invalid: 422,
  conflict: 409,
  too_many: 429,
  unavailable: 503,
};

/** Under which trace it is asked for, and how long ago. */
export function originOf({ headers }: FastifyRequest, reply: FastifyReply) {
  const { traceparent } = headers;
  const tookMs = reply.elapsedTime;
  return { tookMs, ...(typeof traceparent === 'string' ? { traceparent } : {}) };
}

/** Who asks; the gate has let nobody pass who is nobody. */
export const askerOf = (request: FastifyRequest, said?: string): Actor => ({
  name: operatorOf(request, said),
  role: request.actor?.role ?? 'viewer',
});

export const sendRefusal = (reply: FastifyReply, { kind, reason }: Refusal): FastifyReply =>
  sendProblem(reply, REFUSED_STATUS[kind], reason);

/** Kinds that have a way of their own: their answer would have nowhere to go. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  logs: 'kind: logs are asked for with POST /api/v1/terminals/{id}/logs',
  tail: 'kind: a live tail is asked for with POST /api/v1/terminals/{id}/tail',
  cancel_logs: 'kind: a request for logs is ended with POST /api/v1/logs/{id}/cancel',
  apply: 'kind: a configuration is applied with POST /api/v1/configurations/{name}/plan',
  diagnose: 'kind: a diagnosis is asked for with POST /api/v1/terminals/{id}/diagnose',
};

const NO_COMMAND = 'there is no such command';

/** Of the caller: the same one again means the same request. */
export function keyOf({ headers }: FastifyRequest): { idempotencyKey?: string } {
  const key = headers['idempotency-key'];
  return typeof key === 'string' ? { idempotencyKey: key } : {};
}

export function addCommandRoutes(app: FastifyInstance, { commands }: CommandRouteOptions): void {
  app.post<CreateRequest>(
    '/terminals/:id/commands',
    { schema: schemas.createCommand, config: { role: 'oncall' } },
    (request, reply) => {
      const { operator, reason = '', ...body } = request.body;
      const elsewhere = Object.hasOwn(ELSEWHERE, body.kind) ? ELSEWHERE[body.kind] : undefined;
      if (elsewhere !== undefined) return sendProblem(reply, 422, elsewhere);
      const origin = { ...originOf(request, reply), ...keyOf(request) };
      const asked = { ...body, terminal: request.params.id, reason };
      const created = commands.create({ ...asked, actor: askerOf(request, operator), ...origin });
      if (!created.ok) return sendRefusal(reply, created);
      return reply
        .code(202)
        .header('location', `/api/v1/commands/${created.id}`)
        .send({ id: created.id, state: created.state, trace: created.trace });
    },
  );
  app.get<ListRequest>(
    '/commands',
    { schema: schemas.commands, config: { role: 'viewer' } },
    ({ query: { limit, ...filter } }) => ({
      commands: commands.list({ ...filter, limit: Number(limit ?? LIMIT_DEFAULT) }),
    }),
  );
  app.get<Id>(
    '/commands/:id',
    { schema: schemas.command, config: { role: 'viewer' } },
    (request, reply) => commands.get(request.params.id) ?? sendProblem(reply, 404, NO_COMMAND),
  );
  app.delete<CancelRequest>(
    '/commands/:id',
    { schema: schemas.cancelCommand, config: { role: 'oncall' } },
    (request, reply) => {
      const { reason = '', operator } = request.query;
      const done = commands.cancel(request.params.id, askerOf(request, operator), reason);
      if (!done.ok) return sendRefusal(reply, done);
      return reply.send({ id: done.id, state: done.state, trace: done.trace });
    },
  );
}
