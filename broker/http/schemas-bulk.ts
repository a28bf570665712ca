// The schemas of the routes for bulk actions and notices, in the words of schema-parts.ts.

import { TARGET_STATES } from '../bulk/model.ts';
import { BULK_TARGETS_MAX } from '../bulk/select.ts';
import { PRESENCES } from '../fleet/view.ts';
import {
  act,
  body,
  expiresMs,
  json,
  limit,
  name,
  named,
  operator,
  params,
  query,
  read,
  reason,
  rowId,
} from './schema-parts.ts';

export const selector = {
  type: 'object',
  additionalProperties: false,
  description: 'which terminals; what is said here holds for each of them',
  properties: {
    terminals: { type: 'array', minItems: 1, maxItems: BULK_TARGETS_MAX, items: name },
    store: named('id of a store'),
    version: named('COMPONENT:VERSION that it runs; the component "agent" is the agent'),
    state: named('a state that one of its components is in'),
    presence: { type: 'string', enum: [...PRESENCES] },
    region: named('a region that stores are in'),
    label: named('a label that it or its store carries'),
    all: { type: 'boolean', description: 'needed where nothing else is said' },
  },
} as const;

/** Like `act`, but of the whole fleet. */
const { params: _, ...whole } = act(
  { tags: ['bulk'], summary: 'Freeze a list of terminals for a bulk action, and show it' },
  json('Bulk', 'Nothing is done yet.'),
);
const { 202: planned, ...refusals } = whole.response;

const change = (summary: string) => ({
  ...act({ tags: ['bulk'], summary }, json('Bulk', 'How it stands.')),
  body: body({ reason, operator }),
});

export const bulkSchemas = {
  plan: {
    ...whole,
    response: { 201: planned, ...refusals },
    body: body(
      {
        kind: { type: 'string', minLength: 1, maxLength: 64 },
        arguments: { type: 'object' },
        selector,
        lastsMs: { ...expiresMs, description: 'so long terminals that are away are waited for' },
        reason,
        operator,
      },
      'kind',
      'arguments',
      'selector',
    ),
  },
  start: {
    ...act({ tags: ['bulk'], summary: 'Start what was planned' }, json('Bulk', 'It runs.')),
    body: body(
      {
        count: { type: 'integer', minimum: 1, description: 'terminals in the list, as shown' },
        confirm: { type: 'string', maxLength: 100, description: 'as the plan says it, if it does' },
        reason,
        operator,
      },
      'count',
    ),
  },
  pause: change('Begin no more of it for now'),
  resume: change('Go on with it'),
  abort: change('End it: nothing more is begun, and what was not taken is taken back'),
  list: {
    ...read({ tags: ['bulk'], summary: 'Bulk actions' }, json('Bulks', 'The newest first.')),
    querystring: query({ limit }),
  },
  one: {
    ...read(
      { tags: ['bulk'], summary: 'How far a bulk action is' },
      json('Bulk', 'How it stands.'),
      404,
    ),
    params,
  },
  targets: {
    ...read(
      { tags: ['bulk'], summary: 'The list of a bulk action' },
      json('BulkTargets', 'One page of it, in the order in which they come.'),
      404,
    ),
    params,
    querystring: query({
      state: { type: 'string', enum: [...TARGET_STATES] },
      after: { ...rowId, description: '"next" of the page before' },
      limit,
    }),
  },
  notices: {
    ...read(
      { tags: ['bulk'], summary: 'What all operators are told' },
      json('Notices', 'The oldest first.'),
    ),
    querystring: query({ after: { ...rowId, description: 'id of the last one known' }, limit }),
  },
} as const;
