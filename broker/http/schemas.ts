// JSON schemas of the routes, with the words that describe them. Nothing is coerced, filled in or removed
// silently: a query is text and is checked as text, an unknown field is an error with its name. What is
// answered stands in shapes.ts; the OpenAPI document is made from both (openapi.ts).

import { QUEUE_STATES } from '../commands/queue.ts';
import { CURSOR_CHARS_MAX, SORT_KEYS } from '../fleet/search.ts';
import { PRESENCES } from '../fleet/view.ts';
import {
  act,
  answerOf,
  body,
  expiresMs,
  json,
  kind,
  limit,
  named,
  open,
  operator,
  params,
  plain,
  problems,
  query,
  read,
  reason,
  rowId,
  time,
  where,
} from './schema-parts.ts';
import { historyQuery } from './schemas-history.ts';

export { LIMIT_DEFAULT, LIMIT_MAX, TAGS } from './schema-parts.ts';

const terminalsQuery = query({
  store: where.store,
  region: named('a region that stores are in'),
  label: named('a label that it or its store carries'),
  presence: { type: 'string', enum: [...PRESENCES] },
  version: named('COMPONENT:VERSION that it runs; the component "agent" is the agent'),
  state: named('a state that one of its components is in'),
  search: named('a part of its id or store'),
  sort: {
    type: 'string',
    enum: SORT_KEYS.flatMap((key) => [key, `-${key}`]),
    description:
      'id unless given; with a minus the highest first. presence: lost, late, never, online; ' +
      'lastSeen: the longest silent first',
  },
  limit,
  cursor: {
    type: 'string',
    minLength: 1,
    maxLength: CURSOR_CHARS_MAX,
    description: '"next" of the page before, with the same sort and filters',
  },
});

const eventsQuery = query({
  ...where,
  kind,
  component: named('name of a component'),
  since: time('happened then or later'),
  until: time('happened then or earlier'),
  after: { ...rowId, description: '"next" of the page before' },
  limit,
  order: { type: 'string', enum: ['asc', 'desc'], description: 'asc (oldest first) unless given' },
});

const LIVE = `Server-sent events without an end. \`id\` is the row id, \`data\` an Event. Last-Event-ID,
or else \`after\`, says which row the client has; without either it gets what comes from now on. Rows
that were removed for room meanwhile are told as \`event: gap\`. A comment each 15 s.`;

export const schemas = {
  health: open(
    { tags: ['health'], summary: 'Whether the broker runs' },
    json('Health', 'It does.'),
  ),
  ready: open(
    { tags: ['health'], summary: 'Whether what it tells is current' },
    json('Health', 'It is.'),
  ),
  metrics: open(
    { tags: ['health'], summary: 'Metrics of the broker and sums over the fleet' },
    plain('Prometheus text format.'),
  ),
  scrape: {
    ...open(
      { tags: ['health'], summary: 'The newest samples of every terminal, for small fleets' },
      plain('Prometheus text format.'),
    ),
    response: {
      200: plain('Prometheus text format.'),
      ...problems(400, 422, 500, 503),
    },
  },
  openapi: open(
    { tags: ['health'], summary: 'This description' },
    answerOf('application/json', { type: 'object', additionalProperties: true }, 'OpenAPI 3.1.'),
  ),
  fleet: read({ tags: ['fleet'], summary: 'The fleet in numbers' }, json('Fleet', 'Its sums.')),
  terminals: {
    ...read(
      { tags: ['fleet'], summary: 'Terminals by filter, order and page' },
      json('TerminalPage', 'One page of them.'),
    ),
    querystring: terminalsQuery,
  },
  terminal: {
    ...read(
      { tags: ['fleet'], summary: 'One terminal' },
      json('Terminal', 'As it was last known.'),
      404,
    ),
    params,
  },
  history: {
    ...read(
      { tags: ['fleet'], summary: 'The recent past of one metric of a terminal' },
      json('History', 'Its points, in order.'),
      404,
    ),
    params,
    querystring: historyQuery,
  },
  sinks: read(
    {
      tags: ['fleet'],
      summary: 'Databases that the broker writes to, and what they would not take',
    },
    json('Sinks', 'How each is.'),
  ),
  events: {
    ...read(
      { tags: ['events'], summary: 'Events by filter, order and page' },
      json('EventPage', 'One page, by row id.'),
    ),
    querystring: eventsQuery,
  },
  wouldHaveActed: {
    ...read(
      {
        tags: ['events'],
        summary: 'What the watchdogs in observe, or on held terminals, would have done',
      },
      json('SuppressedReport', 'Sums by component, cause and rung.'),
    ),
    querystring: query({
      ...where,
      component: named('name of a component'),
      since: time('decided then or later; seven days ago unless given'),
    }),
  },
  live: {
    ...read(
      { tags: ['events'], summary: 'Events as they arrive', description: LIVE },
      plain('The stream.', 'text/event-stream'),
    ),
    querystring: query({
      ...where,
      kind,
      after: { ...rowId, description: 'the row that the client has' },
    }),
  },
  createCommand: {
    ...act(
      { tags: ['commands'], summary: 'Ask a terminal to do something' },
      json('Queued', 'It is in the queue, on disk.'),
    ),
    body: body(
      {
        kind: { type: 'string', minLength: 1, maxLength: 64 },
        arguments: { type: 'object' },
        // commands/request.ts says in a plain sentence what is wrong with it.
        reason,
        operator,
        expiresMs,
      },
      'kind',
      'arguments',
    ),
  },
  commands: {
    ...read(
      { tags: ['commands'], summary: 'Commands by filter' },
      json('Commands', 'The newest first.'),
    ),
    querystring: query({
      terminal: where.terminal,
      state: { type: 'string', enum: [...QUEUE_STATES] },
      bulk: named('id of the bulk action that they are a part of'),
      limit,
    }),
  },
  cancelCommand: {
    ...read(
      { tags: ['commands'], summary: 'Take a command back that its terminal has not taken yet' },
      json('Queued', 'It is taken back. One that was sent may have been taken all the same.'),
      404,
      409,
      422,
    ),
    params,
    querystring: query({ reason: { ...reason, maxLength: 500 }, operator }),
  },
  command: {
    ...read(
      { tags: ['commands'], summary: 'What became of a command' },
      json('Command', 'How it stands.'),
      404,
    ),
    params,
  },
} as const;
