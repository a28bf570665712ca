// The shape of the agent's configuration: every key with its bounds, its default and the sentence that a
// person reads when it is wrong. Only what one value alone can tell is checked here; how values fit
// together is in config.ts. The numbers are the shipped defaults that tests and benchmarks run with.

import * as v from 'valibot';
import { parsePublicKey } from '../protocol/commands.ts';
import { ID_PATTERN, ID_RULE } from '../protocol/ids.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** What holds where the configuration is silent. */
export const DEFAULTS = {
  onExit: 'leave',
  broker: { host: '127.0.0.1', port: 1883 },
  link: { reconnectMsMin: SECOND, reconnectMsMax: 5 * MINUTE },
  sampling: { everyMs: 15 * SECOND, sendMs: MINUTE },
  /** Of each component. */
  output: { bytesMax: 10 * 1024 * 1024 },
  version: 'unknown',
  restart: 'permanent',
  beatMs: 500,
  /** design.md, Hangs: not running and no switches is clear after 2 s, a computation may take 5 s. */
  hang: { blockedMs: 2 * SECOND, spinningMs: 5 * SECOND },
  start: { timeoutMs: 20 * SECOND, timeoutMsMax: 5 * MINUTE },
  stop: { graceMs: 3 * SECOND },
  backoff: { minMs: 250, maxMs: 30 * SECOND, stableMs: MINUTE },
  /** Five in five minutes, then a human is needed; meanwhile one slow try a minute for ever. */
  budget: { restarts: 5, windowMs: 5 * MINUTE, retryMs: MINUTE },
  probe: { everyMs: SECOND, timeoutMs: SECOND, failures: 3 },
} as const;

export const COMPONENTS_MAX = 32;
export const PROBES_MAX = 8;
export const ARGUMENTS_MAX = 64;
export const ENVIRONMENT_MAX = 100;
export const COMMAND_KEYS_MAX = 8;

const TEXT_CHARS_MAX = 4_096;

const text = (what: string, max = TEXT_CHARS_MAX) =>
  v.pipe(
    v.string(`must be ${what}, as text (in quotes when it looks like a number)`),
    v.minLength(1, `must be ${what}, not empty`),
    v.maxLength(max, `must be ${what} of at most ${max} characters`),
  );

function whole(min: number, max: number, what: string) {
  const sentence = `must be ${what} from ${min} to ${max}`;
  return v.pipe(
    v.number(sentence),
    v.integer(sentence),
    v.minValue(min, sentence),
    v.maxValue(max, sentence),
  );
}

const ms = (min: number, max: number) => whole(min, max, 'a whole number of milliseconds');
const oneOf = <const T extends readonly string[]>(...words: T) =>
  v.picklist(words, `must be one of: ${words.join(', ')}`);
const list = <T extends v.GenericSchema>(item: T, max: number) =>
  v.pipe(v.array(item, 'must be a list'), v.maxLength(max, `must have at most ${max} entries`));
const truth = v.boolean('must be true or false');

/** Not valibot's strictObject: that names only the first of several keys it does not know. */
const strict = <T extends v.ObjectEntries>(entries: T) =>
  v.pipe(
    v.objectWithRest(
      entries,
      v.never(`is not a key that belongs here; known are: ${Object.keys(entries).join(', ')}`),
    ),
    v.transform((value) => value as v.InferOutput<v.ObjectSchema<T, undefined>>),
  );

const id = v.pipe(text('a name', 64), v.regex(ID_PATTERN, ID_RULE));
const port = whole(1, 65_535, 'a port: a whole number');

/** @returns whether the name can only mean this machine. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' ||
  host === '::1' ||
  host === '[::1]' ||
  /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);

const probeHost = v.pipe(
  text('a host', 255),
  v.check(
    isLoopback,
    'must be on this machine (127.0.0.1, ::1 or localhost): a remote that does not answer is no sign of a hung component',
  ),
);

export function isLoopbackUrl(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed?.protocol === 'http:' && isLoopback(parsed.hostname);
}

const localUrl = v.pipe(
  text('a URL'),
  v.check(isLoopbackUrl, 'must be an http:// URL on this machine (127.0.0.1, ::1 or localhost)'),
);

const command = v.pipe(
  list(v.string('must be text (in quotes when it looks like a number)'), ARGUMENTS_MAX),
  v.check((words) => (words[0] ?? '') !== '', 'must begin with the program to run'),
);

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

const probeTiming = {
  everyMs: v.optional(ms(100, HOUR), DEFAULTS.probe.everyMs),
  timeoutMs: v.optional(ms(50, 5 * MINUTE), DEFAULTS.probe.timeoutMs),
  failures: v.optional(
    whole(1, 100, 'a whole number of failures in a row'),
    DEFAULTS.probe.failures,
  ),
};
const probe = v.variant(
  'kind',
  [
    v.objectWithRest(
      { kind: v.literal('http'), url: localUrl, ...probeTiming },
      v.never('is not a key of an http probe; known are: kind, url, everyMs, timeoutMs, failures'),
    ),
    v.objectWithRest(
      {
        kind: v.literal('tcp'),
        host: v.optional(probeHost, '127.0.0.1'),
        port,
        ...probeTiming,
      },
      v.never(
        'is not a key of a tcp probe; known are: kind, host, port, everyMs, timeoutMs, failures',
      ),
    ),
    v.objectWithRest(
      { kind: v.literal('exec'), command, ...probeTiming },
      v.never(
        'is not a key of an exec probe; known are: kind, command, everyMs, timeoutMs, failures',
      ),
    ),
  ],
  'must be a probe of kind http, tcp or exec',
);

export const componentSchema = strict({
  name: id,
  command,
  cwd: v.optional(text('a folder')),
  env: v.optional(environment, {}),
  version: v.optional(text('a version', 64), DEFAULTS.version),
  after: v.optional(list(id, COMPONENTS_MAX), []),
  channel: v.optional(truth, true),
  restart: v.optional(oneOf('permanent', 'transient', 'temporary'), DEFAULTS.restart),
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
  stop: v.optional(strict({ graceMs: v.optional(ms(0, 3 * MINUTE), DEFAULTS.stop.graceMs) }), {}),
  backoff: v.optional(
    strict({
      minMs: v.optional(ms(10, HOUR), DEFAULTS.backoff.minMs),
      maxMs: v.optional(ms(10, HOUR), DEFAULTS.backoff.maxMs),
      stableMs: v.optional(ms(100, 24 * HOUR), DEFAULTS.backoff.stableMs),
    }),
    {},
  ),
  budget: v.optional(
    strict({
      restarts: v.optional(whole(1, 1_000, 'a whole number of restarts'), DEFAULTS.budget.restarts),
      windowMs: v.optional(ms(SECOND, 24 * HOUR), DEFAULTS.budget.windowMs),
      retryMs: v.optional(ms(100, 24 * HOUR), DEFAULTS.budget.retryMs),
    }),
    {},
  ),
  probes: v.optional(list(probe, PROBES_MAX), []),
  metricsUrl: v.optional(localUrl),
});

const commandKey = v.pipe(
  text('a key'),
  v.check(
    (key) => parsePublicKey(key).ok,
    'must read ed25519: and 44 characters of base64, as the broker prints it',
  ),
);

const brokerHost = v.pipe(
  text('a host', 255),
  v.check(
    isLoopback,
    'must be on this machine (127.0.0.1, ::1 or localhost) until the link is encrypted: this version has no certificates yet',
  ),
);

export const agentSchema = strict({
  terminal: id,
  dataDir: text('a folder'),
  runDir: text('a folder'),
  logDir: v.optional(text('a folder')),
  onExit: v.optional(oneOf('leave', 'stop'), DEFAULTS.onExit),
  broker: v.optional(
    strict({
      host: v.optional(brokerHost, DEFAULTS.broker.host),
      port: v.optional(port, DEFAULTS.broker.port),
    }),
    {},
  ),
  link: v.optional(
    strict({
      reconnectMsMin: v.optional(ms(10, HOUR), DEFAULTS.link.reconnectMsMin),
      reconnectMsMax: v.optional(ms(10, HOUR), DEFAULTS.link.reconnectMsMax),
    }),
    {},
  ),
  trust: v.optional(
    strict({ commandKeys: v.optional(list(commandKey, COMMAND_KEYS_MAX), []) }),
    {},
  ),
  sampling: v.optional(
    strict({
      everyMs: v.optional(ms(100, HOUR), DEFAULTS.sampling.everyMs),
      sendMs: v.optional(ms(100, 24 * HOUR), DEFAULTS.sampling.sendMs),
    }),
    {},
  ),
  output: v.optional(
    strict({
      bytesMax: v.optional(
        whole(64 * 1024, 1024 ** 3, 'a whole number of bytes'),
        DEFAULTS.output.bytesMax,
      ),
    }),
    {},
  ),
  components: v.pipe(
    list(componentSchema, COMPONENTS_MAX),
    v.minLength(1, 'must name at least one component to watch'),
  ),
});
