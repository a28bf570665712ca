// The agent's own series: what it knows of each component, of itself, of its outbox and its link. Pure:
// readings in, samples out, so that names and labels can be tested against the catalogue. A counter of
// something that never happened is left out, except crashes and hangs: their first increase must be
// visible to a query, and a series that appears with 1 has no increase.

import {
  type Cause,
  COMPONENT_STATES,
  type ComponentState,
  type Mode,
} from '../../protocol/events.ts';
import type { Labels, Sample } from '../../protocol/metric-body.ts';
import type { MetricName } from '../../protocol/metrics.ts';
import type { LinkStats } from '../link/link.ts';
import type { Redaction } from '../logs/redactions.ts';
import type { LadderCounts, VersionCounts } from '../restarts.ts';
import { type DiskStats, diskSamples } from './disk-samples.ts';
import type { OutboxStats } from './types.ts';

/** What the agent says of one component; times are durations that end now. */
export type ComponentReading = {
  readonly name: string;
  readonly version: string;
  readonly state: ComponentState;
  /** Those that it was in; a series each. All where nobody knows. */
  readonly states?: ReadonlySet<ComponentState>;
  /** Where it is not counted by version. */
  readonly restartsByCause?: Readonly<Record<Cause, number>>;
  /** By version, the one that runs first. */
  readonly counts?: readonly VersionCounts[];
  readonly beatAgeMs?: number;
  readonly loopDelayMsMax?: number;
  readonly residentBytes?: number;
  readonly cpuSeconds?: number;
  readonly metricsUrl?: string;
  /** What runs, where it is not what is configured. */
  readonly runningVersion?: string;
  readonly mode?: Mode;
  readonly descriptors?: number;
  readonly workInFlight?: number;
  readonly ladder?: LadderCounts;
};

export type AgentReading = {
  readonly version: string;
  readonly node: string;
  readonly starts: number;
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  readonly loopDelayMsMax: number;
  readonly pauses: number;
  /** Events dropped by the agent's own queue. */
  readonly dropped: number;
  readonly channelRejected: Readonly<Record<string, number>>;
  readonly commandCounts: Readonly<Record<string, number>>;
  /** Signs of life that could not be given, by who watches the agent (alive.ts). */
  readonly signFailures?: Readonly<Record<string, number>>;
  readonly redactions?: readonly Redaction[];
  /** By kind: found on the way out, missed on the way in. */
  readonly redactionsMissed?: readonly (readonly [string, number])[];
  readonly clockOffsetMs: number | undefined;
  readonly outbox: OutboxStats;
  readonly link: LinkStats;
  readonly scrapeFailures: ReadonlyMap<string, number>;
  readonly seriesDropped: ReadonlyMap<string, number>;
  /** The ring of evidence on disk. */
  readonly evidence?: { readonly bytes: number; readonly dropped: number } | undefined;
  /** Whether a technician holds the till. */
  readonly held?: boolean;
  readonly disk?: DiskStats | undefined;
  /** Series of the whole sample that this one is part of; known only when that is put together. */
  readonly series?: number;
  /** Milliseconds without the broker, by why. */
  /** By why; those that the outbox dropped are added. */
  readonly spansDropped?: Readonly<Record<string, number>>;
  /** Bytes of component output that no counter has read, by component: they came too fast. */
  readonly unreadBytes?: Readonly<Record<string, number>>;
  /** Records of live tails that were left out. */
  readonly tailDropped?: number;
  readonly awayMs?: Readonly<Record<string, number>>;
  /** The document of the fleet that runs; undefined: the till's own file alone. */
  readonly configuration?: { readonly name: string; readonly version: string };
  readonly configurationTrials?: readonly (readonly [string, number])[];
  /** When its own certificate ends. */
  readonly certificateMs?: number | undefined;
};

const ALWAYS_COUNTED: readonly string[] = ['crash', 'hang'] satisfies Cause[];

const sample = (name: MetricName, value: number, labels: Labels = {}): Sample => ({
  name,
  labels,
  value,
});

/** One sample, or none when there is no value. */
const maybe = (name: MetricName, value: number | undefined, labels: Labels): Sample[] =>
  value === undefined || !Number.isFinite(value) ? [] : [sample(name, value, labels)];

const seconds = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : ms / 1_000;

export function componentSamples(reading: ComponentReading): Sample[] {
  const { name: component, version, state } = reading;
  const own = { component };
  const [now] = reading.counts ?? [];
  const running = { component, version: now?.version ?? version };
  return [
    sample('pos_component_up', state === 'ready' ? 1 : 0, own),
    sample('pos_component_info', 1, { component, version: reading.runningVersion ?? version }),
    // Seven series for each component would be a seventh of the budget, most of them for ever 0.
    ...COMPONENT_STATES.filter((known) => reading.states?.has(known) ?? true).map((known) =>
      sample('pos_component_state', known === state ? 1 : 0, { component, state: known }),
    ),
    ...causes('pos_component_restarts_total', now?.restarts ?? reading.restartsByCause, running),
    ...versionSamples(component, now),
    ...maybe('pos_component_resident_bytes', reading.residentBytes, own),
    ...maybe('pos_component_cpu_seconds_total', reading.cpuSeconds, own),
    ...maybe('pos_component_beat_age_seconds', seconds(reading.beatAgeMs), own),
    ...maybe('pos_component_loop_delay_max_seconds', seconds(reading.loopDelayMsMax), own),
    ...maybe('pos_component_descriptors', reading.descriptors, own),
    ...maybe('pos_component_work_in_flight', reading.workInFlight, own),
    // Only the mode that it is in: a second series for each component would say nothing more.
    ...(reading.mode === undefined
      ? []
      : [sample('pos_component_mode', 1, { component, mode: reading.mode })]),
  ];
}

/** By cause: always those whose first increase must be seen, of the version that runs. */
function causes(
  name: 'pos_component_restarts_total' | 'pos_component_failures_total',
  counts: Readonly<Partial<Record<string, number>>> = {},
  labels: Readonly<{ component: string; version: string }>,
  always = ALWAYS_COUNTED,
): Sample[] {
  const all = new Set([...always, ...Object.keys(counts)]);
  return [...all].flatMap((cause) => {
    const count = counts[cause] ?? 0;
    return count > 0 || always.includes(cause) ? [sample(name, count, { ...labels, cause })] : [];
  });
}

/** Beside restarts: what was counted of one version. Whole seconds, because time is counted and not measured. */
function versionSamples(
  component: string,
  counts: VersionCounts | undefined,
  always = ALWAYS_COUNTED,
) {
  if (counts === undefined) return [];
  const { version, failures, operationalMs, stableMs } = counts;
  const labels = { component, version };
  const whole = (ms: number): number => Math.floor(ms / 1_000);
  return [
    ...causes('pos_component_failures_total', failures, labels, always),
    sample('pos_component_operational_seconds_total', whole(operationalMs), labels),
    sample('pos_component_stable_seconds_total', whole(stableMs), labels),
  ];
}

/** What versions before left behind. Apart from the rest: of a till with a long story these go first. */
export const formerSamples = ({ name: component, counts = [] }: ComponentReading): Sample[] =>
  counts
    .slice(1)
    .flatMap((former) => [
      ...causes(
        'pos_component_restarts_total',
        former.restarts,
        { component, version: former.version },
        [],
      ),
      ...versionSamples(component, former, []),
    ]);

/**
 * Only what happened: with all its rungs and causes a component would have a hundred series of nothing. Apart from
 * the rest, so that a till with a long story loses these first where series are bounded, and not its link.
 */
export function ladderSamples({ name: component, ladder }: ComponentReading): Sample[] {
  if (ladder === undefined) return [];
  return [
    ...ladder.used.map(({ rung, cause, count }) =>
      sample('tillwatch_recovery_total', count, { component, cause, rung }),
    ),
    ...ladder.outcomes.map(({ rung, outcome, count }) =>
      sample('tillwatch_recovery_outcome_total', count, { component, rung, outcome }),
    ),
    ...ladder.suppressed.map(({ rung, cause, count }) =>
      sample('tillwatch_recovery_suppressed_total', count, { component, cause, rung }),
    ),
  ];
}

const counted = (
  name: MetricName,
  label: string,
  counts: Iterable<readonly [string, number]>,
): Sample[] =>
  [...counts]
    .filter(([, count]) => count > 0)
    .map(([value, count]) => sample(name, count, { [label]: value }));

function outboxSamples(outbox: OutboxStats): Sample[] {
  return [
    sample('tillwatch_outbox_bytes', outbox.bytes),
    ...Object.entries(outbox.batches).map(([stream, count]) =>
      sample('tillwatch_outbox_batches', count, { stream }),
    ),
    ...outbox.drops
      .filter(({ stream }) => stream !== 'traces')
      .map(({ stream, reason, count }) =>
        sample('tillwatch_outbox_dropped_total', count, { stream, reason }),
      ),
    sample('tillwatch_outbox_kept_bytes', outbox.keptBytes),
    ...(outbox.thinned > 0 ? [sample('tillwatch_outbox_thinned_total', outbox.thinned)] : []),
    ...counted('tillwatch_outbox_refused_total', 'stream', Object.entries(outbox.refused)),
    ...(outbox.damaged > 0 ? [sample('tillwatch_outbox_damaged_total', outbox.damaged)] : []),
    ...(outbox.held > 0 ? [sample('tillwatch_outbox_held', outbox.held)] : []),
  ];
}

/** Before they came to the outbox, and there. */
function spanSamples({ spansDropped = {}, outbox }: AgentReading): Sample[] {
  const all = new Map(Object.entries(spansDropped));
  for (const { stream, reason, count } of outbox.drops) {
    if (stream === 'traces') all.set(reason, (all.get(reason) ?? 0) + count);
  }
  return counted('tillwatch_spans_dropped_total', 'reason', all);
}

function linkSamples(link: LinkStats): Sample[] {
  return [
    sample('tillwatch_link_up', link.connected ? 1 : 0),
    sample('tillwatch_link_connects_total', link.connects),
    sample('tillwatch_link_failures_total', link.failures),
    ...(link.garbageAcks > 0 ? [sample('tillwatch_link_garbage_total', link.garbageAcks)] : []),
  ];
}

const configurationSamples = ({ configuration, configurationTrials = [] }: AgentReading) => [
  ...(configuration === undefined ? [] : [sample('pos_config_info', 1, configuration)]),
  ...counted('tillwatch_config_trials_total', 'result', configurationTrials),
];

export function agentSamples(agent: AgentReading): Sample[] {
  const { version, node } = agent;
  return [
    sample('pos_agent_info', 1, { version, node }),
    sample('pos_agent_starts_total', agent.starts),
    ...maybe('pos_clock_offset_seconds', seconds(agent.clockOffsetMs), {}),
    sample('tillwatch_agent_resident_bytes', agent.residentBytes),
    sample('tillwatch_agent_cpu_seconds_total', agent.cpuSeconds),
    sample('tillwatch_agent_loop_delay_max_seconds', agent.loopDelayMsMax / 1_000),
    sample('tillwatch_agent_pauses_total', agent.pauses),
    ...(agent.held === undefined ? [] : [sample('tillwatch_hold', agent.held ? 1 : 0)]),
    ...(agent.dropped > 0 ? [sample('tillwatch_agent_events_dropped_total', agent.dropped)] : []),
    ...maybe('tillwatch_evidence_bytes', agent.evidence?.bytes, {}),
    ...maybe('tillwatch_evidence_dropped_total', agent.evidence?.dropped, {}),
    ...(agent.disk === undefined ? [] : diskSamples(agent.disk)),
    ...maybe('tillwatch_series', agent.series, {}),
    ...outboxSamples(agent.outbox),
    ...Object.entries(agent.awayMs ?? {}).map(([reason, ms]) =>
      sample('tillwatch_away_seconds_total', ms / 1_000, { reason }),
    ),
    ...counted(
      'tillwatch_output_unread_bytes_total',
      'component',
      Object.entries(agent.unreadBytes ?? {}),
    ),
    ...(agent.tailDropped ? [sample('tillwatch_tail_dropped_total', agent.tailDropped)] : []),
    ...spanSamples(agent),
    ...maybe('tillwatch_certificate_expires_timestamp_seconds', seconds(agent.certificateMs), {
      use: 'terminal',
    }),
    ...linkSamples(agent.link),
    ...configurationSamples(agent),
    ...counted('tillwatch_channel_rejected_total', 'reason', Object.entries(agent.channelRejected)),
    ...counted('tillwatch_commands_total', 'state', Object.entries(agent.commandCounts)),
    ...counted(
      'tillwatch_agent_sign_failures_total',
      'watcher',
      Object.entries(agent.signFailures ?? {}),
    ),
    ...(agent.redactions ?? []).map(({ where, kind, count }) =>
      sample('pos_redactions_total', count, { where, kind }),
    ),
    ...counted('tillwatch_redactions_missed_total', 'kind', agent.redactionsMissed ?? []),
    ...counted('tillwatch_scrape_failures_total', 'component', agent.scrapeFailures),
    ...counted('tillwatch_series_dropped_total', 'component', agent.seriesDropped),
  ];
}
