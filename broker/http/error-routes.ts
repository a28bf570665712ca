// Which kinds of errors the fleet has, over HTTP. Anybody who may look at the fleet may see them: samples have passed
// the redactor of their terminal, and names of people and cards are not in them.

import type { FastifyInstance } from 'fastify';
import type { ErrorQuery } from '../errors/ask.ts';
import type { Errors } from '../errors/errors.ts';
import { sendProblem } from './problem.ts';
import { LIMIT_DEFAULT } from './schema-parts.ts';
import { errorSchemas } from './schemas-errors.ts';
import { readTime, unreadableTime } from './times.ts';

export type ErrorRouteOptions = {
  /** None: there is no such route. */
  readonly errors?: Pick<Errors, 'askInSteps'>;
  readonly nowMs: () => number;
};

type Question = {
  Querystring: Omit<ErrorQuery, 'sinceMs' | 'untilMs' | 'limit'> & {
    readonly sinceMs?: string;
    readonly untilMs?: string;
    readonly limit?: string;
  };
};

/** A question that names no time is of a day. */
const SPAN_MS = 24 * 3_600_000;
/** More than is kept, and few enough hours to look into each. */
const SPAN_MS_MAX = 400 * SPAN_MS;
const BACKWARDS = 'untilMs: must not be before sinceMs';
const TOO_MANY = 'too many ask for kinds of errors just now: try again in a moment';
const TOO_LONG = 'sinceMs: at most 400 days before untilMs';

export function addErrorRoutes(app: FastifyInstance, { errors, nowMs }: ErrorRouteOptions): void {
  if (errors === undefined) return;
  app.get<Question>(
    '/errors',
    { schema: errorSchemas.list, config: { role: 'viewer' } },
    async (request, reply) => {
      const { sinceMs: since, untilMs: until, limit, ...filters } = request.query;
      const untilMs = readTime(until) ?? nowMs();
      if (Number.isNaN(untilMs)) return sendProblem(reply, 400, unreadableTime('untilMs'));
      const sinceMs = readTime(since) ?? untilMs - SPAN_MS;
      if (Number.isNaN(sinceMs)) return sendProblem(reply, 400, unreadableTime('sinceMs'));
      if (untilMs < sinceMs) return sendProblem(reply, 400, BACKWARDS);
      if (untilMs - sinceMs > SPAN_MS_MAX) return sendProblem(reply, 400, TOO_LONG);
      const asked = { ...filters, sinceMs, untilMs, limit: Number(limit ?? LIMIT_DEFAULT) };
      return (await errors.askInSteps(asked)) ?? sendProblem(reply, 503, TOO_MANY);
    },
  );
}
