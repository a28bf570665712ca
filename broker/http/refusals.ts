// What was refused over HTTP, for the audit log: everything that would have changed something, and whoever asked
// without being anybody or with too low a role, also for reading. Bounded and masked by the audit log itself
// (audit.ts, REFUSALS_PER_MINUTE_MAX), because anybody can cause it and choose what stands in it.

import type { FastifyRequest } from 'fastify';
import type { Audit } from '../audit.ts';
import { operatorOf } from './auth.ts';

const READING = ['GET', 'HEAD', 'OPTIONS'];

const textOf = (body: unknown, field: string): string => {
  const value = typeof body === 'object' && body !== null ? Reflect.get(body, field) : undefined;
  return typeof value === 'string' ? value : '';
};

function actionOf(method: string, route: string, kind: string): string {
  if (method === 'POST' && route.endsWith('/commands')) return `command.${kind}.create`;
  if (method === 'POST' && route.endsWith('/:id/logs')) return 'command.logs.create';
  if (method === 'POST' && route.endsWith('/:id/tail')) return 'command.tail.create';
  if (method === 'POST' && route.endsWith('/logs/:id/cancel')) return 'logs.cancel';
  if (method === 'POST' && route.endsWith('/v1/logs')) return 'logs.group.create';
  if (method === 'POST' && route.endsWith('/:id/diagnose')) return 'command.diagnose.create';
  return `http.${method.toLowerCase()}`;
}

/** Whether a refused request is written down. */
export const isAudited = (method: string, status: number): boolean =>
  status >= 400 && (!READING.includes(method) || status === 401 || status === 403);

/** Writes down a refused request; nothing of what its body says from somebody who is nobody. */
export function auditRefusal(
  audit: Pick<Audit, 'refuse'>,
  request: FastifyRequest,
  status: number,
): void {
  const params = request.params as { id?: string; name?: string } | undefined;
  const route = request.routeOptions.url ?? 'none';
  const body = request.actor === undefined ? undefined : request.body;
  const kind = textOf(body, 'kind').slice(0, 64) || 'unknown';
  audit.refuse({
    operator: operatorOf(request, textOf(body, 'operator')),
    action: actionOf(request.method, route, kind),
    subject: params?.id ?? params?.name ?? '',
    reason: textOf(body, 'reason'),
    outcome: `refused ${status}`,
    detail: { address: request.ip, route },
  });
}
