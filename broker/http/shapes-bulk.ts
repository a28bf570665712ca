// What the API says of bulk actions and notices, as JSON schemas (shapes.ts).

import { BULK_STATES, TARGET_STATES } from '../bulk/model.ts';
import { count, flag, list, object, oneOf, rowId, text, timeMs } from './shape-parts.ts';

const bulk = object(
  {
    ...{ id: text, kind: text, arguments: { type: 'object', additionalProperties: true } },
    ...{ state: oneOf(BULK_STATES), why: text, reason: text },
    ...{ plannedBy: text, startedBy: text, createdMs: timeMs, startedMs: timeMs },
    ...{ expiresMs: timeMs, endedMs: timeMs, lastsMs: count },
    count: { ...count, description: 'terminals in its list, which starting it demands' },
    stores: count,
    counts: object(Object.fromEntries(TARGET_STATES.map((state) => [state, count]))),
    wave: object({ number: count, size: count }),
    limits: object({
      ...{ firstWave: count, fleetPercent: count, failurePercent: count, failuresMin: count },
    }),
    leftOut: object({ count, first: list(object({ terminal: text, reason: text })) }),
    stopsSelling: { ...flag, description: 'whether a cashier may be unable to sell meanwhile' },
    wide: { ...flag, description: 'whether it needs the role admin and what `confirm` says' },
    confirm: { type: 'string', description: 'what has to be written to start it' },
  },
  ...['startedBy', 'startedMs', 'expiresMs', 'endedMs', 'confirm'],
);

const target = object({
  ...{ terminal: text, store: text, state: oneOf(TARGET_STATES) },
  command: { type: 'string', description: 'id of its command; empty while it has none' },
  reason: text,
  sentMs: timeMs,
});

export const bulkShapes = {
  Bulk: bulk,
  Bulks: object({ bulks: list({ $ref: 'Bulk#' }) }),
  BulkTargets: object({
    targets: list(target),
    next: { type: ['integer', 'null'], description: 'where the next page begins' },
  }),
  Notices: object({
    notices: list(
      object({
        ...{ id: rowId, timeMs, operator: text, text, bulk: text },
        mine: { ...flag, description: 'whether whoever asks has caused it' },
      }),
    ),
    newest: { ...rowId, description: 'id of the newest; 0 before the first' },
  }),
} as const;
