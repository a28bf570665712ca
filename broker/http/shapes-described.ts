// Of a terminal's view, what other rooms than the registry know of it (fleet/describe.ts).

import { count, flag, list, object, oneOf, text, timeMs } from './shape-parts.ts';

const wish = { name: text, version: count, sha256: text };

export const describedShape = {
  region: { type: 'string', description: 'of its store' },
  labels: { ...list(text), description: 'its own and those of its store' },
  configuration: object(
    {
      ...wish,
      state: { type: 'string', description: 'own, trial or kept; unknown while it never said' },
      target: { ...object(wish), description: 'what is meant for it' },
      behind: flag,
      refused: { type: 'string', description: 'why it does not run what is meant for it' },
    },
    ...['target', 'refused'],
  ),
  maintenance: object({
    ...{ id: text, by: text, reason: text, untilMs: timeMs },
    scope: oneOf(['terminal', 'store']),
  }),
  behind: {
    ...list(object({ component: text, running: text, target: text })),
    description: 'components that run another version than the one set as their target',
  },
};
