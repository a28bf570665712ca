// What the outbox could not keep, counted by stream and reason for as long as the agent runs.

import type { Held } from './hold.ts';
import type { Drop } from './job.ts';

const STREAM_OF = {
  event: 'events',
  result: 'results',
  snapshot: 'metrics',
  spans: 'traces',
} as const;

export type Drops = {
  readonly add: (drop: Drop) => void;
  /** Something that never reached the disk. */
  readonly addHeld: (item: Held, reason: 'memory' | 'disk') => void;
  readonly list: () => readonly Drop[];
};

export function piecesOf(item: Held): number {
  if (item.kind === 'snapshot') return item.snapshot.samples.length;
  return item.kind === 'spans' ? item.added.spans : 1;
}

export function createDrops(): Drops {
  const all = new Map<string, Drop>();
  const add = (drop: Drop): void => {
    const key = `${drop.stream} ${drop.reason}`;
    all.set(key, { ...drop, count: drop.count + (all.get(key)?.count ?? 0) });
  };
  return {
    add,
    addHeld: (item, reason) => add({ stream: STREAM_OF[item.kind], reason, count: piecesOf(item) }),
    list: () => [...all.values()],
  };
}
