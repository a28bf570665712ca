// The HTTP side of the broker: health and metrics for machines, the API for people and their tools.
// Fastify with every limit said: body, time for a request and for an answer, idle connections. Nothing
// is trusted that comes in, and no stack leaves.

import type { AddressInfo } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Audit } from '../audit.ts';
import type { Timers } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import { addBlindGate, addGate, eitherOf, oneToken } from './auth.ts';
import { addCommandRoutes, type CommandRouteOptions } from './command-routes.ts';
import { addHistoryRoutes, type HistoryRouteOptions } from './history-routes.ts';
import { createLive, type LiveOptions } from './live.ts';
import { addLiveRoute } from './live-route.ts';
import { addLogRoutes, type LogRouteOptions } from './log-routes.ts';
import { addDescription, addDescriptionRoute } from './openapi.ts';
import { addOperatorRoutes, type OperatorRouteOptions } from './operator-routes.ts';
import { createErrorHandler, PROBLEM_TYPE, problem, sendProblem } from './problem.ts';
import { auditRefusal, isAudited } from './refusals.ts';
import { addHealthRoutes, addReadRoutes, type ReadOptions } from './routes.ts';
import { addScrapeRoute, type ScrapeOptions } from './scrape.ts';
import { addSinkRoutes, type SinkRouteOptions } from './sink-routes.ts';

export const BODY_BYTES_MAX = 64 * 1024;
/** A request must be here, and its answer on the way, within these. */
const REQUEST_MS_MAX = 10_000;
const ANSWER_MS_MAX = 10_000;
const KEEP_ALIVE_MS = 5_000;
/** On stop, answers under way get so long; then their connections are closed. */
const STOP_GRACE_MS = 500;
/** Open connections; scrapers and consoles are few, and each more is refused at once. */
const CONNECTIONS_MAX = 1_000;

export type HttpOptions = ReadOptions &
  CommandRouteOptions &
  LogRouteOptions &
  LiveOptions &
  ScrapeOptions &
  HistoryRouteOptions &
  OperatorRouteOptions &
  SinkRouteOptions & {
    readonly host: string;
    readonly port: number;
    /** The one token of a broker in plain text; without it only who signed in is somebody. */
    readonly token?: string | undefined;
    readonly audit: Pick<Audit, 'list' | 'refuse'>;
    readonly metrics: Pick<Metrics, 'registry' | 'httpRequests' | 'liveDropped' | 'watch'>;
    readonly timers: Pick<Timers, 'after' | 'every'>;
    readonly log: Log;
  };

export type Http = { readonly port: number; readonly stop: () => Promise<void> };

/** A request that is not even HTTP gets the same shape of answer, by hand. */
const BAD_REQUEST = JSON.stringify(problem(400, 'this is not a valid HTTP request'));

function newServer(): FastifyInstance {
  return fastify({
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
  });
}

/** Everything but listening; tests inject requests into it. */
export function buildServer(options: HttpOptions): FastifyInstance {
  const { audit, metrics, log, token } = options;
  const app = newServer();
  const fromSession = options.operators.authenticate;
  addGate(app, token === undefined ? fromSession : eitherOf(oneToken(token), fromSession));
  app.setErrorHandler(createErrorHandler(log));
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, 404, 'there is nothing here'));
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    metrics.httpRequests(route, reply.statusCode);
    if (isAudited(request.method, reply.statusCode)) {
      auditRefusal(audit, request, reply.statusCode);
    }
    done();
  });
  const live = createLive(options);
  metrics.watch({ liveClients: live.clients });
  addDescription(app);
  app.register((open, _options, done) => {
    addHealthRoutes(open, options);
    addScrapeRoute(open, options);
    done();
  });
  app.register(
    (open, _options, done) => {
      addDescriptionRoute(open);
      done();
    },
    { prefix: '/api/v1' },
  );
  app.register(
    (api, _options, done) => {
      addBlindGate(api);
      api.setNotFoundHandler((_request, reply) => sendProblem(reply, 404, 'there is nothing here'));
      addReadRoutes(api, options);
      addHistoryRoutes(api, options);
      addSinkRoutes(api, options);
      addLiveRoute(api, live, options);
      addOperatorRoutes(api, options);
      addCommandRoutes(api, options);
      addLogRoutes(api, options);
      done();
    },
    { prefix: '/api/v1' },
  );
  return app;
}

const reasonOf = (cause: NodeJS.ErrnoException, { host, port }: HttpOptions): string => {
  if (cause.code === 'EADDRINUSE') {
    return `http.port: ${host}:${port} is taken by another program; stop it or choose another port`;
  }
  if (cause.code === 'EACCES')
    return `http.port: ${host}:${port} needs rights that this user lacks`;
  return `http: cannot listen on ${host}:${port}: ${cause.message}`;
};

export async function startHttp(options: HttpOptions): Promise<Result<Http>> {
  const app = buildServer(options);
  app.server.maxConnections = CONNECTIONS_MAX;
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (cause) {
    await app.close();
    return fail(reasonOf(cause as NodeJS.ErrnoException, options));
  }
  const { port } = app.server.address() as AddressInfo;
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    const cancel = options.timers.after(STOP_GRACE_MS, () => app.server.closeAllConnections());
    await app.close();
    cancel();
  };
  return ok({
    port,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  });
}
