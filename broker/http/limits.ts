// What the HTTP side allows. Over TLS one address may have so many connections and ask so often; on loopback in plain
// text everybody has the same address, and whoever is there is on the machine already. X-Forwarded-For is believed
// nowhere: behind a proxy the limits are the proxy's, and these are set higher.

import type { FastifyInstance } from 'fastify';
import type { Clock } from '../clock.ts';
import { createRateLimiter } from '../mqtt/rate.ts';
import { sendProblem } from './problem.ts';

export type HttpLimits = {
  readonly connectionsPerAddress: number;
  readonly requestsPerSecond: number;
};
export const HTTP_LIMITS: HttpLimits = { connectionsPerAddress: 100, requestsPerSecond: 100 };

/** A page asks for many things at once, and then for little. */
const BURST_SECONDS = 5;
/** Open connections; scrapers and consoles are few, and each more is refused at once. */
export const CONNECTIONS_MAX = 1_000;
export const BODY_BYTES_MAX = 64 * 1024;
/** All headers of a request, and how long they may take; a cookie of ours does not exist. */
export const HEADER_BYTES_MAX = 16 * 1024;
export const HEADERS_MS_MAX = 5_000;
/** A request must be here, and its answer on the way, within these. */
export const REQUEST_MS_MAX = 10_000;
export const ANSWER_MS_MAX = 10_000;
/** How often slow ones are looked for; Node's own default is half a minute. */
export const LOOK_MS = 1_000;

const TOO_OFTEN = 'this address asks too often; wait a moment';

/** Before anything else is looked at. */
export function addRequestLimit(
  app: FastifyInstance,
  { requestsPerSecond }: HttpLimits,
  { monotonicMs }: Pick<Clock, 'monotonicMs'>,
): void {
  const burst = requestsPerSecond * BURST_SECONDS;
  const limiter = createRateLimiter({ burst, perSecond: requestsPerSecond });
  app.addHook('onRequest', (request, reply, done) => {
    const { remoteAddress = 'unknown' } = request.socket;
    if (limiter.allow(remoteAddress, monotonicMs())) done();
    else sendProblem(reply.header('retry-after', 1), 429, TOO_OFTEN);
  });
}
