// Brings the rules of pace.ts together with the ledger and the clock: tells them what arrives, how old it
// is and how far the slowest reader has come. The age of a batch costs unpacking it, so of one terminal
// one batch a second is looked at, and of the whole fleet LOOKS_PER_SECOND_MAX.

import type { Batch } from '../../protocol/wire.ts';
import type { Clock, Timers } from '../clock.ts';
import type { Ledger } from '../ledger.ts';
import { createPace, type Pace } from '../pace.ts';
import { newestSampleMs } from './newest-sample.ts';

const TICK_MS = 1_000;
/** About 50 µs each: 2.5 % of a core at most. */
export const LOOKS_PER_SECOND_MAX = 500;

export type PacerOptions = {
  readonly ledger: Pick<Ledger, 'slowest' | 'stats'>;
  readonly clock: Clock;
  readonly timers: Pick<Timers, 'every'>;
  /** For all terminals that catch up; pace.ts says what it is otherwise. */
  readonly bytesPerSecondMax?: number | undefined;
};

export type Pacer = {
  /** A batch was committed. */
  readonly committed: (terminal: string, batch: Batch, bytes: number) => void;
  readonly share: () => number;
  readonly figures: Pace['figures'];
  readonly stop: () => void;
};

/** Bytes a second that the slowest reader takes, from the rows it has passed and their mean size. */
function createMeter({ ledger }: Pick<PacerOptions, 'ledger'>) {
  let before: { readonly follower: string; readonly id: number } | undefined;
  return (seconds: number, nowMs: number) => {
    const now = ledger.slowest();
    const { bytesAppended, rowsAppended } = ledger.stats();
    const same = now !== undefined && before?.follower === now.follower;
    const rows = same ? now.id - (before?.id ?? 0) : undefined;
    before = now;
    const taken =
      rows === undefined || rowsAppended === 0
        ? undefined
        : (rows * bytesAppended) / rowsAppended / seconds;
    const sinceMs = now?.sinceMs ?? nowMs;
    return { behindMs: Math.max(0, nowMs - sinceMs), taken };
  };
}

export function createPacer(options: PacerOptions): Pacer {
  const { clock, timers } = options;
  const pace = createPace(options.bytesPerSecondMax);
  const measure = createMeter(options);
  /** Whose batch was looked at since the last tick. */
  const looked = new Set<string>();
  const cancel = timers.every(TICK_MS, () => {
    looked.clear();
    pace.tick(measure(TICK_MS / 1_000, clock.wallMs()), clock.monotonicMs());
  });

  /** Undefined: not looked at, or it does not say. */
  function ageMs(terminal: string, batch: Batch): number | undefined {
    if (batch.stream !== 'metrics' || looked.has(terminal)) return undefined;
    if (looked.size >= LOOKS_PER_SECOND_MAX) return undefined;
    looked.add(terminal);
    const newestMs = newestSampleMs(batch);
    return newestMs === undefined ? undefined : clock.wallMs() - newestMs;
  }

  return {
    committed: (terminal, batch, bytes) =>
      pace.received(terminal, bytes, ageMs(terminal, batch), clock.monotonicMs()),
    share: pace.share,
    figures: pace.figures,
    stop: cancel,
  };
}
