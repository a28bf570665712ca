// What the routes of target versions may be asked (target-routes.ts), in the words of schema-parts.ts.

import { RANKS, TARGET_ROLES } from '../targets/model.ts';
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

const rank = { type: 'string', enum: [...RANKS], description: 'by what terminals are meant' };
const values = {
  type: 'array',
  maxItems: 1_000,
  items: name,
  description: 'ids of terminals, or the one store, label or region; empty for all',
} as const;
const digest = {
  type: 'string',
  maxLength: 64,
  description: 'as the plan or the list has shown it: refused when somebody changed targets since',
} as const;
const wish = {
  component: named('name of a component; "agent" is the agent'),
  version: named('that it should run'),
  role: { type: 'string', enum: [...TARGET_ROLES], description: 'control unless given' },
  ...{ rank, values },
};

/** Like `act`, but of the whole fleet. */
function whole(summary: string, answer: string, status: 200 | 202) {
  const { params: _, ...parts } = act({ tags: ['fleet'], summary }, json('TargetPlan', answer));
  const { 202: done, ...refusals } = parts.response;
  return { ...parts, response: { [status]: done, ...refusals } };
}

export const targetSchemas = {
  list: read(
    {
      tags: ['fleet'],
      summary: 'Which versions components should run, and how many do',
    },
    json('Targets', 'By component, the most specific first.'),
  ),
  behind: {
    ...read(
      { tags: ['fleet'], summary: 'Who runs another version than its target' },
      json('Behind', 'Those that are heard of; the silent ones apart.'),
    ),
    querystring: query({ component: named('only of this component'), limit }),
  },
  plan: {
    ...whole('What setting or clearing a target would change', 'Nothing is changed.', 200),
    body: body(wish, 'component', 'rank'),
  },
  set: {
    ...whole('Set the version that terminals should run', 'It is set.', 202),
    body: body({ ...wish, digest, reason, operator }, 'component', 'version', 'rank'),
  },
  clear: {
    ...whole('Forget a target', 'It is cleared.', 202),
    querystring: {
      ...query({
        ...{ component: wish.component, rank, digest, reason, operator },
        values: { type: 'string', maxLength: 8_000, description: 'as in `set`, with commas' },
      }),
      required: ['component', 'rank'],
    },
  },
} as const;

const behind = list(
  object({ terminal: text, store: text, component: text, running: text, target: text }),
);
const change = object(
  { rank: oneOf(RANKS), value: text, before: text, after: text },
  ...['before', 'after'],
);

export const targetShapes = {
  Targets: object({
    targets: list(
      object({
        ...{ component: text, version: text, role: oneOf(TARGET_ROLES) },
        ...{ rank: oneOf(RANKS), value: text, by: text, reason: text, setMs: timeMs },
        meant: { ...count, description: 'terminals of which it is the target' },
        ...{ running: count, behind: count },
        silent: { ...count, description: 'meant, and not heard of' },
        conflicts: {
          ...count,
          description: 'terminals that another one of the same rank has won, since labels changed',
        },
      }),
    ),
    digest: text,
  }),
  TargetPlan: object({
    changes: list(change),
    meant: { ...count, description: 'terminals that it means' },
    overruled: { ...count, description: 'of those, how many have a more specific one' },
    ...{ behind: count, silent: count, digest: text },
  }),
  Behind: object({ behind, silent: behind, total: count, silentTotal: count }),
} as const;
