// Log chunks wait in a lane of their own: a commit takes a few of them, because each is unpacked, looked at for card data
// and written to a file, which costs the loop milliseconds. Where live batches came meanwhile they have the loop for at
// least as long before the next helping; where none came there is nothing to rest for. How many may be on their way
// to us at all is told to terminals as credits, by how many pulls there are; one that ignores them fills its own share
// of the lane and nobody else's. What does not fit is not answered and comes again.

import { LOG_WINDOW_QUICK_CHUNKS } from '../../protocol/limits.ts';
import type { Cancel, Clock, Timers } from '../clock.ts';

/** Chunks of one commit: a megabyte unpacked. */
export const LOG_CHUNKS_PER_COMMIT = 4;
/** Of one that nothing live shares the loop with: half the commits for as many chunks. */
export const LOG_CHUNKS_PER_COMMIT_ALONE = 8;
/** That wait here: 12 MB as they travel. */
export const LOG_CHUNKS_WAITING_MAX = 256;
/** Of one terminal: the windows of its two pulls, where it keeps to them. */
export const LOG_CHUNKS_PER_TERMINAL_MAX = 2 * LOG_WINDOW_QUICK_CHUNKS;
/** On their way to the broker, over all pulls; each pull may have one in any case. */
export const LOG_CHUNKS_ON_WAY_MAX = 32;
/** A pull of which nothing was heard for so long does not count. */
export const PULL_SILENT_MS = 15_000;
/** Of each look at who is silent; pulls that are counted are bounded by it, too. */
const PULLS_MAX = 4_096;
const REST_MS_MIN = 1;

/** Which pulls are running, and so how many chunks each may send ahead. */
export function createCredits({ monotonicMs }: Pick<Clock, 'monotonicMs'>) {
  /** In the order in which they were last heard of. */
  const heard = new Map<string, number>();
  function forgetSilent(): void {
    const before = monotonicMs() - PULL_SILENT_MS;
    for (const [pull, atMs] of heard) {
      if (atMs > before && heard.size <= PULLS_MAX) return;
      heard.delete(pull);
    }
  }
  return {
    heard: (pull: string): void => {
      heard.delete(pull);
      heard.set(pull, monotonicMs());
      forgetSilent();
    },
    ended: (pull: string): void => {
      heard.delete(pull);
    },
    each: (): number => {
      forgetSilent();
      const share = Math.floor(LOG_CHUNKS_ON_WAY_MAX / Math.max(1, heard.size));
      return Math.max(1, Math.min(LOG_WINDOW_QUICK_CHUNKS, share));
    },
  };
}

export type LaneOptions<T> = {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timers: Pick<Timers, 'after'>;
  readonly terminalOf: (chunk: T) => string;
  /** Takes one helping. */
  readonly take: (chunks: readonly T[]) => void;
  /** A helping that no commit asked for is over. */
  readonly settle: () => void;
  readonly dropped: (count: number) => void;
};

/** Chunks that wait, in the order in which they came. */
function createWaiting<T>(terminalOf: LaneOptions<T>['terminalOf']) {
  let all: T[] = [];
  const counts = new Map<string, number>();
  return {
    size: (): number => all.length,
    /** @returns whether it may wait here. */
    add: (chunk: T): boolean => {
      const terminal = terminalOf(chunk);
      const count = counts.get(terminal) ?? 0;
      const isFull = all.length >= LOG_CHUNKS_WAITING_MAX;
      if (isFull || count >= LOG_CHUNKS_PER_TERMINAL_MAX) return false;
      all.push(chunk);
      counts.set(terminal, count + 1);
      return true;
    },
    take: (most: number): readonly T[] => {
      const taken = all.splice(0, most);
      for (const terminal of taken.map(terminalOf)) {
        const left = (counts.get(terminal) ?? 0) - 1;
        if (left > 0) counts.set(terminal, left);
        else counts.delete(terminal);
      }
      return taken;
    },
    clear: (): void => {
      all = [];
      counts.clear();
    },
  };
}

export function createChunkLane<T>(options: LaneOptions<T>) {
  const { clock, timers, take, settle, dropped } = options;
  const waiting = createWaiting(options.terminalOf);
  let restUntilMs = 0;
  let cancel: Cancel | undefined;
  /** Live batches were committed since the last helping. */
  let isShared = false;

  function help(): void {
    const startMs = clock.monotonicMs();
    if (waiting.size() === 0 || startMs < restUntilMs) return;
    take(waiting.take(isShared ? LOG_CHUNKS_PER_COMMIT : LOG_CHUNKS_PER_COMMIT_ALONE));
    const tookMs = clock.monotonicMs() - startMs;
    if (waiting.size() > 0) restUntilMs = startMs + (isShared ? 2 : 1) * tookMs;
    isShared = false;
  }

  function next(): void {
    if (waiting.size() === 0) return;
    const restMs = Math.max(REST_MS_MIN, Math.ceil(restUntilMs - clock.monotonicMs()));
    cancel ??= timers.after(restMs, () => {
      cancel = undefined;
      help();
      settle();
      next();
    });
  }

  return {
    /** Live batches were committed: others want the loop. */
    shared: (): void => {
      isShared = true;
    },
    /** With a commit: its chunks, behind those that wait. */
    add: (chunks: readonly T[]): void => {
      const left = chunks.filter((chunk) => !waiting.add(chunk)).length;
      if (left > 0) dropped(left);
      help();
      next();
    },
    close: (): void => {
      cancel?.();
      cancel = undefined;
      waiting.clear();
    },
  };
}
