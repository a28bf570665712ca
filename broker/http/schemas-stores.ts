// The schemas of the routes for stores. What a store may say is checked by the room itself (stores/shape.ts), which tells
// every problem at once; here only that it is a list of objects.

import { STORES_MAX } from '../stores/shape.ts';
import { body, json, operator, params, problems, query, read, reason } from './schema-parts.ts';

const list = {
  type: 'array',
  maxItems: STORES_MAX,
  items: { type: 'object' },
  description: 'stores as a file says them: id, region, timeZone, hours, exceptions, lanes ...',
} as const;
const prune = {
  type: 'boolean',
  description: 'also forget stores that are not among these',
} as const;
const digest = { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'as the plan said it' };

const change = (summary: string, what: string) => ({
  ...{ tags: ['fleet'], summary, security: [{ bearer: [] }], querystring: query({}) },
  response: {
    200: json('StoresPlan', what),
    ...problems(400, 401, 403, 409, 413, 415, 422, 500, 503),
  },
});

export const storeSchemas = {
  list: read(
    { tags: ['fleet'], summary: 'Stores: whether they are open, and lanes expected' },
    json('Stores', 'In the order of their ids.'),
  ),
  one: {
    ...read({ tags: ['fleet'], summary: 'One store' }, json('Store', 'As it is now.'), 404),
    params,
  },
  plan: {
    ...change('What a list of stores would change', 'The difference; nothing is done yet.'),
    body: body({ stores: list, prune, operator }, 'stores'),
  },
  apply: {
    ...change('Apply a list of stores, as it was shown', 'What was changed.'),
    body: body({ stores: list, prune, digest, reason, operator }, 'stores', 'digest'),
  },
} as const;
