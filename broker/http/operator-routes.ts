// Signing in and out, and who the operators are. A token goes in once and a session comes out; neither ever stands in an
// address, where proxies and histories keep it. Tokens of others are made by whoever has the role admin, who never
// learns one again afterwards.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Role } from '../../protocol/catalogue.ts';
import { parseOperatorToken } from '../../protocol/operators.ts';
import type { Refused, WithToken } from '../operators/accounts.ts';
import type { Operators } from '../operators/operators.ts';
import type { SignedIn } from '../operators/sign-in.ts';
import { type Actor, operatorOf, TOKEN_HOLDER } from './auth.ts';
import { sendProblem } from './problem.ts';
import { operatorSchemas as schemas } from './schemas-operators.ts';

export type OperatorRouteOptions = {
  readonly operators: Omit<Operators, 'sessions' | 'close'>;
  /** PEM of those that the certificate of this port may be of, now and after a rotation that has begun. */
  readonly authorities?: (() => readonly string[]) | undefined;
};

type Named = { Params: { name: string } };

const STATUS: Record<Refused['kind'], 404 | 409 | 422 | 503> = {
  unknown: 404,
  invalid: 422,
  conflict: 409,
  unavailable: 503,
};
const NOT_SIGNED: Record<Exclude<SignedIn, { ok: true }>['kind'], 401 | 429 | 503> = {
  wrong: 401,
  paused: 429,
  busy: 503,
  failed: 503,
};
const NO_SESSION = 'the one token of a broker in plain text has no session that could end';

/** The gate has let nobody pass who is nobody. */
function actorOf({ actor }: FastifyRequest): Actor {
  if (actor === undefined) throw new Error('a route behind the gate without an actor');
  return actor;
}
const byOf = (request: FastifyRequest) => ({ name: operatorOf(request), address: request.ip });
const refuse = (reply: FastifyReply, { kind, reason }: Refused): FastifyReply =>
  sendProblem(reply, STATUS[kind], reason);
/** No cache on the way may keep what is shown once. */
const secretly = (reply: FastifyReply): FastifyReply => reply.header('cache-control', 'no-store');

function sendToken(reply: FastifyReply, made: WithToken): FastifyReply {
  if (!made.ok) return refuse(reply, made);
  const { operator, token } = made;
  return secretly(reply).code(201).send({ operator, token });
}

function addSessionRoutes(app: FastifyInstance, options: OperatorRouteOptions): void {
  const { operators, authorities } = options;
  app.post<{ Body: { token: string } }>(
    '/session',
    // Who signs in is nobody yet; operators/attempts.ts limits it.
    { schema: schemas.signIn, config: { role: 'anyone' } },
    async (request, reply) => {
      // A token that cannot be one is looked at like any other: in the same time, with the same answer.
      const { name, secret } = parseOperatorToken(request.body.token.trim()) ?? {
        ...{ name: '', secret: '' },
      };
      const entered = await operators.signIn(name, secret, request.ip);
      if (!entered.ok) {
        const { kind, reason, retryMs } = entered;
        if (retryMs !== undefined) reply.header('retry-after', Math.ceil(retryMs / 1_000));
        return await sendProblem(reply, NOT_SIGNED[kind], reason);
      }
      const { session, role } = entered;
      const { token, id, endsMs } = session;
      return await secretly(reply)
        .code(201)
        .send({
          ...{ session: token, id, name: entered.name, role, endsMs },
          ...(authorities && { authorities: authorities() }),
        });
    },
  );
  app.get('/session', { schema: schemas.whoAmI, config: { role: 'viewer' } }, (request) => {
    const actor = actorOf(request);
    const { name, role, session: id } = actor;
    return { name, role, id, endsMs: operators.endsMs(actor) };
  });
  app.delete(
    '/session',
    { schema: schemas.signOut, config: { role: 'viewer' } },
    (request, reply) => {
      const actor = actorOf(request);
      if (actor.session === TOKEN_HOLDER) return sendProblem(reply, 409, NO_SESSION);
      operators.signOut(actor, request.ip);
      return reply.send({ ended: actor.session });
    },
  );
}

export function addOperatorRoutes(app: FastifyInstance, options: OperatorRouteOptions): void {
  const { operators } = options;
  addSessionRoutes(app, options);
  app.get('/operators', { schema: schemas.list, config: { role: 'admin' } }, () => ({
    operators: operators.list(),
  }));
  app.post<{ Body: { name: string; role: Role } }>(
    '/operators',
    { schema: schemas.add, config: { role: 'admin' } },
    async (request, reply) => {
      const { name, role } = request.body;
      return await sendToken(reply, await operators.add(name, role, byOf(request)));
    },
  );
  app.patch<Named & { Body: { role?: Role; enabled?: boolean } }>(
    '/operators/:name',
    { schema: schemas.change, config: { role: 'admin' } },
    (request, reply) => {
      const changed = operators.change(request.params.name, request.body, byOf(request));
      return changed.ok ? changed.operator : refuse(reply, changed);
    },
  );
  app.post<Named>(
    '/operators/:name/token',
    { schema: schemas.newToken, config: { role: 'admin' } },
    async (request, reply) =>
      await sendToken(reply, await operators.newToken(request.params.name, byOf(request))),
  );
}
