// What the routes of maintenances and their recurring windows may be asked (maintenance-routes.ts).

import { MAINTENANCE_MS_MAX } from '../../protocol/limits.ts';
import { MAINTENANCE_MS_MIN } from '../maintenance/model.ts';
import { ACTIONS, RUN_STATES, WINDOW_MS_MIN } from '../maintenance/windows.ts';
import {
  act,
  body,
  json,
  limit,
  name,
  named,
  operator,
  query,
  read,
  reason,
} from './schema-parts.ts';
import { count, list, object, oneOf, text, timeMs } from './shape-parts.ts';
import type { ShapeName } from './shapes.ts';

const forMs = {
  type: 'integer',
  minimum: MAINTENANCE_MS_MIN,
  maximum: MAINTENANCE_MS_MAX,
  description: 'how long; it ends by itself then',
} as const;
const whom = { store: named('id of a store'), terminal: named('id of a terminal') };
const where = {
  type: 'object',
  additionalProperties: false,
  description: 'which stores: one of these',
  properties: {
    stores: { type: 'array', minItems: 1, maxItems: 1_000, items: name },
    ...{ region: named('of stores'), label: named('of stores'), all: { type: 'boolean' } },
  },
} as const;

/** Like `act`, but of what the body names. */
function whole(summary: string, shape: ShapeName, answer: string, status: 200 | 201 | 202) {
  const { params, ...parts } = act({ tags: ['fleet'], summary }, json(shape, answer));
  const { 202: done, ...refusals } = parts.response;
  return { params, schema: { ...parts, response: { [status]: done, ...refusals } } };
}
const started = whole('Start a maintenance, or start it anew', 'Maintenances', 'It runs.', 201);
const ended = whole('End a maintenance before its time', 'Maintenances', 'It is over.', 200);
const added = whole('Add a recurring window', 'MaintenanceWindow', 'It is added.', 201);
const removed = whole('Remove a recurring window', 'MaintenanceWindow', 'It is removed.', 200);

export const maintenanceSchemas = {
  list: {
    ...read(
      { tags: ['fleet'], summary: 'Maintenances' },
      json('Maintenances', 'Those that run, and then the newest of those that are over.'),
    ),
    querystring: query({ limit }),
  },
  start: { ...started.schema, body: body({ ...whom, forMs, reason, operator }, 'forMs') },
  end: { ...ended.schema, querystring: query({ ...whom, reason, operator }) },
  windows: read(
    { tags: ['fleet'], summary: 'Recurring windows, and what they did' },
    json('MaintenanceWindows', 'In the order in which they were added.'),
  ),
  add: {
    ...added.schema,
    body: body(
      {
        ...{ name, where, reason, operator },
        forMs: { ...forMs, minimum: WINDOW_MS_MIN, description: 'how long it may take' },
        at: {
          type: 'string',
          maxLength: 64,
          description: 'local to each store, as in "sun 03:00"',
        },
        action: { type: 'string', enum: [...ACTIONS] },
      },
      ...['name', 'where', 'at', 'forMs', 'action'],
    ),
  },
  remove: {
    ...removed.schema,
    params: removed.params,
    querystring: query({ reason, operator }),
  },
} as const;

const maintenance = object(
  {
    ...{ id: text, scope: oneOf(['terminal', 'store']), subject: text, by: text, reason: text },
    ...{ startedMs: timeMs, untilMs: timeMs },
    window: { ...text, description: 'the recurring window that it is a part of' },
    ended: object({ atMs: timeMs, by: text, why: text }),
    terminals: { ...count, description: 'that it means now' },
    held: { ...count, description: 'of those, how many said that they only watch' },
  },
  ...['window', 'ended'],
);
const run = object(
  {
    ...{ window: text, store: text, atMs: timeMs, state: oneOf(RUN_STATES), why: text },
    date: { ...text, description: 'local to the store' },
    ...{ bulk: text, maintenance: text },
  },
  ...['bulk', 'maintenance'],
);
const window = object(
  {
    ...{ name: text, where: { type: 'object', additionalProperties: true }, at: text },
    ...{ forMs: count, action: oneOf(ACTIONS), by: text, reason: text, addedMs: timeMs },
    stores: { ...count, description: 'that it means now' },
    withoutZone: { ...list(text), description: 'stores of which nobody knows the time zone' },
    next: { ...object({ atMs: timeMs, zone: text }), description: 'where it begins first' },
    runs: { ...list(run), description: 'what it did, the newest first' },
  },
  'next',
);

export const maintenanceShapes = {
  Maintenances: object({ maintenances: list(maintenance) }),
  MaintenanceWindow: window,
  MaintenanceWindows: object({ windows: list({ $ref: 'MaintenanceWindow#' }) }),
} as const;
