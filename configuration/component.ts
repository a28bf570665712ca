// One component in the agent's configuration: every key with its bounds, its default and the sentence that a person
// reads when it is wrong. How values fit together is checked in config.ts; the defaults are in defaults.ts.

import * as v from 'valibot';
import { DRILL_COMPONENT } from '../protocol/drill.ts';
import { CAUSES } from '../protocol/events.ts';
import { DEFAULTS } from './defaults.ts';
import { countersSchema, metricsSchema } from './metrics.ts';
import {
  command,
  DAY,
  HOUR,
  id,
  list,
  localHost,
  localUrl,
  MINUTE,
  ms,
  oneOf,
  port,
  SECOND,
  strict,
  TEXT_CHARS_MAX,
  text,
  truth,
  whole,
} from './words.ts';

export const COMPONENTS_MAX = 32;
export const PROBES_MAX = 8;
export const ENVIRONMENT_MAX = 100;
export const HELD_MAX = 16;

const environmentName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not a name for an environment variable'),
  v.check(
    (name) => !name.startsWith('TILLWATCH_'),
    'is set by the agent itself: choose another name',
  ),
);
const environment = v.pipe(
  v.record(
    environmentName,
    v.pipe(
      v.string('must be text (in quotes when it looks like a number)'),
      v.maxLength(TEXT_CHARS_MAX),
    ),
    'must be names with their values',
  ),
  v.check(
    (names) => Object.keys(names).length <= ENVIRONMENT_MAX,
    `must have at most ${ENVIRONMENT_MAX} entries`,
  ),
);

/** By name and not by number: groups hang on the name. The portable set of POSIX 3.426, and useradd(8)'s length. */
export const account = (what: string) =>
  v.pipe(
    text(what, 32),
    v.regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, `must be ${what} of the till, by name`),
  );

const probeTiming = {
  everyMs: v.optional(ms(100, HOUR), DEFAULTS.probe.everyMs),
  timeoutMs: v.optional(ms(50, 5 * MINUTE), DEFAULTS.probe.timeoutMs),
  failures: v.optional(
    whole(1, 100, 'a whole number of failures in a row'),
    DEFAULTS.probe.failures,
  ),
};

/** One kind of probe with its own keys; an unknown key is told with those that are known. */
function probeOf<const K extends string, E extends v.ObjectEntries>(kind: K, entries: E) {
  const known = ['kind', ...Object.keys(entries), ...Object.keys(probeTiming)].join(', ');
  return v.objectWithRest(
    { kind: v.literal(kind), ...entries, ...probeTiming },
    v.never(`is not a key of a ${kind} probe; known are: ${known}`),
  );
}

const probe = v.variant(
  'kind',
  [
    probeOf('http', { url: localUrl }),
    probeOf('tcp', { host: v.optional(localHost, '127.0.0.1'), port }),
    probeOf('exec', { command }),
    /**
     * Reads the component's own output, or `path`: fails from a line with `failOn` until one with `expect`
     * (without that, for the rest of its life), and when nothing at all (with `expect`: no such line) came
     * for `silenceMs`. Alone, `expect` is the line by which it says that it is ready. Patterns are RE2's.
     */
    probeOf('log', {
      path: v.optional(text('a file')),
      failOn: v.optional(text('a pattern', 500)),
      expect: v.optional(text('a pattern', 500)),
      silenceMs: v.optional(ms(SECOND, DAY)),
    }),
    /** Fails when the file is missing or was not written for longer than `ageMsMax`. */
    probeOf('file', { path: text('a file'), ageMsMax: ms(SECOND, DAY) }),
  ],
  'must be a probe of kind http, tcp, exec, log or file',
);

const count = whole(1, 1_000, 'a whole number');
const rungBudget = {
  times: count,
  windowMs: ms(SECOND, 7 * DAY),
  /** After this rung was used, so long nothing above `restart` is. */
  coolDownMs: ms(0, DAY),
};
/** How often a rung may be used; what is silent comes from `defaults`. */
export const rung = <E extends v.ObjectEntries>(
  defaults: { readonly times: number; readonly windowMs: number; readonly coolDownMs: number },
  entries: E,
) =>
  strict({
    times: v.optional(rungBudget.times, defaults.times),
    windowMs: v.optional(rungBudget.windowMs, defaults.windowMs),
    coolDownMs: v.optional(rungBudget.coolDownMs, defaults.coolDownMs),
    ...entries,
  });

/** A program that does one rung's work: exit 0 says that it did. */
export const hookEntries = {
  command,
  timeoutMs: v.optional(ms(100, 10 * MINUTE), DEFAULTS.hook.timeoutMs),
};

const exitCodes = list(whole(0, 255, 'an exit code: a whole number'), 32);
const ratio = v.pipe(
  v.number('must be a share from 0.05 to 1'),
  v.minValue(0.05, 'must be a share from 0.05 to 1'),
  v.maxValue(1, 'must be a share from 0.05 to 1'),
);
/** A series of the component's own /metrics; without labels, the sum over all that have the name. */
const series = strict({
  metric: v.pipe(
    text('a metric name', 200),
    v.regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/, 'is not a metric name'),
  ),
  labels: v.optional(
    v.record(v.string(), v.string('must be text'), 'must be labels with their values'),
    {},
  ),
});

/** Every key of one component. */
export const componentSchema = strict({
  name: v.pipe(
    id,
    v.check(
      (name) => name !== DRILL_COMPONENT,
      'is the name of what a drill breaks: choose another',
    ),
  ),
  /** external: something else starts it (a systemd unit, a kiosk script); see `external`. */
  run: v.optional(oneOf('managed', 'external'), DEFAULTS.run),
  command: v.optional(command),
  /**
   * pid prints the pid of the main process (exit 0), or names it in a file; start and stop are run where the
   * watchdog would start and ask to stop by itself. Without start it waits for whoever starts it.
   */
  external: v.optional(
    strict({
      pid: v.union(
        [strict({ command }), strict({ file: text('a file') })],
        'must hold command or file',
      ),
      start: v.optional(strict(hookEntries)),
      stop: v.optional(strict(hookEntries)),
    }),
  ),
  cwd: v.optional(text('a folder')),
  /** Another user of the till than the agent's own, and a group where it is not that user's own. */
  user: v.optional(account('a user')),
  group: v.optional(account('a group')),
  env: v.optional(environment, {}),
  version: v.optional(text('a version', 64), DEFAULTS.version),
  after: v.optional(list(id, COMPONENTS_MAX), []),
  channel: v.optional(truth, true),
  /** A thread beside the main one that tells its stack when it hangs; 18 MB. Node components only. */
  witness: v.optional(truth, false),
  /** observe: everything is decided, explained and counted, and nothing is killed. Default: the agent's. */
  mode: v.optional(oneOf('act', 'observe')),
  restart: v.optional(oneOf('permanent', 'transient', 'temporary'), DEFAULTS.restart),
  /** rest_for_one: when it fails, what comes after it is restarted with it. */
  strategy: v.optional(oneOf('one_for_one', 'rest_for_one'), DEFAULTS.strategy),
  beatMs: v.optional(ms(50, MINUTE), DEFAULTS.beatMs),
  hang: v.optional(
    strict({
      blockedMs: v.optional(ms(500, 10 * MINUTE), DEFAULTS.hang.blockedMs),
      spinningMs: v.optional(ms(500, HOUR), DEFAULTS.hang.spinningMs),
    }),
    {},
  ),
  start: v.optional(
    strict({
      timeoutMs: v.optional(ms(100, HOUR), DEFAULTS.start.timeoutMs),
      timeoutMsMax: v.optional(ms(100, HOUR), DEFAULTS.start.timeoutMsMax),
    }),
    {},
  ),
  /** 180 s is the longest that a tender in flight may take (design.md, Recovery ladder). */
  stop: v.optional(
    strict({
      graceMs: v.optional(ms(0, 3 * MINUTE), DEFAULTS.stop.graceMs),
      graceMsMax: v.optional(ms(0, HOUR), DEFAULTS.stop.graceMsMax),
      /** Between SIGABRT and SIGKILL, for a dump; 0: no SIGABRT. */
      abortMs: v.optional(ms(0, MINUTE), DEFAULTS.stop.abortMs),
    }),
    {},
  ),
  exit: v.optional(
    strict({
      success: v.optional(exitCodes, [...DEFAULTS.exit.success]),
      permanent: v.optional(exitCodes, [...DEFAULTS.exit.permanent]),
      /** The fault of a remote party: restarted with backoff, never climbs the ladder. */
      remote: v.optional(exitCodes, [...DEFAULTS.exit.remote]),
    }),
    {},
  ),
  /** Restarted at idle when it is older; jitterMs spreads a fleet. */
  age: v.optional(
    strict({ maxMs: ms(MINUTE, 366 * DAY), jitterMs: v.optional(ms(0, 7 * DAY), 0) }),
  ),
  /** Ceilings that a restart at idle puts right: over at k of the last n looks. */
  limits: v.optional(
    strict({
      memoryBytes: v.optional(whole(1024 * 1024, 1024 ** 4, 'a whole number of bytes')),
      descriptors: v.optional(whole(8, 10_000_000, 'a whole number of descriptors')),
      descriptorsRatio: v.optional(ratio, DEFAULTS.limits.descriptorsRatio),
      /** Of one core, over everyMs. */
      cpuRatio: v.optional(
        v.pipe(v.number('must be a number of cores'), v.minValue(0.05), v.maxValue(1_024)),
      ),
      everyMs: v.optional(ms(250, HOUR), DEFAULTS.limits.everyMs),
      k: v.optional(count, DEFAULTS.limits.k),
      n: v.optional(count, DEFAULTS.limits.n),
    }),
    {},
  ),
  /** Work waits and none completes, told by its own metrics; `unless` is 0 while a remote party is away. */
  progress: v.optional(
    strict({
      waiting: series,
      completed: series,
      unless: v.optional(series),
      stalledMs: v.optional(ms(SECOND, DAY), DEFAULTS.progress.stalledMs),
    }),
  ),
  tenderMsMax: v.optional(ms(0, 3 * MINUTE), DEFAULTS.tenderMsMax),
  backoff: v.optional(
    strict({
      minMs: v.optional(ms(10, HOUR), DEFAULTS.backoff.minMs),
      maxMs: v.optional(ms(10, HOUR), DEFAULTS.backoff.maxMs),
      stableMs: v.optional(ms(100, DAY), DEFAULTS.backoff.stableMs),
    }),
    {},
  ),
  budget: v.optional(
    strict({
      restarts: v.optional(whole(1, 1_000, 'a whole number of restarts'), DEFAULTS.budget.restarts),
      windowMs: v.optional(ms(SECOND, DAY), DEFAULTS.budget.windowMs),
      retryMs: v.optional(ms(100, DAY), DEFAULTS.budget.retryMs),
      /** Fewer for one cause; all count against `restarts`. */
      causes: v.optional(
        v.record(
          v.picklist(CAUSES, `must be a cause: ${CAUSES.join(', ')}`),
          whole(0, 1_000, 'a whole number of restarts'),
          'must be causes with numbers',
        ),
        {},
      ),
    }),
    {},
  ),
  /** The rungs of the recovery ladder that are this component's own. */
  heal: v.optional(
    rung(DEFAULTS.ladder.heal, { command: v.optional(command), timeoutMs: hookEntries.timeoutMs }),
  ),
  reset: v.optional(rung(DEFAULTS.ladder.reset, hookEntries)),
  /** What must be free again before it is started; whoever still holds it is named. */
  holds: v.optional(
    strict({
      ports: v.optional(list(port, HELD_MAX), []),
      files: v.optional(list(text('a device or a file'), HELD_MAX), []),
    }),
    {},
  ),
  probes: v.optional(list(probe, PROBES_MAX), []),
  metricsUrl: v.optional(localUrl),
  /** What is sent of its own metrics, and what is counted from its output. */
  metrics: v.optional(metricsSchema, {}),
  counters: v.optional(countersSchema, []),
});
