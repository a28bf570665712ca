// What the agent needs from the world, as types. system.ts is the real thing; tests bring fakes with a
// clock that is moved by hand. Nothing else in agent/ touches time, processes or files by itself.

/** Monotonic for durations and deadlines, wall only for records: tills' clocks jump. */
export type Clock = {
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
};

export type Cancel = () => void;

export type Timers = {
  readonly after: (ms: number, run: () => void) => Cancel;
  readonly every: (ms: number, run: () => void) => Cancel;
};

/** The agent's own log (winston behind it); fields must hold no card data. */
export type Log = {
  readonly info: (message: string, fields?: Record<string, unknown>) => void;
  readonly warn: (message: string, fields?: Record<string, unknown>) => void;
  readonly error: (message: string, fields?: Record<string, unknown>) => void;
};
