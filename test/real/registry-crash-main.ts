// Follows a real ledger into a real registry as fast as it can, and says when nothing is left. The
// test kills it wherever it happens to be.

import { join } from 'node:path';
import { systemClock, systemTimers } from '../../broker/clock.ts';
import { openFleet } from '../../broker/fleet/fleet.ts';
import { openLedger } from '../../broker/ledger.ts';
import { createMetrics } from '../../broker/metrics.ts';

const folder = process.argv[2] ?? '';
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const fleet = openFleet({
  path: join(folder, 'registry.db'),
  ledger: openLedger({ path: join(folder, 'ledger.db'), clock: systemClock }),
  clock: systemClock,
  timers: systemTimers,
  terminals: [{ id: 'lane-1', store: 'berlin' }],
  presence: { lateMs: 90_000, lostMs: 300_000 },
  metrics: createMetrics(),
  log: quiet,
});
if (!fleet.ok) throw new Error(fleet.reason);
const { start, behind } = fleet.value;
start();
console.log('started');
systemTimers.every(5, () => {
  if (behind() === 0) console.log('done');
});
