// What the API tells of stores, and of what a list of them would change.

import { CHANGE_KINDS } from '../stores/difference.ts';
import { count, flag, list, object, oneOf, text, timeMs } from './shape-parts.ts';

const terminal = {
  anyOf: [text, { type: 'object', additionalProperties: true }],
  description: 'its id; or { id, labels }',
};

const store = object(
  {
    ...{ id: text, name: text, region: text },
    timeZone: { type: 'string', description: 'IANA name' },
    hours: {
      type: 'object',
      description: 'by day, mon to sun; left out: not known',
      additionalProperties: text,
    },
    exceptions: list(object({ from: text, to: text, hours: text, reason: text }, 'reason')),
    lanes: { ...count, description: 'that should sell while it is open, as the file says' },
    labels: list(text),
    terminals: list(terminal),
    open: { ...flag, description: 'now; left out: its hours are not known' },
    changesMs: { ...timeMs, description: 'when that changes next, if within a week' },
    lanesExpected: { ...count, description: 'that should sell now' },
    counts: {
      ...object({
        terminals: count,
        online: count,
        selling: count,
        never: count,
        maintenance: count,
      }),
      description: 'of terminals that stand there',
    },
  },
  ...['name', 'hours', 'exceptions', 'lanes', 'labels', 'terminals', 'open', 'changesMs'],
);

export const storeShapes = {
  Store: store,
  Stores: object({ stores: list({ $ref: 'Store#' }) }),
  StoresPlan: object({
    counts: {
      ...object({
        ...{ added: count, changed: count, removed: count, same: count, absent: count },
        ...{ planned: count, moved: count },
      }),
      description: 'stores; and terminals that are planned and moved',
    },
    digest: { type: 'string', description: 'of what is shown; applying it needs this' },
    changes: list(
      object(
        {
          ...{ kind: oneOf(CHANGE_KINDS), store: text, sentence: text },
          fields: list(object({ field: text, before: text, after: text })),
          terminals: list(text),
        },
        ...['fields', 'terminals'],
      ),
    ),
    more: { ...count, description: 'changes that did not fit the answer' },
    absent: { ...list(text), description: 'stores that are not in the list and stay; the first' },
    applied: flag,
  }),
};
