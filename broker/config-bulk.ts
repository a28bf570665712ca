// How carefully a bulk action goes about: how it begins, how much of the fleet it takes at one time, when it stops by
// itself. That never more than half of a store's terminals are taken is no setting.

import * as v from 'valibot';
import { group, whole } from './config-parts.ts';

export const bulkSettings = group({
  // Terminals of the first wave; each next one is at most twice as large.
  firstWave: v.optional(whole(1, 1_000), 1),
  // At most so many hundredths of the fleet at one time, over all bulk actions.
  fleetPercent: v.optional(whole(1, 100), 10),
  // It stops when more than this many hundredths of what has ended failed, and at least failuresMin.
  failurePercent: v.optional(whole(0, 100), 10),
  failuresMin: v.optional(whole(1, 1_000), 3),
  // So long it waits for terminals that are away, unless its plan says another time.
  hours: v.optional(whole(1, 7 * 24), 24),
});
