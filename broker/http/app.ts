// The bare HTTP server with every limit said: body, headers, time for a request and for an answer, idle connections.
// Nothing is trusted that comes in, and no stack leaves. With or without TLS it is the same server.

import { type FastifyInstance, type FastifyServerOptions, fastify } from 'fastify';
import { httpsOptions } from '../tls/contexts.ts';
import { whenFirstAsked } from './compilers.ts';
import {
  ANSWER_MS_MAX,
  BODY_BYTES_MAX,
  HEADER_BYTES_MAX,
  HEADERS_MS_MAX,
  LOOK_MS,
  REQUEST_MS_MAX,
} from './limits.ts';
import { PROBLEM_TYPE, problem, sendProblem } from './problem.ts';
import type { HttpSecurity } from './secure.ts';

const KEEP_ALIVE_MS = 5_000;

/** A request that is not even HTTP gets the same shape of answer, by hand. */
const BAD_REQUEST = JSON.stringify(problem(400, 'this is not a valid HTTP request'));

const SLOW = {
  headersTimeout: HEADERS_MS_MAX,
  requestTimeout: REQUEST_MS_MAX,
  connectionsCheckingInterval: LOOK_MS,
  maxHeaderSize: HEADER_BYTES_MAX,
} as const;

export function newServer(security?: HttpSecurity): FastifyInstance {
  const settings: FastifyServerOptions = {
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    handlerTimeout: ANSWER_MS_MAX,
    connectionTimeout: REQUEST_MS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    trustProxy: false,
    exposeHeadRoutes: true,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 200 },
    schemaController: { compilersFactory: whenFirstAsked() },
    ajv: {
      customOptions: {
        coerceTypes: false,
        useDefaults: false,
        removeAdditional: false,
        allErrors: false,
      },
    },
    frameworkErrors: (_error, _request, reply) => {
      sendProblem(reply, 400, 'the address of this request cannot be read');
    },
    clientErrorHandler: (_error, socket) => {
      if (!socket.writable) return;
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
          `Content-Length: ${Buffer.byteLength(BAD_REQUEST)}\r\nConnection: close\r\n\r\n${BAD_REQUEST}`,
      );
    },
  };
  if (security === undefined) {
    return fastify({ ...settings, http: SLOW }) as unknown as FastifyInstance;
  }
  const https = { ...SLOW, ...httpsOptions(security.shown.now(), security.handshakeMsMax) };
  // Its types tell a server with TLS from one without; its routes do not.
  return fastify({ ...settings, https } as never) as unknown as FastifyInstance;
}
