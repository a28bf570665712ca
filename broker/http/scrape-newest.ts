// The newest value of every series of every terminal, for fleets that are small enough to be scraped. Fed with what
// the registry applies. A sweep need not hold every series (disks are looked at once a minute), so a series
// counts as present for a little longer than that after the newest sweep, and not a moment longer: a
// component that is gone must not look as if it stood still.

import type { Sample, Snapshot } from '../../protocol/metric-body.ts';
import { catalogue, isMetricName } from '../../protocol/metrics.ts';

/** A fleet of more is refused: its page would be megabytes, each time somebody scrapes. */
export const SCRAPED_TERMINALS_MAX = 200;
/** Slow readings come each 60 s (agent, sampler). */
export const PRESENT_MS = 75_000;
/** A newest sweep that is older is history, one further ahead is no time of ours. */
export const FRESH_MS = 300_000;
/** Of one terminal; what it may have is less. */
const SERIES_MAX = 1_000;

type Held = { newestMs: number; readonly series: Map<string, { timeMs: number; sample: Sample }> };

export type Newest = {
  readonly take: (terminal: string, snapshots: readonly Snapshot[]) => void;
  /** Empty when nothing of it is fresh. */
  readonly of: (terminal: string) => readonly Sample[];
};

/** What only the broker may say: a terminal that says it, too, would be a second voice. */
const isForeign = ({ name, labels }: Sample): boolean =>
  (isMetricName(name) && ['broker', 'registry'].includes(catalogue[name].source)) ||
  // The database's own names: for one `__name__` Prometheus refuses the page of the whole fleet.
  Object.keys(labels).some((label) => label.startsWith('__'));

const keyOf = ({ name, labels }: Sample): string =>
  `${name}\0${Object.keys(labels)
    .sort()
    .map((label) => `${label}\0${labels[label]}`)
    .join('\0')}`;

function add(held: Held, { timeMs, samples }: Snapshot): void {
  held.newestMs = Math.max(held.newestMs, timeMs);
  for (const sample of samples) {
    if (isForeign(sample)) continue;
    const key = keyOf(sample);
    const known = held.series.get(key);
    if (known === undefined && held.series.size >= SERIES_MAX) continue;
    if (known === undefined || timeMs >= known.timeMs) held.series.set(key, { timeMs, sample });
  }
}

/** Room for one more, where somebody has been silent for so long that nothing of it is shown. */
function makeRoom(terminals: Map<string, Held>, now: number): void {
  if (terminals.size < SCRAPED_TERMINALS_MAX) return;
  for (const [terminal, { newestMs }] of terminals) {
    if (newestMs < now - FRESH_MS) terminals.delete(terminal);
  }
}

/** @param nowMs wall clock. */
export function createNewest(nowMs: () => number): Newest {
  const terminals = new Map<string, Held>();
  return {
    take: (terminal, snapshots) => {
      const now = nowMs();
      const held = terminals.get(terminal) ?? { newestMs: 0, series: new Map() };
      if (!terminals.has(terminal)) makeRoom(terminals, now);
      // Of more terminals than are ever shown nothing is kept.
      if (!terminals.has(terminal) && terminals.size >= SCRAPED_TERMINALS_MAX) return;
      const least = Math.max(now - FRESH_MS, held.newestMs - PRESENT_MS);
      for (const snapshot of snapshots) {
        if (snapshot.timeMs >= least && snapshot.timeMs <= now + FRESH_MS) add(held, snapshot);
      }
      for (const [key, { timeMs }] of held.series) {
        if (timeMs < held.newestMs - PRESENT_MS) held.series.delete(key);
      }
      if (held.series.size > 0) terminals.set(terminal, held);
    },
    of: (terminal) => {
      const held = terminals.get(terminal);
      if (held === undefined || held.newestMs < nowMs() - FRESH_MS) return [];
      return [...held.series.values()].map(({ sample }) => sample);
    },
  };
}
