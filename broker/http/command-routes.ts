// What can be done. Every attempt lands in the audit log, also a refused one: a request for a terminal
// that does not exist is as interesting afterwards as one that worked.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Audit } from '../audit.ts';
import type { Commands, Refusal } from '../commands/commands.ts';
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

/** Who acts when the body does not say: whoever holds the one token. */
export const TOKEN_HOLDER = 'api-token';

export const REFUSED_STATUS: Record<Refusal['kind'], number> = {
  unknown_terminal: 404,
  invalid: 422,
  too_many: 429,
  unavailable: 503,
};
const textOf = (body: unknown, field: string): string => {
  const value = typeof body === 'object' && body !== null ? Reflect.get(body, field) : undefined;
  return typeof value === 'string' ? value : '';
};

function actionOf(route: string, kind: string): string {
  if (route.endsWith('/commands')) return `command.${kind}.create`;
  return route.endsWith('/logs') ? 'command.logs.create' : 'http.post';
}

/** Writes down a refused request; nothing of what its body says without the token. */
export function auditRefusal(
  audit: Pick<Audit, 'refuse'>,
  request: FastifyRequest,
  status: number,
): void {
  const params = request.params as { id?: string } | undefined;
  const route = request.routeOptions.url ?? 'none';
  const body = request.isOperator ? request.body : undefined;
  const kind = textOf(body, 'kind').slice(0, 64) || 'unknown';
  audit.refuse({
    operator: textOf(body, 'operator') || (request.isOperator ? TOKEN_HOLDER : 'unknown'),
    action: actionOf(route, kind),
    subject: params?.id ?? '',
    reason: textOf(body, 'reason'),
    outcome: `refused ${status}`,
    detail: { address: request.ip, route },
  });
}

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
    { schema: schemas.createCommand },
    (request, reply) => {
      const { operator = TOKEN_HOLDER, reason = '', ...body } = request.body;
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
    { schema: schemas.command },
    (request, reply) =>
      commands.get(request.params.id) ?? sendProblem(reply, 404, 'there is no such command'),
  );
}
