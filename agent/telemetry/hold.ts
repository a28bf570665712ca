// Where things wait in memory until the disk takes them. Every event, result and snapshot passes
// through here; normally for no time at all, while a disk is full or failing for as long as the bounds
// allow. The oldest snapshots go first, then spans, then the oldest events; results last. What was dropped
// is told by a gap record as soon as the disk is back.

import type { TerminalEvent } from '../../protocol/events.ts';
import type { Snapshot } from '../../protocol/metric-body.ts';
import type { NewSpans } from './span-rows.ts';

export type Held =
  | {
      readonly kind: 'event';
      readonly event: TerminalEvent;
      readonly mono: number | null;
      readonly bytes: number;
    }
  | {
      readonly kind: 'spans';
      readonly added: NewSpans;
      readonly mono: number | null;
      readonly bytes: number;
    }
  | { readonly kind: 'result'; readonly body: string; readonly bytes: number }
  | {
      readonly kind: 'snapshot';
      readonly snapshot: Snapshot;
      readonly mono: number | null;
      readonly bytes: number;
    };

export const HELD_ITEMS_MAX = 2_000;
export const HELD_BYTES_MAX = 4 * 1024 * 1024;
/** What a sample takes in memory, roughly: name and labels are shared between snapshots. */
export const SAMPLE_BYTES = 64;

/** Times are those of the samples. */
export type Lost = {
  readonly samples?: number;
  readonly spans?: number;
  readonly events?: number;
  readonly results?: number;
  readonly fromMs?: number;
  readonly untilMs?: number;
};
const NONE: Lost = {};

const sum = (a: number | undefined, b: number): number => (a ?? 0) + b;

/** What is lost with one thing more. */
export function loseToo(lost: Lost, gone: Held): Lost {
  switch (gone.kind) {
    case 'snapshot': {
      const { timeMs, samples } = gone.snapshot;
      const at = Math.max(0, Math.round(timeMs));
      return {
        ...lost,
        samples: sum(lost.samples, samples.length),
        fromMs: Math.min(lost.fromMs ?? at, at),
        untilMs: Math.max(lost.untilMs ?? at, at),
      };
    }
    case 'spans':
      return { ...lost, spans: sum(lost.spans, gone.added.spans) };
    case 'event':
      return { ...lost, events: sum(lost.events, 1) };
    case 'result':
      return { ...lost, results: sum(lost.results, 1) };
  }
}

export type Hold = {
  readonly add: (item: Held) => void;
  readonly peek: (itemsMax: number) => readonly Held[];
  readonly remove: (count: number) => void;
  readonly size: () => number;
  /** Dropped and not yet told; `told` takes what a committed gap record named. */
  readonly lost: () => Lost;
  readonly untold: () => boolean;
  readonly told: () => void;
};

export function createHold(onDrop: (item: Held) => void): Hold {
  const items: Held[] = [];
  let bytes = 0;
  let lost = NONE;

  const dropOne = (): void => {
    const order = ['snapshot', 'spans', 'event', 'result'] as const;
    const index = order
      .map((kind) => items.findIndex((item) => item.kind === kind))
      .find((found) => found >= 0);
    const [gone] = items.splice(index ?? 0, 1);
    if (gone === undefined) return;
    bytes -= gone.bytes;
    lost = loseToo(lost, gone);
    onDrop(gone);
  };

  return {
    add: (item) => {
      items.push(item);
      bytes += item.bytes;
      while (items.length > HELD_ITEMS_MAX || bytes > HELD_BYTES_MAX) dropOne();
    },
    peek: (itemsMax) => items.slice(0, itemsMax),
    remove: (count) => {
      for (const item of items.splice(0, count)) bytes -= item.bytes;
    },
    size: () => items.length,
    lost: () => lost,
    untold: () => lost !== NONE,
    told: () => {
      lost = NONE;
    },
  };
}
