// The broker's own /metrics: its health and the fleet's roll-ups, never a series per terminal, because
// prom-client renders while everything waits (research/mqtt.md section 5). Names, help texts and labels
// come from the catalogue in protocol/metrics.ts by type, so that a wrong name or label fails tsc.
// Gauges are read when somebody scrapes; counters are functions handed to whoever counts.

import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { catalogue, type LabelsOf, type MetricNameOf } from '../protocol/metrics.ts';
import type { Rollup } from './fleet/rollup.ts';
import type { LiveDrop } from './http/live.ts';

type CounterName = MetricNameOf<'broker', 'counter'>;
type GaugeName = MetricNameOf<'broker', 'gauge'>;
type HistogramName = MetricNameOf<'broker', 'histogram'>;
type Values<K extends CounterName | GaugeName> = readonly (readonly [LabelsOf<K>, number])[];

/** A group commit waits for the disk: from a fast NVMe flush to a disk in trouble. */
const COMMIT_SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2];

/** Where the gauges look; each is asked at most once in a scrape. */
export type MetricSources = {
  readonly fleet?: () => Rollup;
  readonly connections?: () => number;
  readonly ledger?: () => { readonly bytes: number; readonly rows: number };
  readonly behind?: () => number;
  readonly commands?: () => number;
  readonly liveClients?: () => number;
};

export type Metrics = ReturnType<typeof createMetrics>;

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

function makers(registry: Registry) {
  const common = (name: CounterName | GaugeName | HistogramName) => ({
    name,
    help: catalogue[name].help,
    labelNames: [...catalogue[name].labels],
    registers: [registry],
  });
  return {
    /** @returns a function that counts. */
    counter: <K extends CounterName>(name: K) => {
      const counter = new Counter<string>(common(name));
      return (labels: LabelsOf<K>, count = 1): void => counter.inc(labels, count);
    },
    gauge: <K extends GaugeName>(name: K, read: () => Values<K>): void => {
      new Gauge<string>({
        ...common(name),
        collect(): void {
          this.reset();
          // Without labels a reset leaves 0, which would be a claim.
          if (catalogue[name].labels.length === 0) this.remove({});
          for (const [labels, value] of read()) this.set(labels, value);
        },
      });
    },
    /** A counter that is kept elsewhere and only shown here. */
    countedElsewhere: <K extends CounterName>(name: K, read: () => Values<K>): void => {
      new Counter<string>({
        ...common(name),
        collect(): void {
          this.reset();
          for (const [labels, value] of read()) this.inc(labels, value);
        },
      });
    },
    histogram: (name: HistogramName, buckets: number[]) => {
      const histogram = new Histogram<string>({ ...common(name), buckets });
      return (seconds: number): void => histogram.observe(seconds);
    },
  };
}

/** Gauges that read `sources`; what has no source yet has no value, which is not the same as 0. */
function registerGauges(registry: Registry, sources: () => MetricSources): void {
  const { gauge, countedElsewhere } = makers(registry);
  const rollup = oncePerTurn(() => sources().fleet?.());
  const ledger = oncePerTurn(() => sources().ledger?.());
  const single = (
    value: number | undefined,
  ): readonly (readonly [Record<never, string>, number])[] =>
    value === undefined ? [] : [[{}, value]];
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
  gauge('tillwatch_broker_connections', () => single(sources().connections?.()));
  gauge('tillwatch_ledger_bytes', () => single(ledger()?.bytes));
  gauge('tillwatch_ledger_rows', () => single(ledger()?.rows));
  gauge('tillwatch_registry_behind_batches', () => single(sources().behind?.()));
  gauge('tillwatch_commands_pending', () => single(sources().commands?.()));
  gauge('tillwatch_http_live_clients', () => single(sources().liveClients?.()));
}

/** @param version of the broker that runs, for tillwatch_broker_info. */
export function createMetrics(version = 'unknown') {
  const registry = new Registry();
  const { counter, gauge, histogram } = makers(registry);
  let sources: MetricSources = {};
  registerGauges(registry, () => sources);
  gauge('tillwatch_broker_info', () => [[{ version, node: process.versions.node }, 1]]);
  const connects = counter('tillwatch_broker_connects_total');
  const refused = counter('tillwatch_broker_refused_total');
  const batches = counter('tillwatch_ingest_batches_total');
  const samples = counter('tillwatch_ingest_samples_total');
  const events = counter('tillwatch_ingest_events_total');
  const deadLetters = counter('tillwatch_ingest_dead_letters_total');
  const dropped = counter('tillwatch_registry_dropped_total');
  const commandsFinished = counter('tillwatch_commands_finished_total');
  const logBytes = counter('tillwatch_log_bytes_total');
  const logRequests = counter('tillwatch_log_requests_total');
  const auditEntries = counter('tillwatch_audit_entries_total');
  const httpRequests = counter('tillwatch_http_requests_total');
  const liveDropped = counter('tillwatch_http_live_dropped_total');
  return {
    registry,
    /** Tells the gauges where to look; may be called again with more. */
    watch: (more: MetricSources): void => {
      sources = { ...sources, ...more };
    },
    connects: (result: string): void => connects({ result }),
    refused: (reason: string): void => refused({ reason }),
    batches: (stream: string, result: string): void => batches({ stream, result }),
    samples: (count: number): void => samples({}, count),
    events: (count: number): void => events({}, count),
    /** `reason` is one of a few words, never a sentence: it is a label. */
    deadLetters: (stream: string, reason: string): void => deadLetters({ stream, reason }),
    dropped: (table: string, count: number): void => dropped({ table }, count),
    commitSeconds: histogram('tillwatch_ledger_commit_seconds', COMMIT_SECONDS_BUCKETS),
    commandsFinished: (state: string): void => commandsFinished({ state }),
    logBytes: (bytes: number): void => logBytes({}, bytes),
    logRequests: (state: string): void => logRequests({ state }),
    auditEntries: (): void => auditEntries({}),
    liveDropped: (reason: LiveDrop): void => liveDropped({ reason }),
    httpRequests: (route: string, status: number): void =>
      httpRequests({ route, status: String(status) }),
  };
}
