// JSON schemas of the routes, with the words that describe them. Nothing is coerced, filled in or removed
// silently: a query is text and is checked as text, an unknown field is an error with its name. What is
// answered stands in shapes.ts; the OpenAPI document is made from both (openapi.ts).

import { EVENT_KINDS } from '../../protocol/events.ts';
import { LOG_ANSWER_BYTES_MAX, LOG_COMPONENTS_MAX } from '../../protocol/limits.ts';
import { CURSOR_CHARS_MAX, SORT_KEYS } from '../fleet/search.ts';
import { PRESENCES } from '../fleet/view.ts';
import type { ShapeName } from './shapes.ts';

export const LIMIT_MAX = 1_000;
export const LIMIT_DEFAULT = 100;

/** What routes are sorted under. */
export const TAGS = {
  health: 'For machines that watch the broker; no token.',
  fleet: 'Terminals, and what they add up to.',
  events: 'What happened on the terminals.',
  commands: 'What can be done, and what became of it.',
  logs: 'Log lines of components, asked for from a terminal.',
  audit: 'Who did what, and why.',
} as const;

/** Names in paths and queries are looked up, not believed; longer ones exist nowhere. */
const name = { type: 'string', minLength: 1, maxLength: 100 } as const;
const named = (description: string) => ({ ...name, description });
const limit = {
  type: 'string',
  pattern: '^([1-9][0-9]{0,2}|1000)$',
  description: `1 to ${LIMIT_MAX}; ${LIMIT_DEFAULT} unless given`,
} as const;
/** Up to 2^53: what a row id can be. */
const rowId = { type: 'string', pattern: '^[0-9]{1,15}$' } as const;
const time = (description: string) => ({
  type: 'string',
  maxLength: 40,
  description: `${description}: milliseconds since 1970, or 2026-01-31T12:00:00Z`,
});
const kind = named(`such as ${EVENT_KINDS.join(', ')}`);
const where = { terminal: named('id of a terminal'), store: named('id of a store') };
const reason = { type: 'string', description: 'why: needed, and kept in the audit log' } as const;
const operator = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}$',
  description: 'who asks, for the audit log',
} as const;
const expiresMs = { type: 'integer', minimum: 1_000, maximum: 604_800_000 } as const;

const query = (properties: Record<string, object>) =>
  ({ type: 'object', additionalProperties: false, properties }) as const;
const body = (properties: Record<string, object>, ...required: readonly string[]) =>
  ({ type: 'object', required, additionalProperties: false, properties }) as const;
const params = {
  type: 'object',
  required: ['id'],
  additionalProperties: false,
  properties: { id: name },
} as const;

const PROBLEMS = {
  400: 'The address, the query or the JSON cannot be read; the detail says what.',
  401: 'The token is missing or wrong.',
  404: 'There is no such thing.',
  413: 'The body is too large.',
  415: 'The body is not JSON.',
  416: 'So much has not arrived.',
  422: 'What is asked for is not possible; the detail says why.',
  429: 'This terminal has too many that are not finished.',
  500: 'The broker failed at it; its log says why.',
  503: 'Not now; try again.',
} as const;
type Refusal = keyof typeof PROBLEMS;

const answerOf = (type: string, schema: object, description: string) => ({
  description,
  content: { [type]: { schema } },
});
const json = (shape: ShapeName, description: string) =>
  answerOf('application/json', { $ref: `${shape}#` }, description);
const plain = (description: string, type = 'text/plain') =>
  answerOf(type, { type: 'string' }, description);
const problems = (...statuses: readonly Refusal[]) =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      answerOf('application/problem+json', { $ref: 'Problem#' }, PROBLEMS[status]),
    ]),
  );

type Words = {
  readonly tags: readonly [keyof typeof TAGS];
  readonly summary: string;
  readonly description?: string;
};

/** Without a token. */
const open = (words: Words, answer: object) => ({
  ...words,
  security: [],
  querystring: query({}),
  response: { 200: answer, ...problems(400, 500, 503) },
});
const read = (words: Words, answer: object, ...refusals: readonly Refusal[]) => ({
  ...words,
  security: [{ bearer: [] }],
  querystring: query({}),
  response: { 200: answer, ...problems(400, 401, ...refusals, 500, 503) },
});
const act = (words: Words, answer: object) => ({
  ...words,
  security: [{ bearer: [] }],
  params,
  querystring: query({}),
  response: { 202: answer, ...problems(400, 401, 404, 413, 415, 422, 429, 500, 503) },
});

const terminalsQuery = query({
  store: where.store,
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
  command: {
    ...read(
      { tags: ['commands'], summary: 'What became of a command' },
      json('Command', 'How it stands.'),
      404,
    ),
    params,
  },
  askLogs: {
    ...act(
      { tags: ['logs'], summary: 'Ask a terminal for log lines' },
      json('LogQueued', 'The request is in the queue, on disk.'),
    ),
    body: body(
      {
        components: { type: 'array', maxItems: LOG_COMPONENTS_MAX, items: name },
        sinceMs: { type: 'integer', minimum: 0 },
        untilMs: { type: 'integer', minimum: 0 },
        bytesMax: { type: 'integer', minimum: 1, maximum: LOG_ANSWER_BYTES_MAX },
        reason,
        operator,
        expiresMs,
      },
      'sinceMs',
      'untilMs',
    ),
  },
  logRequests: read(
    { tags: ['logs'], summary: 'Requests for logs' },
    json('LogRequests', 'The newest of them.'),
  ),
  logRequest: {
    ...read(
      { tags: ['logs'], summary: 'How far a request for logs is' },
      json('LogRequest', 'How it stands.'),
      404,
    ),
    params,
  },
  logContent: {
    ...read(
      { tags: ['logs'], summary: 'The lines that have arrived' },
      plain('The lines from the offset on.'),
      404,
      416,
    ),
    params,
    querystring: query({ offset: { ...rowId, description: 'bytes that the caller has' } }),
  },
  audit: {
    ...read({ tags: ['audit'], summary: 'The audit log' }, json('Audit', 'The newest first.')),
    querystring: query({ limit }),
  },
} as const;
