// What the API says of kinds of errors, as JSON schemas (shapes.ts).

import { count, flag, list, number, object, oneOf, text, timeMs } from './shape-parts.ts';

const kind = object({
  signature: { ...text, description: 'id of the kind: the same on every terminal' },
  component: text,
  level: oneOf(['error', 'warn']),
  pattern: { ...text, description: 'its words, with * for what differs from one time to the next' },
  sample: { ...text, description: 'the newest one that was told, redacted' },
  terminal: { ...text, description: 'whose that is' },
  count,
  ...{ terminals: count, stores: count },
  versions: list(object({ version: text, count, terminals: count })),
  firstMs: { ...timeMs, description: 'first seen in the fleet' },
  lastMs: timeMs,
  isNew: { ...flag, description: 'first seen in the fleet within the window' },
  growth: {
    ...number,
    description: 'counts in the newer half of the window for each one in the older; 1 for one hour',
  },
});

export const errorShapes = {
  Errors: object({
    errors: list(kind),
    total: { ...count, description: 'kinds that match, shown or not' },
    overBound: { ...count, description: 'records of kinds that terminals did not tell apart' },
  }),
} as const;
