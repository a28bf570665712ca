// Who belongs to the fleet, over HTTP: tokens for new terminals, and what becomes of terminals that are stolen, broken,
// moved or done with. Whoever is on call may suspend what looks wrong, because that can be taken back; what
// cannot is for the role admin.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type {
  Act,
  Done,
  EnrolRefusal,
  Identities,
  Lifecycle,
  TokenMade,
} from '../identity/types.ts';
import { operatorOf } from './auth.ts';
import { sendProblem } from './problem.ts';
import { identitySchemas as schemas } from './schemas-identity.ts';

export type IdentityRouteOptions = {
  readonly identities: Lifecycle & Pick<Identities, 'viewOf'>;
};

/** A thousand terminals with the longest names. */
const LIST_BYTES_MAX = 256 * 1024;

const STATUS: Record<EnrolRefusal['kind'], number> = {
  ...{ invalid: 422, unknown_terminal: 404, conflict: 409, unavailable: 503, too_many: 429 },
};
const refuse = (reply: FastifyReply, { kind, reason }: EnrolRefusal): FastifyReply =>
  sendProblem(reply, STATUS[kind], reason);

type Said = { readonly reason?: string; readonly operator?: string };
const actOf = (request: FastifyRequest, { reason = '', operator }: Said): Act => ({
  ...{ operator: operatorOf(request, operator), reason },
});

function sendToken(reply: FastifyReply, made: TokenMade | EnrolRefusal): FastifyReply {
  if (!made.ok) return refuse(reply, made);
  const { ok: _, ...token } = made;
  // No cache on the way may keep what is shown once.
  return reply.code(201).header('cache-control', 'no-store').send(token);
}

type One = { Params: { id: string } };
type Wish = Said & { minutes?: number; again?: boolean };

function addTokenRoutes(app: FastifyInstance, { identities }: IdentityRouteOptions): void {
  app.post<One & { Body: Wish & { store: string } }>(
    '/terminals/:id/token',
    { schema: schemas.token, config: { role: 'admin' } },
    (request, reply) => {
      const { store, minutes, again, ...said } = request.body;
      const wish = { terminal: request.params.id, store, minutes, again };
      return sendToken(reply, identities.makeToken(wish, actOf(request, said)));
    },
  );
  app.post<One & { Body: Wish }>(
    '/terminals/:id/replace',
    { schema: schemas.replace, config: { role: 'admin' } },
    (request, reply) => {
      const { minutes, ...said } = request.body;
      const act = actOf(request, said);
      return sendToken(reply, identities.replace(request.params.id, act, minutes));
    },
  );
  app.post<{ Body: Wish & { terminals: { terminal: string; store: string }[] } }>(
    '/tokens',
    { schema: schemas.tokens, config: { role: 'admin' }, bodyLimit: LIST_BYTES_MAX },
    (request, reply) => {
      const { terminals, minutes, again, ...said } = request.body;
      const wishes = terminals.map((row) => ({ ...row, minutes, again }));
      const made = identities.makeTokens(wishes, actOf(request, said));
      if (!made.ok) return refuse(reply, made);
      const tokens = made.tokens.map(({ ok: _, ...token }) => token);
      return reply.code(201).header('cache-control', 'no-store').send({ tokens });
    },
  );
}

export function addIdentityRoutes(app: FastifyInstance, options: IdentityRouteOptions): void {
  const { identities } = options;
  addTokenRoutes(app, options);
  const send = (reply: FastifyReply, terminal: string, done: Done): FastifyReply =>
    done.ok ? reply.send({ terminal, identity: identities.viewOf(terminal) }) : refuse(reply, done);

  const acts = [
    ['suspend', 'oncall', schemas.suspend, identities.suspend],
    ['resume', 'oncall', schemas.resume, identities.resume],
    ['revoke', 'admin', schemas.revoke, identities.revoke],
    ['retire', 'admin', schemas.retire, identities.retire],
    ['accept-machine', 'admin', schemas.acceptMachine, identities.acceptMachine],
  ] as const;
  for (const [word, role, schema, act] of acts) {
    app.post<One & { Body: Said }>(
      `/terminals/:id/${word}`,
      { schema, config: { role } },
      (request, reply) => {
        const { id } = request.params;
        return send(reply, id, act(id, actOf(request, request.body)));
      },
    );
  }
  app.post<One & { Body: Said & { store: string } }>(
    '/terminals/:id/move',
    { schema: schemas.move, config: { role: 'admin' } },
    (request, reply) => {
      const { id } = request.params;
      const { store, ...said } = request.body;
      return send(reply, id, identities.move(id, store, actOf(request, said)));
    },
  );
}
