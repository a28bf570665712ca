// One bearer token for the whole API until operators have accounts: random, in a file that only the
// broker's user reads. Compared as hashes in constant time, so that neither its length nor how much of
// it was right can be measured [RFC 6750].

import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from './problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether it showed the token; only then is what it says of itself believed. */
    isOperator: boolean;
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const MISSING = 'send the token: Authorization: Bearer <the text in the file api-token>';
const WRONG = 'this is not the token of this broker';

/** @returns a hook that lets a request pass, or answers it with 401. */
export function createAuth(token: string) {
  const expected = digest(token);
  return async (
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply | undefined> => {
    const [scheme = '', given] = (request.headers.authorization ?? '').split(' ', 2);
    const isBearer = scheme.toLowerCase() === 'bearer' && given !== undefined;
    request.isOperator = isBearer && timingSafeEqual(digest(given), expected);
    if (request.isOperator) return undefined;
    const why = isBearer ? WRONG : MISSING;
    reply.header('www-authenticate', 'Bearer realm="tillwatch"');
    return await sendProblem(reply, 401, why);
  };
}
