// How old the newest sample of a batch was when it arrived: what a dashboard that looks live really shows. Backlog
// is left out, because a terminal that was away for a day says nothing about the way of what is sent now.

import type { SampleListener } from './fleet/apply.ts';

/** Older than this is backlog: live batches go each minute, and wait for the line at most a few. */
const LIVE_MS_MAX = 600_000;

/** @param observe takes seconds. */
export const createDeliveryLag =
  (observe: (seconds: number) => void): SampleListener =>
  (_terminal, snapshots, receivedMs) => {
    const newestMs = snapshots.reduce((most, { timeMs }) => Math.max(most, timeMs), 0);
    const lagMs = receivedMs - newestMs;
    // A clock that is ahead would make it negative: as new as can be.
    if (lagMs <= LIVE_MS_MAX) observe(Math.max(0, lagMs) / 1000);
  };
