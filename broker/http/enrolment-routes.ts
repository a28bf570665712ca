// The two doors of the broker that are open without being anybody: a terminal enrols with a token, or renews its
// certificate by a signature. Identities judge and limit both (identity/requests.ts); here is only HTTP.

import type { FastifyInstance, FastifyReply } from 'fastify';
import { ENROL_PATH, ENROLMENT_BYTES_MAX, RENEW_PATH } from '../../protocol/enrolment.ts';
import type { EnrolAnswer, Identities } from '../identity/types.ts';
import { sendProblem } from './problem.ts';
import { identitySchemas as schemas } from './schemas-identity.ts';

export type EnrolmentRouteOptions = { readonly identities: Pick<Identities, 'enrol' | 'renew'> };

/** Failures are counted by the minute. */
const RETRY_SECONDS = { 429: 60, 503: 5 } as const;

function send(reply: FastifyReply, { status, body }: EnrolAnswer): FastifyReply {
  reply.header('cache-control', 'no-store');
  if (body.ok) return reply.send(body.value);
  if (status === 429 || status === 503) reply.header('retry-after', RETRY_SECONDS[status]);
  return sendProblem(reply, status, body.reason);
}

export function addEnrolmentRoutes(
  app: FastifyInstance,
  { identities }: EnrolmentRouteOptions,
): void {
  // Whoever enrols has only a token of their own, and whoever renews only the certificate.
  const open = { config: { role: 'anyone' }, bodyLimit: ENROLMENT_BYTES_MAX } as const;
  app.post(ENROL_PATH, { ...open, schema: schemas.enrol }, async (request, reply) =>
    send(reply, await identities.enrol(request.body, request.ip)),
  );
  app.post(RENEW_PATH, { ...open, schema: schemas.renew }, async (request, reply) =>
    send(reply, await identities.renew(request.body, request.ip)),
  );
}
