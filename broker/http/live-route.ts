// GET /api/v1/events/live: takes the connection out of Fastify's hands, because its limits on a handler
// and on a silent connection are for answers that end. The client's place comes from Last-Event-ID, which
// an EventSource sends by itself when it comes back, or else from `after`.

import { pipeline } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Cancel } from '../clock.ts';
import { TOKEN_HOLDER } from './auth.ts';
import type { Live } from './live.ts';
import type { LiveFilter } from './live-serve.ts';
import { sendProblem } from './problem.ts';
import { schemas } from './schemas.ts';

/** When it is worth trying again after too many. */
const RETRY_AFTER_SECONDS = 30;
const ROW_ID = /^[0-9]{1,15}$/;

type LiveRequest = { Querystring: LiveFilter & { after?: string } };

/** @returns the row it has; undefined when it does not say. */
function placeOf(request: FastifyRequest<LiveRequest>): number | undefined {
  const header = request.headers['last-event-id'];
  const last = typeof header === 'string' && header !== '' ? header : request.query.after;
  return last === undefined ? undefined : ROW_ID.test(last) ? Number(last) : Number.NaN;
}

/** A stream ends with the session of who watches. */
export type LiveRouteOptions = {
  readonly operators: { readonly onSessionEnd: (session: string, tell: () => void) => Cancel };
};

export function addLiveRoute(
  app: FastifyInstance,
  live: Live,
  { operators }: LiveRouteOptions,
): void {
  // Before the server waits for its connections, which would otherwise not end.
  app.addHook('preClose', (done) => {
    live.close();
    done();
  });
  app.get<LiveRequest>(
    '/events/live',
    // A HEAD request would open a stream that nobody reads.
    { schema: schemas.live, config: { role: 'viewer' }, exposeHeadRoute: false },
    (request, reply) => {
      const after = placeOf(request);
      if (Number.isNaN(after)) {
        return sendProblem(reply, 400, 'Last-Event-ID: this is not the number of a row');
      }
      const { terminal, store, kind } = request.query;
      const { name, session = TOKEN_HOLDER } = request.actor ?? {};
      const who = session === TOKEN_HOLDER ? undefined : name;
      const opened = live.open({ terminal, store, kind }, after, who);
      if (!opened.ok) {
        if (opened.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
        return sendProblem(reply, opened.status, opened.reason);
      }
      request.raw.socket.setTimeout(0);
      reply.hijack();
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        connection: 'close',
      });
      const forget =
        session === TOKEN_HOLDER
          ? undefined
          : operators.onSessionEnd(session, () => opened.stream.destroy());
      // A client that goes away is how most streams end.
      pipeline(opened.stream, reply.raw, () => forget?.());
      return reply;
    },
  );
}
