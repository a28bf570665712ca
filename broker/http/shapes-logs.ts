// What the API says of requests for logs and of the lines that came, as JSON schemas (shapes.ts).

import { LOG_LEVELS } from '../../protocol/catalogue.ts';
import { CUTS } from '../../protocol/logs.ts';
import { LOG_KINDS } from '../logs/model.ts';
import { LOG_STATES } from '../logs/view.ts';
import { count, flag, list, object, oneOf, text, timeMs } from './shape-parts.ts';

const trace = { type: 'string', description: 'id of its trace, 32 characters of hex' };
const state = oneOf(LOG_STATES);
const level = oneOf(LOG_LEVELS);

const request = object(
  {
    id: text,
    what: { ...oneOf(LOG_KINDS), description: 'incident: the broker asked for it by itself' },
    terminal: text,
    store: text,
    timeZone: { type: 'string', description: 'IANA name of the local time of its terminal' },
    command: { type: 'string', description: 'id of the command that carries it' },
    operator: text,
    reason: text,
    group: { type: 'string', description: 'of requests that were made as one' },
    incident: { type: 'string', description: 'whose last lines they are' },
    components: list(text),
    ...{ sinceMs: timeMs, untilMs: timeMs, bytesMax: count },
    ...{ level, text, pattern: text, last: count, context: count, searchMs: count },
    ...{ forMs: count, raise: level },
    ...{ createdMs: timeMs, expiresMs: timeMs, changedMs: timeMs },
    waitingUntilMs: { ...timeMs, description: 'so long it waits for its terminal' },
    state,
    complete: flag,
    connected: flag,
    error: text,
    bytes: { ...count, description: 'that have arrived' },
    lines: { ...count, description: 'records that have arrived: one may have several lines' },
    sha256: { type: 'string', description: 'of an answer whose end has come, else empty' },
    redactions: count,
    missed: { ...count, description: 'card data found where the redactor had been already' },
    truncated: flag,
    cutBy: { ...oneOf(CUTS), description: 'why something is left out; empty: nothing is' },
    searchedBytes: { ...count, description: 'of the journal that were looked through' },
    searchBytes: { ...count, description: 'of the journal that are to be' },
    dropped: { ...count, description: 'records of a live tail that were left out' },
    fromMs: timeMs,
    goneMs: { ...timeMs, description: 'when its lines were deleted' },
    trace,
  },
  ...['timeZone', 'group', 'incident', 'level', 'text', 'pattern', 'last', 'context', 'searchMs'],
  ...['forMs', 'raise', 'waitingUntilMs', 'goneMs', 'trace'],
);

const match = object({
  ...{ timeMs, guessed: { ...flag, description: 'the record says no time itself' } },
  level: { type: ['string', 'null'], enum: [...LOG_LEVELS, null] },
  ...{ component: text, text, terminal: text, request: text },
  offset: { ...count, description: 'of its first byte in the answer' },
});

export const logShapes = {
  LogQueued: object({ id: text, state, connected: flag, expiresMs: timeMs, trace }, 'trace'),
  LogGroup: object({
    group: text,
    requests: list(object({ id: text, terminal: text, state, connected: flag })),
    skipped: {
      ...list(object({ terminal: text, reason: text })),
      description: 'fit the selector and cannot be asked',
    },
  }),
  LogState: object({ id: text, state }),
  LogRequest: request,
  LogRequests: object({ requests: list({ $ref: 'LogRequest#' }) }),
  LogMatches: object({
    matches: list(match),
    searchedBytes: count,
    complete: { ...flag, description: 'false when there was more than one answer looks through' },
  }),
} as const;
