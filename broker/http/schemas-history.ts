// What a question about a terminal's past may say (history-routes.ts).

import { NAME_CHARS_MAX } from '../../protocol/limits.ts';
import { POINTS_DEFAULT, POINTS_MAX, REDUCERS } from '../history/answer.ts';
import { time } from './schema-parts.ts';

const label = { type: 'string', maxLength: 400, pattern: '^[a-zA-Z_][a-zA-Z0-9_]*=' } as const;
/** Labels of one question; no series has more. */
const LABELS_MAX = 12;

export const historyQuery = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: {
    name: {
      type: 'string',
      maxLength: NAME_CHARS_MAX,
      pattern: '^[a-zA-Z_:][a-zA-Z0-9_:]*$',
      description: 'of the metric, such as pos_host_cpu_ratio',
    },
    since: time('from then on; a day before until unless given'),
    until: time('up to then; now unless given'),
    step: {
      type: 'string',
      pattern: '^[1-9][0-9]{0,5}$',
      description: 'seconds of a bucket; as short as the points allow unless given',
    },
    by: {
      type: 'string',
      enum: [...REDUCERS],
      description: 'what stands for a bucket: its last sample unless given',
    },
    points: {
      type: 'string',
      pattern: `^([1-9][0-9]{0,3}|10[0-9]{3}|${POINTS_MAX})$`,
      description: `of one series at most: 1 to ${POINTS_MAX}; ${POINTS_DEFAULT} unless given`,
    },
    label: {
      description: 'NAME=VALUE that a series must carry, such as component=sale; may be repeated',
      anyOf: [label, { type: 'array', maxItems: LABELS_MAX, items: label }],
    },
  },
} as const;
