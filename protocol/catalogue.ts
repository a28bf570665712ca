// Everything that an operator can have done at a terminal: one closed, typed table. The wire, the HTTP API, the command
// line and the agent's executor are made from it, so that a row without one of them does not compile, and each
// row says what it does to a sale, who may ask for it and how long it waits for a terminal that is away.

import * as v from 'valibot';
import { ID_PATTERN, ID_RULE, UUID_PATTERN } from './ids.ts';
import * as limits from './limits.ts';

/** What an operator may do: look; act on terminals; change the fleet and who belongs to it. */
export const ROLES = ['viewer', 'oncall', 'admin'] as const;
export type Role = (typeof ROLES)[number];
export const isAllowed = (role: Role, minimum: Role): boolean =>
  ROLES.indexOf(role) >= ROLES.indexOf(minimum);

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const component = v.pipe(v.string(), v.regex(ID_PATTERN, ID_RULE));
const device = v.pipe(v.string(), v.regex(ID_PATTERN, ID_RULE));
const request = v.pipe(v.string(), v.regex(UUID_PATTERN, 'a request is named by a uuid'));
const timeMs = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const lastsMs = (min: number, max: number) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max));
/** Also while it is busy; the reason of the command says why. */
const force = v.optional(v.boolean());
const line = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));

/** What `tillwatch drill` can cause. Without a component, a component made for it is broken. */
export const DRILL_FAULTS = [
  'hang',
  'stop',
  'deadlock',
  'leak',
  'crash-loop',
  'fork',
  'log-flood',
  'port-held',
  'disk-full',
] as const;
export type DrillFault = (typeof DRILL_FAULTS)[number];

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** None: all. */
const components = v.pipe(v.array(component), v.maxLength(limits.LOG_COMPONENTS_MAX));
/** Which records of a journal: of this level or worse; with this text in them, case ignored. */
const records = {
  level: v.optional(v.picklist(LOG_LEVELS)),
  text: v.optional(line(limits.LOG_PATTERN_CHARS_MAX)),
};

export const COMMAND_EXPIRY_MS = 5 * MINUTE;
/** A request for logs waits this long for a terminal that is not there. */
export const LOGS_EXPIRY_MS = 24 * HOUR;

export type Row<S extends v.GenericSchema = v.GenericSchema> = {
  readonly arguments: S;
  /** For help and dialogs: what it does, as an order. */
  readonly what: string;
  /** `waits`: until no sale is open, or its ceiling, unless forced. `untouched`: no sale can notice it. */
  readonly sale: 'waits' | 'untouched';
  /** Whether a cashier may be unable to sell while it runs: it goes to several stores only with care. */
  readonly stopsSelling: boolean;
  readonly role: Role;
  readonly expiryMs: number;
  /** Whether it may be sent to many terminals at once. */
  readonly bulk: boolean;
  /** Which of the till's own hourly bounds it counts against. */
  readonly bound?: 'restarts' | 'reboots';
};

const row = <S extends v.GenericSchema>(args: S, rest: Omit<Row<S>, 'arguments'>): Row<S> => ({
  arguments: args,
  ...rest,
});

const quiet = { sale: 'untouched', stopsSelling: false, expiryMs: COMMAND_EXPIRY_MS } as const;
const planned = { sale: 'waits', stopsSelling: true, expiryMs: COMMAND_EXPIRY_MS } as const;

export const catalogue = {
  restart: row(v.strictObject({ component, force }), {
    ...{ ...planned, role: 'oncall', bulk: true, bound: 'restarts' },
    what: 'restart a component; waits while it is in the middle of a sale',
  }),
  stop: row(v.strictObject({ component, force }), {
    ...{ ...planned, role: 'admin', bulk: true, bound: 'restarts' },
    what: 'stop a component and leave it stopped until it is started again',
  }),
  start: row(v.strictObject({ component }), {
    ...{ ...quiet, role: 'oncall', bulk: true },
    what: 'start a component that was stopped',
  }),
  restart_all: row(v.strictObject({ force }), {
    ...{ ...planned, role: 'oncall', bulk: true, bound: 'restarts' },
    what: 'restart all components of a terminal, in order, when no sale is open',
  }),
  reboot: row(v.strictObject({ force }), {
    ...{ ...planned, role: 'admin', bulk: true, bound: 'reboots' },
    what: 'restart the machine, when no sale is open',
  }),
  probe: row(v.strictObject({ component: v.optional(component) }), {
    ...{ ...quiet, role: 'oncall', bulk: true },
    what: 'look at a component now, by every probe that it has, and tell what was found',
  }),
  diagnose: row(v.strictObject({ request }), {
    ...{ ...quiet, role: 'oncall', bulk: false },
    what: 'collect one redacted bundle: states, evidence, queues, network, certificates, clock',
  }),
  unquarantine: row(v.strictObject({ component }), {
    ...{ ...quiet, role: 'oncall', bulk: true },
    what: 'release a component from quarantine and try it again at once',
  }),
  reset_budget: row(v.strictObject({ component: v.optional(component) }), {
    ...{ ...quiet, role: 'oncall', bulk: false },
    what: 'give back the used budgets of the recovery ladder',
  }),
  reopen: row(v.strictObject({ component, device }), {
    ...{ ...quiet, sale: 'waits', role: 'oncall', bulk: false },
    what: 'close a device and open it again',
  }),
  hold: row(
    v.strictObject({
      forMs: lastsMs(SECOND, limits.MAINTENANCE_MS_MAX),
      /** The maintenance that it is a part of; another one, or the same anew, replaces it. */
      maintenance: v.optional(request),
    }),
    {
      ...{ ...quiet, role: 'oncall', bulk: true },
      what: 'let the watchdog of a terminal only watch for a while; it ends by itself',
    },
  ),
  /** Of a maintenance: only what that one holds; else only what somebody holds by themselves. */
  release: row(v.strictObject({ maintenance: v.optional(request) }), {
    ...{ ...quiet, role: 'oncall', bulk: true },
    what: 'end a hold',
  }),
  log_level: row(
    v.strictObject({
      component,
      level: v.picklist(LOG_LEVELS),
      forMs: lastsMs(SECOND, 24 * HOUR),
    }),
    {
      ...{ ...quiet, role: 'oncall', bulk: false },
      what: 'let a component, or the agent, log more or less for a while',
    },
  ),
  configure: row(
    v.strictObject({
      yaml: line(8_000),
      sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'a SHA-256 in hex')),
    }),
    {
      ...{ ...quiet, role: 'admin', bulk: true },
      what: 'apply settings to a running agent; kept over its restarts',
    },
  ),
  /** A version of the fleet configuration, whole; what a till may decide alone is not in it (configuration/fleet.ts). */
  apply: row(
    v.strictObject({
      name: v.pipe(v.string(), v.regex(ID_PATTERN, ID_RULE)),
      version: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
      /** Of the document as its author wrote it. */
      sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'a SHA-256 in hex')),
      /** The document: deflated (RFC 1951), in base64. */
      packed: v.pipe(
        v.string(),
        v.regex(/^[A-Za-z0-9+/]+={0,2}$/, 'base64'),
        v.maxLength(limits.CONFIGURATION_PACKED_CHARS_MAX),
      ),
      readyMs: v.optional(lastsMs(5 * SECOND, limits.CONFIGURATION_READY_MS_MAX)),
    }),
    {
      ...{ ...planned, expiryMs: 30 * MINUTE, role: 'admin', bulk: true },
      what: 'apply a version of the fleet configuration; a till that is not ready under it goes back by itself',
    },
  ),
  purge_logs: row(v.strictObject({ component: v.optional(component), beforeMs: timeMs }), {
    ...{ ...quiet, role: 'admin', bulk: false },
    what: 'delete the logs on a terminal that are older than a time',
  }),
  /** Causes a fault on purpose; refused unless the terminal's own configuration allows it. */
  drill: row(
    v.strictObject({ fault: v.picklist(DRILL_FAULTS), component: v.optional(component) }),
    {
      ...{ ...quiet, stopsSelling: true, role: 'oncall', bulk: false },
      what: 'break something on purpose and judge how it is healed',
    },
  ),
  /** Answered on stream logs, see protocol/logs.ts. */
  logs: row(
    v.pipe(
      v.strictObject({
        request,
        ...{ components, sinceMs: timeMs, untilMs: timeMs },
        bytesMax: lastsMs(1, limits.LOG_ANSWER_BYTES_MAX),
        ...{ ...records, pattern: v.optional(line(limits.LOG_PATTERN_CHARS_MAX)) },
        /** Records counted from the newest that fits the rest. */
        last: v.optional(lastsMs(1, limits.LOG_LAST_MAX)),
        /** Records before and behind each that fits. */
        context: v.optional(lastsMs(0, limits.LOG_CONTEXT_MAX)),
        searchMs: v.optional(lastsMs(SECOND, limits.LOG_SEARCH_MS_MAX)),
      }),
      v.check(({ sinceMs, untilMs }) => sinceMs <= untilMs, 'the window ends before it begins'),
      v.check(
        ({ text, pattern }) => text === undefined || pattern === undefined,
        'either a text or a regular expression is looked for, not both',
      ),
    ),
    {
      ...{ ...quiet, expiryMs: LOGS_EXPIRY_MS, role: 'oncall', bulk: false },
      what: 'read the log lines of a terminal, redacted',
    },
  ),
  /** What components print from now on, on stream logs as well, until its lease ends. */
  tail: row(
    v.strictObject({
      ...{ request, components, ...records },
      bytesMax: lastsMs(1, limits.LOG_ANSWER_BYTES_MAX),
      forMs: lastsMs(SECOND, limits.TAIL_MS_MAX),
      /** Of the components, for as long as it is watched; then as it was. */
      raise: v.optional(v.picklist(LOG_LEVELS)),
    }),
    {
      ...{ ...quiet, role: 'oncall', bulk: false },
      what: 'show what components print, as they print it, redacted',
    },
  ),
  /** What was sent stays. */
  cancel_logs: row(v.strictObject({ request }), {
    ...{ ...quiet, role: 'oncall', bulk: false },
    what: 'end a request for logs or a live tail',
  }),
  /** What terminals believe from now on; the broker sends it, nobody asks for it (protocol/enrolment.ts). */
  trust: row(
    v.strictObject({
      version: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
      authorities: v.pipe(
        v.array(line(4_000)),
        v.minLength(1),
        v.maxLength(limits.AUTHORITIES_MAX),
      ),
      commandKeys: v.pipe(v.array(line(100)), v.minLength(1), v.maxLength(limits.COMMAND_KEYS_MAX)),
      /** Its certificate is of an authority that goes: renew it now. */
      renew: v.optional(v.boolean()),
    }),
    {
      ...{ ...quiet, expiryMs: 7 * 24 * HOUR, role: 'admin', bulk: false },
      what: 'replace the authorities and command keys that a terminal trusts',
    },
  ),
} as const satisfies Record<string, Row>;

export type CommandKind = keyof typeof catalogue;
export const COMMAND_KINDS = Object.keys(catalogue) as readonly CommandKind[];
export const isKind = (kind: string): kind is CommandKind => Object.hasOwn(catalogue, kind);
