// Who asks, and whether they may: every route says which role it needs (`config: { role }`), and one that does not say
// keeps the broker from starting, so that none is open by mistake. Who asks is found anew at each request, from a
// session of a named operator or, with `plainText` only, from the one token of this broker: a role that was
// taken away is gone at once; also for a request whose body comes later, and for an answer that is still being read. The one token is compared as hashes in constant time [RFC 6750].

import { createHash, timingSafeEqual } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isAllowed, type Role } from '../../protocol/catalogue.ts';
import { sendProblem } from './problem.ts';

/** `anyone`: without signing in; say why beside it. */
export type RouteRole = Role | 'anyone';

export type Actor = {
  readonly name: string;
  readonly role: Role;
  /** Names the session, and is no secret: it stands in records. */
  readonly session: string;
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use it; a route without does not start. */
    role?: RouteRole;
  }
  interface FastifyRequest {
    /** Who asks; undefined while nobody has proved to be somebody. */
    actor: Actor | undefined;
  }
}

/** Who acts with the one token of a broker in plain text, when the body does not say. */
export const TOKEN_HOLDER = 'api-token';

/** Whose it is cannot be looked at just now. */
export type NotNow = {
  readonly status: 429 | 503;
  readonly reason: string;
  readonly retryMs: number;
};
type Found = Actor | NotNow | undefined;
/** Finds out whose a bearer token is; at once for a session, because it is asked at every request. */
export type Authenticate = (token: string, address: string) => Found | Promise<Found>;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The one token of a broker in plain text: an admin without a name. */
export function oneToken(token: string): Authenticate {
  const expected = digest(token);
  const holder: Actor = { name: TOKEN_HOLDER, role: 'admin', session: TOKEN_HOLDER };
  return (given) => (timingSafeEqual(digest(given), expected) ? holder : undefined);
}

/** Asks one after the other. */
export const eitherOf =
  (...ways: readonly Authenticate[]): Authenticate =>
  (token, address) => {
    for (const way of ways) {
      const found = way(token, address);
      if (found !== undefined) return found;
    }
    return undefined;
  };

/** @returns what was sent as "Authorization: Bearer ..."; undefined without. */
export function bearerOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const [scheme = '', given] = (headers.authorization ?? '').split(' ', 2);
  return scheme.toLowerCase() === 'bearer' && given !== '' ? given : undefined;
}

/**
 * By which name it is written down. Only the one token, which has no name of its own, may say another: whoever
 * signed in acts as themselves, whatever stands in a body.
 */
export function operatorOf({ actor }: Pick<FastifyRequest, 'actor'>, said?: string): string {
  if (actor === undefined) return 'unknown';
  return actor.session === TOKEN_HOLDER ? said || TOKEN_HOLDER : actor.name;
}

const MISSING =
  'sign in first (tillwatch login), and send what you got: Authorization: Bearer <session>; ' +
  'with plainText it is the text in the file api-token';
const MISSING_SCRAPER =
  'only operators may read this. For Prometheus, run "tillwatch operators add prometheus --role viewer", put what it ' +
  'prints into a file, and name that under authorization: credentials_file; or set http.metrics: public';
const WRONG = 'this is no session or token of this broker, or it has ended: sign in again';

const tooLow = (actor: Actor, needed: Role): string =>
  `this needs the role ${needed}, and ${actor.name} has the role ${actor.role}: ` +
  'ask somebody with the role admin';

function refuseUnknown(reply: FastifyReply, why: string): FastifyReply {
  reply.header('www-authenticate', 'Bearer realm="tillwatch"');
  return sendProblem(reply, 401, why);
}

function refuseNow(reply: FastifyReply, { status, reason, retryMs }: NotNow): void {
  reply.header('retry-after', Math.ceil(retryMs / 1_000));
  sendProblem(reply, status, reason);
}

/** @returns true where it may go on; else it has been answered. */
function admit(request: FastifyRequest, reply: FastifyReply, needed: RouteRole): boolean {
  const { actor } = request;
  if (needed === 'anyone') return true;
  if (actor === undefined) {
    const isScraper = request.routeOptions.url?.startsWith('/metrics') === true;
    const missing = isScraper ? MISSING_SCRAPER : MISSING;
    refuseUnknown(reply, bearerOf(request) === undefined ? missing : WRONG);
    return false;
  }
  if (isAllowed(actor.role, needed)) return true;
  sendProblem(reply, 403, tooLow(actor, needed));
  return false;
}

/** An address that has no route passes to its 404. */
const neededBy = (request: FastifyRequest): RouteRole =>
  request.is404 ? 'anyone' : (request.routeOptions.config.role ?? 'admin');

/** What is read slowly ends with the right to read it. */
function whileAllowed(whole: Readable, request: FastifyRequest, authenticate: Authenticate) {
  const token = bearerOf(request);
  const needed = neededBy(request);
  const may = async (): Promise<boolean> => {
    const found = token === undefined ? undefined : await authenticate(token, request.ip);
    return (
      found !== undefined && 'role' in found && needed !== 'anyone' && isAllowed(found.role, needed)
    );
  };
  async function* parts() {
    for await (const part of whole as AsyncIterable<Buffer>) {
      if (!(await may())) throw new Error('who reads this may not any more');
      yield part;
    }
  }
  const allowed = Readable.from(parts(), { objectMode: false });
  // Also where nobody has begun to read.
  return allowed.once('close', () => void whole.destroy());
}

/** Call it before any route is added. */
export function addGate(app: FastifyInstance, authenticate: Authenticate): void {
  const silent: string[] = [];
  app.decorateRequest('actor', undefined);
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.role === undefined) silent.push(`${method} ${url}`);
  });
  app.addHook('onReady', (done) => {
    const sentence = `${silent.join(', ')}: a route says who may use it, config: { role }`;
    done(silent.length === 0 ? undefined : new Error(sentence));
  });
  const look = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
    const go = (found: Found): void => {
      if (found !== undefined && 'status' in found) refuseNow(reply, found);
      else {
        request.actor = found;
        if (admit(request, reply, neededBy(request))) done();
      }
    };
    const token = bearerOf(request);
    const found = token === undefined ? undefined : authenticate(token, request.ip);
    if (found instanceof Promise) found.then(go, done);
    else go(found);
  };
  app.addHook('onRequest', look);
  app.addHook('preHandler', (request, reply, done) => {
    // A body may take seconds, in which who sends it is disabled or gets another role.
    if (request.actor === undefined || request.body === undefined) done();
    else look(request, reply, done);
  });
  app.addHook('onSend', (request, _reply, payload, done) => {
    const isGuarded = payload instanceof Readable && neededBy(request) !== 'anyone';
    done(null, isGuarded ? whileAllowed(payload, request, authenticate) : payload);
  });
}

/** In a scope of its own: what does not exist there cannot be told apart without signing in. */
export function addBlindGate(scope: FastifyInstance): void {
  scope.addHook('onRequest', (request, reply, done) => {
    if (!request.is404 || admit(request, reply, 'viewer')) done();
  });
}
