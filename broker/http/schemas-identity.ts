// What the routes of enrolment and of a terminal's life take and answer (enrolment-routes.ts, identity-routes.ts).

import { TOKEN_MINUTES_MAX, TOKENS_AT_ONCE_MAX } from '../identity/tokens.ts';
import { IDENTITY_STATES } from '../identity/types.ts';
import {
  answerOf,
  body,
  named,
  operator,
  params,
  problems,
  query,
  reason,
} from './schema-parts.ts';

const text = { type: 'string' } as const;
const timeMs = { type: 'number', description: 'milliseconds since 1970' } as const;
const shape = (properties: Record<string, object>, ...optional: readonly string[]) => ({
  ...{ type: 'object', additionalProperties: true, properties },
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

export const identityShape = shape(
  {
    state: { type: 'string', enum: [...IDENTITY_STATES] },
    sinceMs: { ...timeMs, description: 'when it came to that' },
    by: { type: 'string', description: 'who did it' },
    reason: text,
    serial: { type: 'string', description: 'of its newest certificate' },
    expiresMs: { ...timeMs, description: 'when that ends' },
    trust: { type: 'integer', minimum: 0, description: 'version of what it trusts, as it said' },
    twin: {
      ...shape({ sign: text, sinceMs: timeMs, sentence: text }),
      description: 'why it looks like two machines with one identity',
    },
  },
  ...['sinceMs', 'serial', 'expiresMs', 'twin'],
);

const token = shape({
  token: { type: 'string', description: 'shown once, and kept nowhere' },
  id: { type: 'string', description: 'which token it is, as in the audit log' },
  ...{ terminal: text, store: text, expiresMs: timeMs },
});
const minutes = {
  ...{ type: 'integer', minimum: 1, maximum: TOKEN_MINUTES_MAX },
  description: 'how long it is good; enrolment.tokenMinutes unless given',
} as const;
const again = {
  ...{ type: 'boolean' },
  description: 'also when it is enrolled: its certificate is good until the token is used',
} as const;
const store = named('id of a store');

const REFUSALS = [400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503] as const;
const json = (schema: object, description: string) =>
  answerOf('application/json', schema, description);

const route = (summary: string, status: 200 | 201, answer: object) => ({
  ...{ tags: ['identities'] as const, summary, security: [{ bearer: [] }], querystring: query({}) },
  response: { [status]: answer, ...problems(...REFUSALS) },
});
const one = json(token, 'The token.');
const act = (summary: string) => ({
  ...route(summary, 200, json(shape({ terminal: text, identity: identityShape }), 'As it is now.')),
  params,
  body: body({ reason, operator }),
});

const requestOfTerminal = (summary: string) => ({
  ...{ tags: ['identities'] as const, summary, security: [], querystring: query({}) },
  description: 'For terminals. What it takes and answers: protocol/enrolment.ts.',
  response: {
    200: json({ type: 'object', additionalProperties: true }, 'A certificate, and whom to trust.'),
    ...problems(400, 403, 409, 413, 415, 429, 500, 503),
  },
});

export const identitySchemas = {
  enrol: requestOfTerminal('Enrol with a token'),
  renew: requestOfTerminal('Renew a certificate, signed with its key'),
  token: {
    ...route('Make an enrolment token for a terminal; older ones are over', 201, one),
    params,
    body: body({ store, minutes, again, reason, operator }, 'store'),
  },
  tokens: {
    ...route(
      'Make enrolment tokens for many terminals: for all or for none',
      201,
      json(shape({ tokens: { type: 'array', items: token } }), 'The tokens, in the same order.'),
    ),
    body: body(
      {
        terminals: {
          ...{ type: 'array', minItems: 1, maxItems: TOKENS_AT_ONCE_MAX },
          items: body({ terminal: named('id of a terminal'), store }, 'terminal', 'store'),
        },
        ...{ minutes, again, reason, operator },
      },
      'terminals',
    ),
  },
  replace: {
    ...route('Take back what a terminal has, and make a token for the next machine', 201, one),
    params,
    body: body({ minutes, reason, operator }),
  },
  move: {
    ...act('Say that a terminal stands in another store'),
    body: body({ store, reason, operator }, 'store'),
  },
  suspend: act('Suspend a terminal: no data, no commands, until it is resumed'),
  resume: act('End the suspension of a terminal'),
  revoke: act('Revoke a terminal: cut off at once and for ever'),
  retire: act('Retire a terminal: it leaves the fleet, and its history stays'),
  acceptMachine: act('Say that the machine that a terminal is on now is the right one'),
} as const;
