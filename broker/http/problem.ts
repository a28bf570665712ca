// Every refusal of the API in one shape, RFC 9457 problem+json: what kind, which status, and a sentence
// for the person who reads it. Of an error of our own only that there was one leaves the broker; the
// stack stays in its log.

import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { masked } from '../masked.ts';
import type { Log } from '../ports.ts';

const DETAIL_CHARS_MAX = 500;

export type Problem = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
};

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export function problem(status: number, detail: string): Problem {
  const title = STATUS_CODES[status] ?? 'Error';
  // about:blank: the status says it all [RFC 9457 4.2.1].
  return { type: 'about:blank', title, status, detail: detail.slice(0, DETAIL_CHARS_MAX) };
}

export function sendProblem(reply: FastifyReply, status: number, detail: string): FastifyReply {
  // A string, because the route's own response schema would not know this shape.
  return reply
    .code(status)
    .header('content-type', PROBLEM_TYPE)
    .send(JSON.stringify(problem(status, detail)));
}

/** What is wrong with a body is 422, with a query or a path 400: the request itself is malformed. */
function statusOf(error: FastifyError): number {
  if (error.validation !== undefined) return error.validationContext === 'body' ? 422 : 400;
  const status = error.statusCode ?? 500;
  return status >= 400 && status <= 599 ? status : 500;
}

function detailOf(error: FastifyError, status: number): string {
  if (error.validation !== undefined) {
    return error.validation
      .map(({ instancePath, message, params }) => {
        const where = `${error.validationContext ?? 'request'}${instancePath.replaceAll('/', '.')}`;
        const allowed = params['allowedValues'];
        if (Array.isArray(allowed)) return `${where}: use one of ${allowed.join(', ')}`;
        const extra = params['additionalProperty'];
        return `${where}: ${message ?? 'is not valid'}${extra === undefined ? '' : ` (${extra})`}`;
      })
      .join('; ');
  }
  if (status === 503) return 'the broker did not answer in time, or is stopping; try again';
  return status < 500 ? error.message : 'the broker failed at this; its log says why';
}

export const createErrorHandler =
  (log: Log) =>
  (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const status = statusOf(error);
    if (status >= 500) {
      const { method } = request;
      const route = request.routeOptions.url ?? 'none';
      const { message: reason, stack } = error;
      log.error('a request failed', masked({ method, route, reason, stack }));
    }
    return sendProblem(reply, status, detailOf(error, status));
  };
