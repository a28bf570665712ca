// How fast terminals may send what they kept while they were away. All that catch up share one budget of
// bytes a second, and it follows the slowest reader of the ledger: half of what that one takes when it is
// behind, more and more while it keeps up. Live data is never held, and everybody may send a little, so
// that everybody ends. A fixed budget would be either a database drowned or a night wasted. Nothing here
// looks at a clock: whoever asks says what time it is.

/** Unless configured; 1 000 terminals that were away for a day (1.5 MB each) need three minutes then. */
export const BACKLOG_BYTES_PER_SECOND = 8 * 1024 * 1024;
/** What a backlog begins with while nothing is known of the readers. */
export const START_BYTES_PER_SECOND = 256 * 1024;
/** Everybody gets this much: three times what a till measures, so that a backlog shrinks in any case. */
export const FLOOR_BYTES_PER_SECOND = 64;
/** The newest sample of a batch is older than this: the terminal catches up. */
export const BACKLOG_AGE_MS = 3 * 60_000;
/** Terminals counted as catching up; above, the floor rules anyway. */
export const CATCHING_UP_MAX = 20_000;

/** The slowest reader is behind by so much: what it takes now is what it can take. */
const BUSY_MS = 10_000;
/** By so much: less than half, until it recovers. */
const LATE_MS = 30_000;
/** Per second: up to what the slowest reader is known to bear, beyond it, and while that one is late. */
const GROWTH = 1.05;
const GROWTH_BEYOND = 1.005;
const SHRINK = 0.97;
/** Of what the slowest reader takes: for the backlog, and for it with the live data. */
const SHARE = 0.5;
const SHARE_WITH_LIVE = 0.9;
/** How long an average of what was taken reaches back. */
const MEMORY_SECONDS = 10;
/** Who sent no backlog for as long as three batches take at its pace has caught up. */
const BATCHES_MISSED = 3;
const QUIET_MS_MIN = 30_000;
const QUIET_MS_MAX = 10 * 60_000;

/** What happened since the last time, in bytes a second where not said otherwise. */
export type Load = {
  /** Age of the oldest batch that the slowest reader has not taken; 0: none. */
  readonly behindMs: number;
  /** By that reader; undefined when it is another one than before. */
  readonly taken: number | undefined;
  /** Received from terminals that do not catch up. */
  readonly live: number;
};

export type Budget = {
  readonly bytesPerSecond: number;
  /** What the slowest reader was last seen to take while it was busy. */
  readonly capacity: number | undefined;
};

export const firstBudget = (max: number): Budget => ({
  bytesPerSecond: Math.min(START_BYTES_PER_SECOND, max),
  capacity: undefined,
});

function average(before: number | undefined, now: number | undefined, seconds: number) {
  if (before === undefined || now === undefined) return now ?? before;
  return before + (now - before) * Math.min(1, seconds / MEMORY_SECONDS);
}

const borne = (capacity: number | undefined, live: number): number =>
  capacity === undefined
    ? Infinity
    : Math.max(0, Math.min(capacity * SHARE, capacity * SHARE_WITH_LIVE - live));

type Step = { readonly seconds: number; readonly max: number; readonly isAsked: boolean };

/** The readers keep up: quickly to what they are known to bear, then slowly to find out what more. */
function grow({ bytesPerSecond, capacity }: Budget, live: number, step: Step): number {
  if (!step.isAsked) return Math.min(firstBudget(step.max).bytesPerSecond, borne(capacity, live));
  const from = Math.max(bytesPerSecond, START_BYTES_PER_SECOND / 16);
  const known = Math.min(from * GROWTH ** step.seconds, Math.max(from, borne(capacity, live)));
  return Math.min(step.max, Math.max(known, from * GROWTH_BEYOND ** step.seconds));
}

/** @param step `isAsked`: somebody catches up; a budget that nobody uses says nothing and begins anew. */
export function stepBudget(budget: Budget, load: Load, step: Step): Budget {
  if (load.behindMs < BUSY_MS) {
    return { bytesPerSecond: grow(budget, load.live, step), capacity: budget.capacity };
  }
  const capacity = average(budget.capacity, load.taken, step.seconds);
  const shrunk = load.behindMs < LATE_MS ? 1 : SHRINK ** step.seconds;
  const kept = budget.bytesPerSecond * shrunk;
  return { bytesPerSecond: Math.min(step.max, borne(capacity, load.live), kept), capacity };
}

export type Pace = {
  /** A batch came; `ageMs` is that of its newest sample, where somebody looked. `nowMs`: monotonic. */
  readonly received: (
    terminal: string,
    bytes: number,
    ageMs: number | undefined,
    nowMs: number,
  ) => void;
  /** To be called about once a second. */
  readonly tick: (load: Omit<Load, 'live'>, nowMs: number) => void;
  /** What a terminal may send of its backlog, for its next acknowledgement. */
  readonly share: () => number;
  readonly isCatchingUp: (terminal: string) => boolean;
  readonly figures: () => { readonly bytesPerSecond: number; readonly terminals: number };
};

/** @param max bytes a second for all terminals together, apart from the floor of each. */
export function createPace(max = BACKLOG_BYTES_PER_SECOND): Pace {
  const catchingUp = new Map<string, { readonly untilMs: number }>();
  let budget = firstBudget(max);
  let liveBytes = 0;
  let atMs: number | undefined;

  const share = (): number => {
    const each = budget.bytesPerSecond / Math.max(1, catchingUp.size);
    return Math.max(FLOOR_BYTES_PER_SECOND, Math.floor(each));
  };
  function quietMs(bytes: number): number {
    const batchMs = (bytes / share()) * 1000;
    return Math.min(QUIET_MS_MAX, Math.max(QUIET_MS_MIN, batchMs * BATCHES_MISSED));
  }
  return {
    received: (terminal, bytes, ageMs, nowMs) => {
      const isBacklog = ageMs !== undefined && ageMs > BACKLOG_AGE_MS;
      const isKnown = catchingUp.has(terminal);
      if (isBacklog && (isKnown || catchingUp.size < CATCHING_UP_MAX)) {
        catchingUp.set(terminal, { untilMs: nowMs + quietMs(bytes) });
      } else if (!isKnown) liveBytes += bytes;
    },
    tick: (load, nowMs) => {
      for (const [terminal, { untilMs }] of catchingUp) {
        if (untilMs < nowMs) catchingUp.delete(terminal);
      }
      const seconds = atMs === undefined ? 0 : Math.max(0, nowMs - atMs) / 1000;
      atMs = nowMs;
      if (seconds === 0) return;
      const live = liveBytes / seconds;
      liveBytes = 0;
      budget = stepBudget(
        budget,
        { ...load, live },
        { seconds, max, isAsked: catchingUp.size > 0 },
      );
    },
    share,
    isCatchingUp: (terminal) => catchingUp.has(terminal),
    figures: () => ({
      bytesPerSecond: Math.floor(budget.bytesPerSecond),
      terminals: catchingUp.size,
    }),
  };
}
