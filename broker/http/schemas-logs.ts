// The schemas of the routes for logs, in the words of schema-parts.ts.

import { LOG_LEVELS } from '../../protocol/catalogue.ts';
import * as limits from '../../protocol/limits.ts';
import { LOG_KINDS } from '../logs/model.ts';
import { LOG_STATES } from '../logs/view.ts';
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
  plain,
  query,
  read,
  reason,
  rowId,
  where,
} from './schema-parts.ts';
import { selector } from './schemas-bulk.ts';

const wholeFrom = (minimum: number, maximum: number, description?: string) => ({
  ...{ type: 'integer', minimum, maximum },
  ...(description === undefined ? {} : { description }),
});
const level = { type: 'string', enum: [...LOG_LEVELS], description: 'this one or worse' } as const;
const looked = (description: string) =>
  ({ type: 'string', minLength: 1, maxLength: limits.LOG_PATTERN_CHARS_MAX, description }) as const;
const text = looked('records with this in them, case ignored');
const pattern = looked('records in which this regular expression (RE2) is found');
const components = { type: 'array', maxItems: limits.LOG_COMPONENTS_MAX, items: name } as const;
const bytesMax = wholeFrom(1, limits.LOG_ANSWER_BYTES_MAX);
const raise = { type: 'string', enum: [...LOG_LEVELS] } as const;
const { LOG_SEARCH_MS_MAX, TAIL_MS_MAX, LOG_LAST_MAX, LOG_CONTEXT_MAX } = limits;

const lines = {
  components,
  sinceMs: { type: 'integer', minimum: 0 },
  untilMs: { type: 'integer', minimum: 0 },
  bytesMax,
  level,
  text,
  pattern,
  last: wholeFrom(1, LOG_LAST_MAX, 'so many records, counted from the newest'),
  context: wholeFrom(0, LOG_CONTEXT_MAX, 'records before and behind each that fits'),
  searchMs: wholeFrom(1_000, LOG_SEARCH_MS_MAX, 'so long the terminal searches'),
  ...{ reason, operator, expiresMs },
};

const tags = ['logs'] as const;
/** Of no terminal in the path. */
const { params: _, ...group } = act(
  { tags, summary: 'Ask several terminals for log lines' },
  json('LogGroup', 'A request for each is in the queue, on disk.'),
);

export const logSchemas = {
  ask: {
    ...act(
      { tags, summary: 'Ask a terminal for log lines' },
      json('LogQueued', 'The request is in the queue, on disk.'),
    ),
    body: body(lines, 'sinceMs', 'untilMs'),
  },
  askAll: { ...group, body: body({ selector, ...lines }, 'selector', 'sinceMs', 'untilMs') },
  tail: {
    ...act(
      { tags, summary: 'Watch what components of a terminal print, for a while' },
      json('LogQueued', 'The request is in the queue, on disk.'),
    ),
    body: body({
      ...{ components, level, text, bytesMax },
      raise: { ...raise, description: 'what they log meanwhile; then as before' },
      forMs: wholeFrom(1_000, TAIL_MS_MAX),
      ...{ reason, operator },
    }),
  },
  cancel: {
    ...act(
      { tags, summary: 'End a request for logs, a live tail or a diagnosis' },
      json('LogState', 'What its terminal has begun ends a moment later.'),
    ),
    body: body({ reason, operator }),
  },
  diagnose: {
    ...act(
      { tags, summary: 'Ask a terminal for a diagnosis: one redacted document' },
      json('LogQueued', 'The request is in the queue, on disk.'),
    ),
    body: body({ reason, operator, expiresMs }),
  },
  list: {
    ...read(
      { tags, summary: 'Requests for logs by filter' },
      json('LogRequests', 'The newest first.'),
    ),
    querystring: query({
      terminal: where.terminal,
      state: { type: 'string', enum: [...LOG_STATES] },
      what: { type: 'string', enum: [...LOG_KINDS] },
      group: named('of requests that were made as one'),
      limit,
    }),
  },
  one: {
    ...read(
      { tags, summary: 'How far a request for logs is' },
      json('LogRequest', 'How it stands.'),
      404,
    ),
    params,
  },
  content: {
    ...read(
      { tags, summary: 'The lines that have arrived' },
      plain(
        'The lines from the offset on, or the records that fit, as text or as one JSON object a line; of a ' +
          'diagnosis the whole document, as JSON.',
      ),
      ...([404, 409, 410, 416, 422] as const),
    ),
    params,
    querystring: query({
      offset: { ...rowId, description: 'bytes that the caller has; not with a filter' },
      format: { type: 'string', enum: ['text', 'jsonl'], description: 'text unless given' },
      ...{ level, component: named('name of a component'), text, pattern },
    }),
  },
  search: {
    ...read(
      { tags, summary: 'Records with a text in them, in everything that is kept' },
      json('LogMatches', 'Of the newest answers first.'),
      422,
    ),
    querystring: {
      ...query({
        text,
        terminal: where.terminal,
        sinceMs: { ...rowId, description: 'records of then or later, milliseconds since 1970' },
        limit,
      }),
      required: ['text'],
    },
  },
} as const;
