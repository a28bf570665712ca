// The shipped defaults: what holds where a configuration is silent. They are meant to be kept; tests, drills and
// benchmarks run with them, so that the same settings that find hangs are those that spare what is none. The
// reasons of single numbers stand beside them (research/supervisors.md, Suggested defaults).

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const MEBIBYTE = 1024 * 1024;

export const DEFAULTS = {
  onExit: 'leave',
  mode: 'act',
  broker: { host: '127.0.0.1', port: 1883 },
  bounds: { restartsPerHour: 30, rebootsPerHour: 1 },
  link: { reconnectMsMin: SECOND, reconnectMsMax: 5 * MINUTE },
  sampling: { everyMs: 15 * SECOND, sendMs: MINUTE, seriesMax: 150 },
  /** Of each component. Unread bytes beyond the rate are given up, counted and marked. */
  output: { bytesMax: 10 * MEBIBYTE, bytesPerSecondMax: MEBIBYTE },
  /** Of each component, packed; five to ten times as much text. */
  journal: { bytesMax: 50 * MEBIBYTE, days: 30 },
  /** Of the line, over time; the rest is the till's and the store's. */
  logs: { uplinkShare: 0.3 },
  version: 'unknown',
  run: 'managed',
  restart: 'permanent',
  strategy: 'one_for_one',
  beatMs: 500,
  /** design.md, Hangs: not running and no switches is clear after 2 s, a computation may take 5 s. */
  hang: { blockedMs: 2 * SECOND, spinningMs: 5 * SECOND },
  start: { timeoutMs: 20 * SECOND, timeoutMsMax: 5 * MINUTE },
  /** abortMs 0: no SIGABRT, because the core file that it leaves can hold card data. */
  stop: { graceMs: 3 * SECOND, graceMsMax: MINUTE, abortMs: 0 },
  backoff: { minMs: 250, maxMs: 30 * SECOND, stableMs: MINUTE },
  /** Five in five minutes, then the next rung; in quarantine one slow try a minute for ever. */
  budget: { restarts: 5, windowMs: 5 * MINUTE, retryMs: MINUTE },
  /** s6: 125 says that starting again cannot help; sysexits: 75 is a temporary failure of somebody else. */
  exit: { success: [0], permanent: [125], remote: [75] },
  /** K of the last N looks, then a restart at idle. Descriptors: a share of the process's own limit. */
  limits: { everyMs: 5 * SECOND, k: 3, n: 5, descriptorsRatio: 0.9 },
  /** A hang is not killed while money moves: until the tender's own deadline, at most this. */
  tenderMsMax: 3 * MINUTE,
  probe: { everyMs: SECOND, timeoutMs: SECOND, failures: 3 },
  progress: { stalledMs: 2 * MINUTE },
  hook: { timeoutMs: 30 * SECOND },
  ladder: {
    heal: { times: 1, windowMs: MINUTE, coolDownMs: 10 * SECOND },
    dependants: { times: 2, windowMs: 15 * MINUTE, coolDownMs: 30 * SECOND },
    reset: { times: 2, windowMs: 30 * MINUTE, coolDownMs: MINUTE },
    all: { times: 2, windowMs: 30 * MINUTE, coolDownMs: MINUTE },
    /** At most once an hour and three a day, and never soon after a boot: a loop must be impossible. */
    reboot: { uptimeMsMin: 15 * MINUTE, hourMax: 1, dayMax: 3 },
  },
  evidence: { bundlesMax: 20, bytesMax: 50 * MEBIBYTE },
  /** What is shed below `lowBytes`, and what is never touched. */
  disk: { lowBytes: 1024 * MEBIBYTE, floorBytes: 200 * MEBIBYTE, reserveBytes: 8 * MEBIBYTE },
  drills: false,
} as const;
