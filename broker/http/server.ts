// The HTTP side of the broker: health and metrics for machines, the API for people and their tools.
// What may be asked and by whom stands in the files of the routes; the server itself is made in app.ts, and gets its TLS
// in secure.ts.

import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { fail, ok, type Result } from '../../protocol/result.ts';
import type { Audit } from '../audit.ts';
import type { Clock, Timers } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import type { Log } from '../ports.ts';
import { newServer } from './app.ts';
import { type AuditRouteOptions, addAuditRoutes } from './audit-routes.ts';
import { addBlindGate, addGate, eitherOf, oneToken } from './auth.ts';
import { addBulkRoutes, type BulkRouteOptions } from './bulk-routes.ts';
import { addCommandRoutes, type CommandRouteOptions } from './command-routes.ts';
import { addConfigurationRoutes, type ConfigurationRouteOptions } from './configuration-routes.ts';
import { addEnrolmentRoutes, type EnrolmentRouteOptions } from './enrolment-routes.ts';
import { addErrorRoutes, type ErrorRouteOptions } from './error-routes.ts';
import { addHistoryRoutes, type HistoryRouteOptions } from './history-routes.ts';
import { addIdentityRoutes, type IdentityRouteOptions } from './identity-routes.ts';
import { addRequestLimit, CONNECTIONS_MAX } from './limits.ts';
import { createLive, type LiveOptions } from './live.ts';
import { addLiveRoute } from './live-route.ts';
import { addLogRoutes, type LogRouteOptions } from './log-routes.ts';
import { addMaintenanceRoutes, type MaintenanceRouteOptions } from './maintenance-routes.ts';
import { addDescription, addDescriptionRoute } from './openapi.ts';
import { addOperatorRoutes, type OperatorRouteOptions } from './operator-routes.ts';
import { createErrorHandler, sendProblem } from './problem.ts';
import { auditRefusal, isAudited } from './refusals.ts';
import { addHealthRoutes, addReadRoutes, type ReadOptions } from './routes.ts';
import { addScrapeRoute, type ScrapeOptions } from './scrape.ts';
import { type HttpSecurity, secureApp } from './secure.ts';
import { addSinkRoutes, type SinkRouteOptions } from './sink-routes.ts';
import { addStoreRoutes, type StoreRouteOptions } from './store-routes.ts';
import { addTargetRoutes, type TargetRouteOptions } from './target-routes.ts';

/** On stop, answers under way get so long; then their connections are closed. */
const STOP_GRACE_MS = 500;
export type HttpOptions = ReadOptions &
  CommandRouteOptions &
  BulkRouteOptions &
  ConfigurationRouteOptions &
  LogRouteOptions &
  LiveOptions &
  ScrapeOptions &
  HistoryRouteOptions &
  ErrorRouteOptions &
  OperatorRouteOptions &
  EnrolmentRouteOptions &
  IdentityRouteOptions &
  AuditRouteOptions &
  StoreRouteOptions &
  SinkRouteOptions &
  TargetRouteOptions &
  MaintenanceRouteOptions & {
    readonly host: string;
    readonly port: number;
    /** The one token of a broker in plain text; without it only who signed in is somebody. */
    readonly token?: string | undefined;
    readonly audit: Pick<Audit, 'refuse'>;
    readonly metrics: Pick<Metrics, 'registry' | 'httpRequests' | 'liveDropped' | 'watch'>;
    readonly timers: Pick<Timers, 'after' | 'every'>;
    readonly log: Log;
    /** TLS and its limits; without it the port is plain text and on loopback. */
    readonly security?: (HttpSecurity & { readonly clock: Pick<Clock, 'monotonicMs'> }) | undefined;
  };

export type Http = { readonly port: number; readonly stop: () => Promise<void> };

/** Everything but listening; tests inject requests into it. */
export function buildServer(options: HttpOptions): FastifyInstance {
  const { audit, metrics, log, token, security } = options;
  const app = newServer(security);
  if (security !== undefined) addRequestLimit(app, security.limits, security.clock);
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
  options.notices?.onNotice((notice) => live.announce('notice', notice));
  metrics.watch({ liveClients: live.clients });
  addDescription(app);
  app.register((open, _options, done) => {
    addHealthRoutes(open, options);
    addScrapeRoute(open, options);
    addEnrolmentRoutes(open, options);
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
      addErrorRoutes(api, options);
      addSinkRoutes(api, options);
      addStoreRoutes(api, options);
      addLiveRoute(api, live, options);
      addOperatorRoutes(api, options);
      addCommandRoutes(api, options);
      addBulkRoutes(api, options);
      addConfigurationRoutes(api, options);
      addTargetRoutes(api, options);
      addMaintenanceRoutes(api, options);
      addLogRoutes(api, options);
      addIdentityRoutes(api, options);
      addAuditRoutes(api, options);
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
  const unsecure = options.security && secureApp(app, options.security);
  try {
    // With one port for both, a chain that comes back comes here.
    await app.listen({ host: options.host, port: options.port, backlog: 1024 });
  } catch (cause) {
    await app.close();
    return fail(reasonOf(cause as NodeJS.ErrnoException, options));
  }
  const { port } = app.server.address() as AddressInfo;
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    unsecure?.();
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
