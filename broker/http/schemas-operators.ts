// What signing in and the list of operators take and answer (operator-routes.ts).

import { ROLES } from '../../protocol/catalogue.ts';
import { OPERATOR_PATTERN } from '../../protocol/operators.ts';
import { answerOf, body, problems, query, type Refusal } from './schema-parts.ts';

const text = { type: 'string' } as const;
const timeMs = { type: 'number', description: 'milliseconds since 1970' } as const;
const role = { type: 'string', enum: [...ROLES] } as const;
const enabled = { type: 'boolean' } as const;
const name = { type: 'string', minLength: 1, maxLength: 64 } as const;
const shape = (properties: Record<string, object>, ...required: readonly string[]) => ({
  ...{ type: 'object', additionalProperties: true, required, properties },
});

const session = {
  name: text,
  role,
  id: { type: 'string', description: 'of the session, as it stands in the audit log' },
  endsMs: { ...timeMs, description: 'at the latest; two hours without use end it, too' },
};
const authorities = {
  ...{ type: 'array', items: text },
  description: 'PEM of those that the certificate of this broker may be of',
};
const operator = shape(
  {
    ...{ name: text, role, enabled, createdMs: timeMs, createdBy: text, changedMs: timeMs },
    signedInMs: { ...timeMs, description: 'last' },
  },
  ...['name', 'role', 'enabled', 'createdMs', 'createdBy', 'changedMs'],
);
const token = { type: 'string', description: 'shown once, and kept nowhere' };
const withToken = shape({ operator, token }, 'operator', 'token');

const json = (schema: object, description: string) =>
  answerOf('application/json', schema, description);
const params = {
  ...{ type: 'object', required: ['name'], additionalProperties: false },
  properties: { name: { ...name, description: 'of an operator' } },
} as const;

type Refusals = readonly Refusal[];
const words = (summary: string) => ({
  tags: ['operators'] as const,
  summary,
  querystring: query({}),
});
const signedIn = { security: [{ bearer: [] }] };
const answers = (status: number, answer: object, ...refusals: Refusals) => ({
  response: { [status]: answer, ...problems(400, ...refusals, 500, 503) },
});

export const operatorSchemas = {
  signIn: {
    ...words('Sign in: what it answers is sent with every other request'),
    security: [],
    body: body({ token: { ...text, minLength: 1, maxLength: 200 } }, 'token'),
    ...answers(
      201,
      json(
        shape({ session: text, ...session, authorities }, 'session', ...Object.keys(session)),
        'A session.',
      ),
      ...([401, 413, 415, 422, 429] as const),
    ),
  },
  whoAmI: {
    ...{ ...words('Who is signed in'), ...signedIn },
    ...answers(200, json(shape(session, 'name', 'role', 'id'), 'You.'), 401, 403),
  },
  signOut: {
    ...{ ...words('Sign out: the session ends at once'), ...signedIn },
    ...answers(200, json(shape({ ended: text }, 'ended'), 'It has ended.'), 401, 403, 409),
  },
  list: {
    ...{ ...words('Who the operators are'), ...signedIn },
    ...answers(
      200,
      json(shape({ operators: { type: 'array', items: operator } }, 'operators'), 'All of them.'),
      ...([401, 403] as const),
    ),
  },
  add: {
    ...{ ...words('Add an operator'), ...signedIn },
    body: body({ name: { ...name, pattern: OPERATOR_PATTERN.source }, role }, ...['name', 'role']),
    ...answers(201, json(withToken, 'With the token.'), 401, 403, 409, 413, 415, 422),
  },
  change: {
    ...{ ...words('Change the role of an operator, or disable or enable one'), ...signedIn },
    params,
    body: body({ role, enabled }),
    ...answers(200, json(operator, 'As it is now.'), 401, 403, 404, 409, 413, 415, 422),
  },
  newToken: {
    ...{ ...words('Make a new token: the old one and its sessions end'), ...signedIn },
    params,
    ...answers(201, json(withToken, 'With the token.'), 401, 403, 404),
  },
} as const;
