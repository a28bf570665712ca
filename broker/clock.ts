// Time for the broker, as a value that is passed in, so that tests move it by hand and only this file
// touches the machine's clock. Wall time is for records and acknowledgements, monotonic for
// durations: the broker's clock may be set, too.

/** Monotonic for durations and deadlines, wall only for records. */
export type Clock = {
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
};

export type Cancel = () => void;

export type Timers = {
  readonly after: (ms: number, run: () => void) => Cancel;
  readonly every: (ms: number, run: () => void) => Cancel;
};

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};

export const systemTimers: Timers = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
};
