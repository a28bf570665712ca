// Where the figures on /metrics come from that somebody else keeps: fleet, ledger, pace, sinks, history.
// What has no source yet has no value, which is not the same as 0. Each source is asked at most once in a
// scrape, because a roll-up of the fleet walks over all of it.

import type { Rollup } from './fleet/rollup.ts';
import type { Troubles } from './fleet/troubles.ts';
import type { Makers } from './metric-makers.ts';
import type { Expiry } from './trust/types.ts';

type Counts = Readonly<Record<string, number>>;

export type LedgerFigures = {
  readonly bytes: number;
  readonly rows: number;
  readonly oldestAgeMs?: number | undefined;
  /** By why they went: age, room. */
  readonly trimmedBy?: Counts | undefined;
  /** By stream. */
  readonly conflicts?: Counts | undefined;
};

/** 0 bytes a second: no limit. */
export type PaceFigures = { readonly bytesPerSecond: number; readonly terminals: number };

export type SinkFigures = {
  readonly sink: string;
  readonly up: boolean;
  readonly behindBatches: number;
  readonly behindMs: number;
  /** By result. */
  readonly requests: Counts;
  readonly items: number;
  /** By reason. */
  readonly deadLetters: Counts;
};

export type VersionRole = {
  readonly component: string;
  readonly version: string;
  readonly role: string;
};

export type HistoryFigures = {
  readonly bytes: number;
  readonly behindBatches: number;
  readonly writtenBytes: number;
  /** By reason. */
  readonly dropped: Counts;
};

/** Where the gauges look; each is asked at most once in a scrape. */
export type MetricSources = {
  readonly fleet?: () => Rollup & Partial<Troubles>;
  readonly connections?: () => number;
  /** The soonest end of each use. */
  readonly certificates?: () => readonly Expiry[];
  readonly handshakes?: () => number;
  readonly ledger?: () => LedgerFigures;
  readonly behind?: () => number;
  readonly commands?: () => number;
  /** Requests that are not over. */
  readonly logs?: () => number;
  /** By state. */
  readonly bulks?: () => Counts;
  /** By whether they are open. */
  readonly stores?: () => Counts;
  readonly liveClients?: () => number;
  readonly sessions?: () => number;
  readonly pace?: () => PaceFigures;
  readonly sinks?: () => readonly SinkFigures[];
  readonly seriesOverBudget?: () => number;
  readonly history?: () => HistoryFigures;
  /** By state. */
  readonly identities?: () => Counts;
  readonly twins?: () => number;
  /** Versions that were set as targets. */
  readonly rolloutRoles?: () => readonly VersionRole[];
  /** Terminals behind, by component. */
  readonly versionsBehind?: () => Counts;
  /** By presence. */
  readonly inMaintenance?: () => Counts;
  /** To when the newest whole backup holds everything. */
  readonly backupMs?: () => number | undefined;
  /** How far configurations of the fleet are. */
  readonly configurations?: () => { readonly behind: number; readonly versions: Counts };
  /** Kinds of errors. */
  readonly errorKinds?: () => number;
  /** Tables over their bound of which nothing may be deleted. */
  readonly overBound?: () => readonly (readonly [table: string, isOver: boolean])[];
};

/** The same answer until the current turn of the event loop ends: a scrape asks all gauges in one. */
function oncePerTurn<T>(read: () => T): () => T {
  let held: { value: T } | undefined;
  return () => {
    if (held === undefined) {
      held = { value: read() };
      queueMicrotask(() => {
        held = undefined;
      });
    }
    return held.value;
  };
}

const single = (
  value: number | undefined,
): readonly (readonly [Record<never, string>, number])[] =>
  value === undefined ? [] : [[{}, value]];
const seconds = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : ms / 1000;
const entries = (counts: Counts | undefined): [string, number][] => Object.entries(counts ?? {});

type Sources = () => MetricSources;

function addFleet({ gauge, countedElsewhere }: Makers, sources: Sources): void {
  const rollup = oncePerTurn(() => sources().fleet?.());
  gauge('pos_terminals', () => {
    const { total: _, ...presences } = rollup()?.terminals ?? { total: 0 };
    return Object.entries(presences).map(([presence, count]) => [{ presence }, count] as const);
  });
  gauge('pos_terminals_by_version', () =>
    (rollup()?.versions ?? []).map(({ terminals, ...labels }) => [labels, terminals]),
  );
  gauge('pos_components', () =>
    (rollup()?.states ?? []).map(({ count, ...labels }) => [labels, count]),
  );
  countedElsewhere('pos_fleet_restarts_total', () =>
    (rollup()?.restarts ?? []).map(({ count, ...labels }) => [labels, count]),
  );
  gauge('pos_terminals_clock_skewed', () => single(rollup()?.clockSkewed));
  gauge('pos_incidents_open', () =>
    entries(rollup()?.incidents).map(([cause, n]) => [{ cause }, n]),
  );
  gauge('pos_devices_in_trouble', () =>
    entries(rollup()?.devices).map(([state, n]) => [{ state }, n]),
  );
}

function addLedger({ gauge, countedElsewhere }: Makers, sources: Sources): void {
  const ledger = oncePerTurn(() => sources().ledger?.());
  gauge('tillwatch_ledger_bytes', () => single(ledger()?.bytes));
  gauge('tillwatch_ledger_rows', () => single(ledger()?.rows));
  gauge('tillwatch_ledger_oldest_age_seconds', () => single(seconds(ledger()?.oldestAgeMs)));
  countedElsewhere('tillwatch_ledger_trimmed_total', () =>
    entries(ledger()?.trimmedBy).map(([reason, count]) => [{ reason }, count]),
  );
  countedElsewhere('tillwatch_ledger_conflicts_total', () =>
    entries(ledger()?.conflicts).map(([stream, count]) => [{ stream }, count]),
  );
  const pace = oncePerTurn(() => sources().pace?.());
  gauge('tillwatch_pace_bytes_per_second', () => single(pace()?.bytesPerSecond));
  gauge('tillwatch_pace_terminals', () => single(pace()?.terminals));
}

function addSinks({ gauge, countedElsewhere }: Makers, sources: Sources): void {
  const sinks = oncePerTurn(() => sources().sinks?.() ?? []);
  const each = (read: (sink: SinkFigures) => number) =>
    sinks().map((one) => [{ sink: one.sink }, read(one)] as const);
  gauge('tillwatch_sink_up', () => each(({ up }) => (up ? 1 : 0)));
  gauge('tillwatch_sink_behind_batches', () => each(({ behindBatches }) => behindBatches));
  gauge('tillwatch_sink_behind_seconds', () => each(({ behindMs }) => behindMs / 1000));
  countedElsewhere('tillwatch_sink_items_total', () => each(({ items }) => items));
  countedElsewhere('tillwatch_sink_requests_total', () =>
    sinks().flatMap(({ sink, requests }) =>
      entries(requests).map(([result, count]) => [{ sink, result }, count] as const),
    ),
  );
  countedElsewhere('tillwatch_sink_dead_letters_total', () =>
    sinks().flatMap(({ sink, deadLetters }) =>
      entries(deadLetters).map(([reason, count]) => [{ sink, reason }, count] as const),
    ),
  );
  gauge('tillwatch_series_over_budget', () => single(sources().seriesOverBudget?.()));
}

function addKept({ gauge, countedElsewhere }: Makers, sources: Sources): void {
  const history = oncePerTurn(() => sources().history?.());
  gauge('tillwatch_backup_timestamp_seconds', () => single(seconds(sources().backupMs?.())));
  gauge('tillwatch_history_bytes', () => single(history()?.bytes));
  gauge('tillwatch_history_behind_batches', () => single(history()?.behindBatches));
  countedElsewhere('tillwatch_history_written_bytes_total', () => single(history()?.writtenBytes));
  countedElsewhere('tillwatch_history_dropped_total', () =>
    entries(history()?.dropped).map(([reason, count]) => [{ reason }, count]),
  );
  gauge('tillwatch_retention_over_bound', () =>
    (sources().overBound?.() ?? []).map(([table, isOver]) => [{ table }, isOver ? 1 : 0]),
  );
}

/** Retired ones are no part of the fleet. */
function addIdentities({ gauge }: Makers, sources: Sources): void {
  gauge('pos_terminals_by_identity', () =>
    entries(sources().identities?.())
      .filter(([state]) => state !== 'retired')
      .map(([state, count]) => [{ state }, count]),
  );
  gauge('tillwatch_twins', () => single(sources().twins?.()));
}

function addPlans({ gauge }: Makers, sources: Sources): void {
  gauge('pos_rollout_version_role', () =>
    (sources().rolloutRoles?.() ?? []).map((labels) => [{ ...labels }, 1]),
  );
  gauge('pos_terminals_behind', () =>
    entries(sources().versionsBehind?.()).map(([component, count]) => [{ component }, count]),
  );
  gauge('pos_terminals_in_maintenance', () =>
    entries(sources().inMaintenance?.()).map(([presence, count]) => [{ presence }, count]),
  );
}

/** Registers everything that is read from `sources` when somebody scrapes. */
export function addSources(makers: Makers, sources: Sources): void {
  const { gauge } = makers;
  addFleet(makers, sources);
  addLedger(makers, sources);
  addSinks(makers, sources);
  addKept(makers, sources);
  addIdentities(makers, sources);
  addPlans(makers, sources);
  gauge('tillwatch_broker_connections', () => single(sources().connections?.()));
  gauge('tillwatch_broker_certificate_expires_timestamp_seconds', () =>
    (sources().certificates?.() ?? []).map(({ use, atMs }) => [{ use }, atMs / 1000]),
  );
  gauge('tillwatch_broker_handshakes', () => single(sources().handshakes?.()));
  gauge('tillwatch_registry_behind_batches', () => single(sources().behind?.()));
  gauge('tillwatch_bulks', () =>
    entries(sources().bulks?.()).map(([state, count]) => [{ state }, count]),
  );
  gauge('pos_stores', () =>
    entries(sources().stores?.()).map(([state, count]) => [{ state }, count]),
  );
  const configurations = oncePerTurn(() => sources().configurations?.());
  gauge('pos_terminals_config_behind', () => single(configurations()?.behind));
  gauge('tillwatch_config_rollouts', () =>
    entries(configurations()?.versions).map(([state, count]) => [{ state }, count]),
  );
  gauge('tillwatch_log_requests_open', () => single(sources().logs?.()));
  gauge('tillwatch_error_signatures', () => single(sources().errorKinds?.()));
  gauge('tillwatch_commands_pending', () => single(sources().commands?.()));
  gauge('tillwatch_http_live_clients', () => single(sources().liveClients?.()));
  gauge('tillwatch_sessions', () => single(sources().sessions?.()));
}
