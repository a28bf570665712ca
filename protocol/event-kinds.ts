// What each kind of event carries, as schemas, and the closed lists of words in them. Apart from events.ts, which says how
// events travel. Fields may be added; a field that is known must be what it is said to be.

import * as v from 'valibot';
import { STREAMS } from './wire.ts';

export const COMPONENT_STATES = [
  'stopped',
  'starting',
  'ready',
  'suspect',
  'stopping',
  'backoff',
  'quarantined',
] as const;
export type ComponentState = (typeof COMPONENT_STATES)[number];

export const CAUSES = [
  'crash',
  'hang',
  'stalled',
  'unresponsive',
  'memory',
  'start_timeout',
  'self_reported',
  'dependency',
  'operator',
  'upgrade',
] as const;
export type Cause = (typeof CAUSES)[number];

/** The recovery ladder, from the gentlest (design.md section 4). */
export const RUNGS = [
  'heal',
  'restart',
  'dependants',
  'reset',
  'all',
  'reboot',
  'quarantine',
] as const;
export type Rung = (typeof RUNGS)[number];

/** Act on what is decided, or only tell it. */
export const MODES = ['act', 'observe'] as const;
export type Mode = (typeof MODES)[number];

/** Why a terminal was away from its broker, found by its agent and told afterwards. */
export const AWAY_REASONS = [
  'link_down',
  'gateway_unreachable',
  'name_resolution',
  'broker_unreachable',
  'refused',
  'agent_stopped',
  'power',
  'unknown',
] as const;
export type AwayReason = (typeof AWAY_REASONS)[number];

/** Under what a till runs: its own file, a version on trial, or one that was kept. */
export const CONFIGURATION_STATES = ['own', 'trial', 'kept'] as const;
export type ConfigurationState = (typeof CONFIGURATION_STATES)[number];

const ms = v.pipe(v.number(), v.minValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** The fields of each kind. Times in them are wall clock, durations end in Ms. */
export const eventSchemas = {
  /** An agent process began; `adopted` are components that ran on without it. */
  agent_started: v.looseObject({
    version: v.string(),
    node: v.string(),
    bootId: v.string(),
    adopted: v.array(v.string()),
    /** How often it sends what it samples. */
    sendMs: v.optional(ms),
  }),
  /** An agent ended in good order; `left` are components that run on. */
  agent_stopping: v.looseObject({ reason: v.string(), left: v.array(v.string()) }),
  /** What runs here: sent at start and when it changes. */
  inventory: v.looseObject({
    agent: v.string(),
    os: v.string(),
    hostname: v.string(),
    /** IANA name of the store's local time, as far as the machine knows it. */
    timeZone: v.optional(v.string()),
    components: v.array(
      v.looseObject({
        name: v.string(),
        version: v.string(),
        mode: v.optional(v.picklist(MODES)),
      }),
    ),
    /** What it runs under; `own`: its own file alone. */
    configuration: v.optional(
      v.looseObject({
        state: v.picklist(CONFIGURATION_STATES),
        name: v.optional(v.string()),
        version: v.optional(count),
        sha256: v.optional(v.string()),
        /** Settings of this one till lie over it (command `configure`). */
        overridden: v.optional(v.boolean()),
      }),
    ),
  }),
  component_state: v.looseObject({
    from: v.picklist(COMPONENT_STATES),
    to: v.picklist(COMPONENT_STATES),
    cause: v.optional(v.picklist(CAUSES)),
    reason: v.string(),
    version: v.string(),
    instance: v.optional(v.string()),
    pid: v.optional(count),
  }),
  /** A failure was found and is being put right. Durations count from the first sign of it. */
  incident_opened: v.looseObject({
    incident: v.string(),
    cause: v.picklist(CAUSES),
    reason: v.string(),
    version: v.string(),
    evidence: v.optional(v.unknown()),
  }),
  /** The component is ready again. `detectedMs`: last sign of health to confirmation; `readyMs`: to ready. */
  incident_recovered: v.looseObject({
    incident: v.string(),
    cause: v.picklist(CAUSES),
    detectedMs: ms,
    readyMs: ms,
    attempts: count,
  }),
  /** Retries go on slowly for ever; a human is needed. */
  incident_quarantined: v.looseObject({
    incident: v.string(),
    cause: v.picklist(CAUSES),
    reason: v.string(),
    attempts: count,
  }),
  /** A rung of the ladder is used. `signature`: the same one again skips ahead. */
  recovery: v.looseObject({
    incident: v.string(),
    rung: v.picklist(RUNGS),
    cause: v.picklist(CAUSES),
    reason: v.string(),
    signature: v.optional(v.string()),
  }),
  /**
   * What became of it: it held for its stable time, or the component failed again after `afterMs`. Without
   * `held` nobody knows: it was stopped meanwhile.
   */
  recovery_outcome: v.looseObject({
    incident: v.string(),
    rung: v.picklist(RUNGS),
    cause: v.picklist(CAUSES),
    held: v.optional(v.boolean()),
    afterMs: ms,
    reason: v.string(),
  }),
  /** It would have been acted on, but the component is in `observe` or the till is held. */
  recovery_suppressed: v.looseObject({
    incident: v.string(),
    rung: v.picklist(RUNGS),
    cause: v.picklist(CAUSES),
    reason: v.string(),
    version: v.string(),
    by: v.picklist(['observe', 'hold']),
    evidence: v.optional(v.unknown()),
  }),
  /** A technician holds the till (`tillwatch hold`), or lets it go. */
  hold: v.looseObject({
    active: v.boolean(),
    reason: v.string(),
    by: v.string(),
    untilMs: v.optional(ms),
    /** The maintenance that it is a part of. */
    maintenance: v.optional(v.string()),
  }),
  /** A version of the fleet configuration was tried, and what became of it. `restarted`: components that it changed. */
  configuration: v.looseObject({
    what: v.picklist(['trial', 'kept', 'rolled_back', 'refused']),
    name: v.string(),
    version: count,
    sha256: v.string(),
    reason: v.string(),
    restarted: v.optional(v.array(v.string())),
  }),
  /** The machine is restarted by us; the token for it is on disk already. */
  reboot: v.looseObject({ incident: v.string(), reason: v.string(), uptimeMs: ms }),
  /** A port, device or file that is still held by somebody after its component is gone. */
  resource_held: v.looseObject({
    what: v.string(),
    pid: v.optional(count),
    comm: v.optional(v.string()),
    reason: v.string(),
  }),
  /** The disk fills or is writable again; what is given up for it. */
  disk: v.looseObject({
    level: v.picklist(['normal', 'journal', 'evidence', 'metrics', 'reserve', 'read_only']),
    freeBytes: v.optional(count),
    reason: v.string(),
  }),
  /** Output that a component printed faster than is kept: once per flood, with what it came to. */
  output_dropped: v.looseObject({ bytes: count, reason: v.string() }),
  /** A fault was caused on purpose (`tillwatch drill`), and what came of it. */
  drill: v.looseObject({
    drill: v.string(),
    fault: v.string(),
    phase: v.picklist(['begun', 'passed', 'failed']),
    reason: v.string(),
    detail: v.optional(v.unknown()),
  }),
  /**
   * Batches that will never come: dropped for room, or lost with a damaged file. `fromMs` and `untilMs`: between
   * which times samples, events or spans are missing, both included.
   */
  gap: v.looseObject({
    epoch: v.string(),
    stream: v.optional(v.picklist(STREAMS)),
    first: v.optional(count),
    last: v.optional(count),
    samples: v.optional(count),
    fromMs: v.optional(ms),
    untilMs: v.optional(ms),
    reason: v.string(),
  }),
  /** Old samples were made fewer so that a long time offline fits: of each series one in `everyMs` is left. */
  thinned: v.looseObject({
    fromMs: ms,
    untilMs: ms,
    everyMs: ms,
    /** Given up by it. */
    samples: count,
    reason: v.string(),
  }),
  /** The broker was not reached from `fromMs` until `untilMs`, and why, as far as the terminal can know. */
  away: v.looseObject({
    fromMs: ms,
    untilMs: ms,
    why: v.picklist(AWAY_REASONS),
    /** Milliseconds by reason, where it was more than one. */
    parts: v.optional(v.record(v.string(), ms)),
    reason: v.string(),
  }),
  /** Something on the terminal runs under another version than before. */
  version_changed: v.looseObject({
    what: v.picklist(['agent', 'component', 'os', 'firmware']),
    name: v.string(),
    from: v.string(),
    to: v.string(),
  }),
  /** Its certificate: got, renewed, or not; and what it trusts from now on. */
  identity: v.looseObject({
    what: v.picklist(['enrolled', 'renewed', 'renewal_failed', 'trust']),
    reason: v.string(),
    expiresMs: v.optional(ms),
    trust: v.optional(count),
  }),
  /** A command that was not believed or not allowed: it is counted, and its first ones of a kind are told. */
  command_refused: v.looseObject({
    why: v.picklist(['unreadable', 'unsigned', 'audience', 'expired', 'replayed', 'bounds']),
    reason: v.string(),
    command: v.optional(v.string()),
    count,
  }),
  /**
   * Warnings and errors of one kind (protocol/signatures.ts), told when the kind is new, when it grows and at most once
   * an hour. `count`: since it was told last; `total`: since `firstMs`. `signature` is '' for all those kinds that
   * are over the bound of what a terminal tells apart.
   */
  error_signature: v.looseObject({
    signature: v.string(),
    pattern: v.string(),
    level: v.picklist(['error', 'warn']),
    version: v.string(),
    sample: v.string(),
    count,
    total: count,
    firstMs: ms,
    lastMs: ms,
    isNew: v.boolean(),
  }),
  /** Card data was found where the redactor had been already: something gets past it. */
  redaction_missed: v.looseObject({
    where: v.picklist(['export', 'tail']),
    request: v.optional(v.string()),
    kinds: v.record(v.string(), count),
    reason: v.string(),
  }),
  /** Series that are not sent, by name: over the budget of the terminal, or not sendable. */
  series_left_out: v.looseObject({
    names: v.array(v.string()),
    count,
    seriesMax: count,
    reason: v.string(),
  }),
} as const;
