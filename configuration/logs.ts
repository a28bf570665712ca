// The part of the agent's configuration that is about logs which somebody asks for: how much of the store's line they
// may take while everything else of the till, and of the store, needs it as well.

import * as v from 'valibot';
import { DEFAULTS } from './defaults.ts';
import { strict } from './words.ts';

const SHARE = 'must be a share of the line, from 0.01 to 1 (1: all of it)';

export const logsEntry = v.optional(
  strict({
    uplinkShare: v.optional(
      v.pipe(v.number(SHARE), v.minValue(0.01, SHARE), v.maxValue(1, SHARE)),
      DEFAULTS.logs.uplinkShare,
    ),
  }),
  {},
);
