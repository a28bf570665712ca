// What the agent needs from the world, as types. system.ts is the real thing; tests bring fakes with a
// clock that is moved by hand. Nothing else in agent/ touches time, processes or files by itself.

import type { Result } from '../protocol/result.ts';

/** Monotonic for durations and deadlines, wall only for records: tills' clocks jump. */
export type Clock = {
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
};

export type Cancel = () => void;

export type Timers = {
  /** After 0 means as soon as all sockets were read that have something now, without waking up once more. */
  readonly after: (ms: number, run: () => void) => Cancel;
  readonly every: (ms: number, run: () => void) => Cancel;
};

/** The agent's own log (winston behind it); fields must hold no card data. */
export type Log = {
  readonly info: (message: string, fields?: Record<string, unknown>) => void;
  readonly warn: (message: string, fields?: Record<string, unknown>) => void;
  readonly error: (message: string, fields?: Record<string, unknown>) => void;
};

/** Clock plus what tells a suspended or restarted machine from a running one. */
export type BootClock = Clock & {
  /** Changes with every boot of the machine; empty where there is none. */
  readonly bootId: () => string;
  /**
   * Since boot, suspended time included (Node's own monotonic clock stops in suspend, so the difference
   * between the two grows by exactly the time suspended); resolution 10 ms.
   */
  readonly bootMs: () => number;
};

/** Synchronous, for small files on tmpfs and /proc: bounded reads, and absence is not an error. */
export type Files = {
  /** At most the first `bytesMax` bytes; undefined when absent, unreadable or gone meanwhile. */
  readonly read: (path: string, bytesMax?: number) => string | undefined;
  /**
   * As `read`, for small files of /proc that are read again and again: it stays open, which is one system call
   * instead of four, and of a process that is gone nothing is read, whoever has its number now [proc(5)].
   */
  readonly reread: (path: string) => string | undefined;
  /** At most the last `bytesMax` bytes. */
  readonly readEnd: (path: string, bytesMax: number) => string | undefined;
  readonly list: (path: string) => readonly string[];
  /** How many entries a folder has, as far as is worth counting; undefined when it may not be read. */
  readonly count: (path: string) => number | undefined;
  /** At most `max` names of a folder, in its own order: a leak of descriptors makes a million. */
  readonly some: (path: string, max: number) => readonly string[];
  /** Where a symbolic link leads; for /proc/PID/fd/N, what is open there. */
  readonly readLink: (path: string) => string | undefined;
  /** Which file that is whatever it is called, links followed: equal for equal files and devices. */
  readonly nodeOf: (path: string) => string | undefined;
  readonly isDirectory: (path: string) => boolean;
  readonly makeDirectory: (path: string, mode: number) => Result<void>;
  /** Readers see the old text or the new, never half; not synced to disk. */
  readonly replace: (path: string, text: string, mode: number) => Result<void>;
  readonly remove: (path: string) => void;
};

/** Another user than the agent's own, by name; the group is that user's own where none is said. */
export type RunAs = { readonly user: string; readonly group?: string | undefined };

export type StartSpec = {
  readonly command: readonly string[];
  readonly as?: RunAs | undefined;
  /**
   * How many words of `command` still run as the agent, with all that it may: a shim, which has to signal what
   * follows it. From there on nothing of the agent's is left, whoever it runs as.
   */
  readonly ownWords?: number | undefined;
  readonly cwd?: string | undefined;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Output is appended here; without it, or where that cannot be opened, it goes nowhere. Never a pipe
   * (research/supervisors.md e).
   */
  readonly logFile?: string | undefined;
};

export type Signal = 'SIGTERM' | 'SIGCONT' | 'SIGABRT' | 'SIGKILL' | 'SIGSTOP';

export type Processes = {
  readonly ownPid: number;
  /** Starts a program as leader of a session and group of its own, stdin empty. */
  readonly start: (
    spec: StartSpec,
    onExit: (code: number | undefined, signal: string | undefined) => void,
  ) => Promise<Result<{ readonly pid: number; readonly outputLost?: string | undefined }>>;
  /** kill(2): a negative pid is a group. Whether it could be delivered. */
  readonly signal: (pid: number, signal: Signal) => boolean;
  /** What is written to a FIFO, and once that its last writer is gone; undefined: cannot be opened. */
  readonly listenFifo: (
    fifo: string,
    heard: (text: string) => void,
    gone: () => void,
  ) => Cancel | undefined;
};

export type Ports = {
  readonly clock: BootClock;
  readonly timers: Timers;
  readonly files: Files;
  readonly processes: Processes;
  /** In [0, 1); for jitter only. */
  readonly random: () => number;
};
