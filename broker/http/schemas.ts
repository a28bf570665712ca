// JSON schemas of the routes. Nothing is coerced, filled in or removed silently: a query is text and is
// checked as text, an unknown field is an error with its name.

import { LOG_ANSWER_BYTES_MAX, LOG_COMPONENTS_MAX } from '../../protocol/limits.ts';

export const LIMIT_MAX = 1_000;
export const LIMIT_DEFAULT = 100;

/** Names in paths and queries are looked up, not believed; longer ones exist nowhere. */
const name = { type: 'string', minLength: 1, maxLength: 100 } as const;
const limit = {
  type: 'string',
  pattern: '^([1-9][0-9]{0,2}|1000)$',
  description: `1 to ${LIMIT_MAX}`,
} as const;
/** Up to 2^53: what a row id can be. */
const rowId = { type: 'string', pattern: '^[0-9]{1,15}$' } as const;

const query = (properties: Record<string, object>) =>
  ({ type: 'object', additionalProperties: false, properties }) as const;
const answer = (...fields: readonly string[]) =>
  ({ type: 'object', required: fields, additionalProperties: true }) as const;
const params = {
  type: 'object',
  required: ['id'],
  additionalProperties: false,
  properties: { id: name },
} as const;

export const schemas = {
  health: { querystring: query({}), response: { 200: answer('status') } },
  metrics: { querystring: query({}), response: { 200: { type: 'string' } } },
  fleet: {
    querystring: query({}),
    response: { 200: answer('terminals', 'versions', 'states', 'restarts', 'agentStarts') },
  },
  terminals: { querystring: query({}), response: { 200: answer('terminals') } },
  terminal: { params, querystring: query({}), response: { 200: answer('id', 'presence') } },
  events: {
    querystring: query({ terminal: name, kind: name, after: rowId, limit }),
    response: { 200: answer('events', 'next') },
  },
  createCommand: {
    params,
    querystring: query({}),
    body: {
      type: 'object',
      required: ['kind', 'arguments'],
      additionalProperties: false,
      properties: {
        kind: { type: 'string', minLength: 1, maxLength: 64 },
        arguments: { type: 'object' },
        // Needed; commands/request.ts says in a plain sentence what of it.
        reason: { type: 'string' },
        operator: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}$' },
        expiresMs: { type: 'integer', minimum: 1_000, maximum: 604_800_000 },
      },
    },
    response: { 202: answer('id', 'state') },
  },
  command: { params, querystring: query({}), response: { 200: answer('id', 'state', 'history') } },
  askLogs: {
    params,
    querystring: query({}),
    body: {
      type: 'object',
      required: ['sinceMs', 'untilMs'],
      additionalProperties: false,
      properties: {
        components: { type: 'array', maxItems: LOG_COMPONENTS_MAX, items: name },
        sinceMs: { type: 'integer', minimum: 0 },
        untilMs: { type: 'integer', minimum: 0 },
        bytesMax: { type: 'integer', minimum: 1, maximum: LOG_ANSWER_BYTES_MAX },
        // Needed, as with commands.
        reason: { type: 'string' },
        operator: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}$' },
        expiresMs: { type: 'integer', minimum: 1_000, maximum: 604_800_000 },
      },
    },
    response: { 202: answer('id', 'state') },
  },
  logRequests: { querystring: query({}), response: { 200: answer('requests') } },
  logRequest: { params, querystring: query({}), response: { 200: answer('id', 'state', 'bytes') } },
  logContent: { params, querystring: query({ offset: rowId }) },
  audit: { querystring: query({ limit }), response: { 200: answer('entries') } },
} as const;
