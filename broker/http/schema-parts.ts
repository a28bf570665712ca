// The parts that the schemas of the routes are put together from: names, times, pages and refusals, each with the
// words that describe it.

import { EVENT_KINDS } from '../../protocol/events.ts';
import type { ShapeName } from './shapes.ts';

export const LIMIT_MAX = 1_000;
export const LIMIT_DEFAULT = 100;

/** What routes are sorted under. */
export const TAGS = {
  health: 'For machines that watch the broker; no token.',
  fleet: 'Terminals, and what they add up to.',
  events: 'What happened on the terminals.',
  commands: 'What can be done, and what became of it.',
  bulk: 'One command for many terminals, in waves; and what all operators are told.',
  logs: 'Log lines of components, asked for from a terminal.',
  audit: 'Who did what, and why.',
  operators: 'Signing in, and who may.',
  identities: 'Who belongs to the fleet: enrolment, certificates, moves and ends.',
} as const;

/** Names in paths and queries are looked up, not believed; longer ones exist nowhere. */
export const name = { type: 'string', minLength: 1, maxLength: 100 } as const;
export const named = (description: string) => ({ ...name, description });
export const limit = {
  type: 'string',
  pattern: '^([1-9][0-9]{0,2}|1000)$',
  description: `1 to ${LIMIT_MAX}; ${LIMIT_DEFAULT} unless given`,
} as const;
/** Up to 2^53: what a row id can be. */
export const rowId = { type: 'string', pattern: '^[0-9]{1,15}$' } as const;
export const time = (description: string) => ({
  type: 'string',
  maxLength: 40,
  description: `${description}: milliseconds since 1970, or 2026-01-31T12:00:00Z`,
});
export const kind = named(`such as ${EVENT_KINDS.join(', ')}`);
export const where = { terminal: named('id of a terminal'), store: named('id of a store') };
export const reason = {
  type: 'string',
  description: 'why: needed, and kept in the audit log',
} as const;
export const operator = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}$',
  description: 'who asks, for the audit log',
} as const;
export const expiresMs = { type: 'integer', minimum: 1_000, maximum: 604_800_000 } as const;

export const query = (properties: Record<string, object>) =>
  ({ type: 'object', additionalProperties: false, properties }) as const;
export const body = (properties: Record<string, object>, ...required: readonly string[]) =>
  ({ type: 'object', required, additionalProperties: false, properties }) as const;
export const params = {
  type: 'object',
  required: ['id'],
  additionalProperties: false,
  properties: { id: name },
} as const;

export const PROBLEMS = {
  400: 'The address, the query or the JSON cannot be read; the detail says what.',
  401: 'Nobody is signed in: the session or token is missing, wrong or has ended.',
  403: 'Your role is too low; the detail names the one that is needed.',
  404: 'There is no such thing.',
  409: 'It is not in a state in which that can be done; the detail says in which.',
  410: 'It was kept long enough and is deleted.',
  413: 'The body is too large.',
  415: 'The body is not JSON.',
  416: 'So much has not arrived.',
  422: 'What is asked for is not possible; the detail says why.',
  429: 'This terminal has too many that are not finished.',
  500: 'The broker failed at it; its log says why.',
  503: 'Not now; try again.',
} as const;
export type Refusal = keyof typeof PROBLEMS;

export const answerOf = (type: string, schema: object, description: string) => ({
  description,
  content: { [type]: { schema } },
});
export const json = (shape: ShapeName, description: string) =>
  answerOf('application/json', { $ref: `${shape}#` }, description);
export const plain = (description: string, type = 'text/plain') =>
  answerOf(type, { type: 'string' }, description);
export const problems = (...statuses: readonly Refusal[]) =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      answerOf('application/problem+json', { $ref: 'Problem#' }, PROBLEMS[status]),
    ]),
  );

export type Words = {
  readonly tags: readonly [keyof typeof TAGS];
  readonly summary: string;
  readonly description?: string;
};

/** Without a token. */
export const open = (words: Words, answer: object) => ({
  ...words,
  security: [],
  querystring: query({}),
  response: { 200: answer, ...problems(400, 500, 503) },
});
export const read = (words: Words, answer: object, ...refusals: readonly Refusal[]) => ({
  ...words,
  security: [{ bearer: [] }],
  querystring: query({}),
  response: { 200: answer, ...problems(400, 401, 403, ...refusals, 500, 503) },
});
/** The same route where it is not open to anyone. */
export const behind = <T extends { readonly response: object }>(role: string, schema: T) =>
  role === 'anyone'
    ? schema
    : {
        ...schema,
        security: [{ bearer: [] }],
        response: { ...schema.response, ...problems(401, 403) },
      };
export const act = (words: Words, answer: object) => ({
  ...words,
  security: [{ bearer: [] }],
  params,
  querystring: query({}),
  response: { 202: answer, ...problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503) },
});
