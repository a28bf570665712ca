// The broker's own /metrics: its health and the fleet's roll-ups, never a series per terminal, because
// prom-client renders while everything waits (research/mqtt.md section 5). Names, help texts and labels
// come from the catalogue in protocol/metrics.ts by type, so that a wrong name or label fails tsc.
// Gauges are read when somebody scrapes; counters are functions handed to whoever counts.

import { Registry } from 'prom-client';
import type { Cause } from '../protocol/events.ts';
import type { LiveDrop } from './http/live.ts';
import type { EnrolmentResult } from './identity/parts.ts';
import type { AutomaticResult } from './logs/automatic.ts';
import { createMakers } from './metric-makers.ts';
import { addSources, type MetricSources } from './metric-sources.ts';
import type { SignInResult } from './operators/sign-in.ts';

export type { MetricSources, PaceFigures, SinkFigures } from './metric-sources.ts';

/** A group commit waits for the disk: from a fast NVMe flush to a disk in trouble. */
const COMMIT_SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2];
/** Live samples wait for their minute: from one that goes at once to what counts as backlog (fleet/lag.ts). */
const LAG_SECONDS_BUCKETS = [1, 5, 15, 30, 60, 90, 120, 300, 600];

export type Metrics = ReturnType<typeof createMetrics>;

/** @param version of the broker that runs, for tillwatch_broker_info. */
export function createMetrics(version = 'unknown') {
  const registry = new Registry();
  const makers = createMakers(registry);
  const { counter, gauge, histogram } = makers;
  let sources: MetricSources = {};
  addSources(makers, () => sources);
  gauge('tillwatch_broker_info', () => [[{ version, node: process.versions.node }, 1]]);
  const connects = counter('tillwatch_broker_connects_total');
  const refused = counter('tillwatch_broker_refused_total');
  const slowed = counter('tillwatch_broker_slowed_total');
  const batches = counter('tillwatch_ingest_batches_total');
  const samples = counter('tillwatch_ingest_samples_total');
  const events = counter('tillwatch_ingest_events_total');
  const failures = counter('pos_fleet_failures_total');
  const deadLetters = counter('tillwatch_ingest_dead_letters_total');
  const dropped = counter('tillwatch_registry_dropped_total');
  const commandsFinished = counter('tillwatch_commands_finished_total');
  const bulkTargets = counter('tillwatch_bulk_targets_total');
  const logBytes = counter('tillwatch_log_bytes_total');
  const logRequests = counter('tillwatch_log_requests_total');
  const logMissed = counter('tillwatch_log_missed_total');
  const logAutomatic = counter('tillwatch_log_automatic_total');
  const enrolments = counter('tillwatch_enrolments_total');
  const auditEntries = counter('tillwatch_audit_entries_total');
  const backups = counter('tillwatch_backups_total');
  const httpRequests = counter('tillwatch_http_requests_total');
  const signIns = counter('tillwatch_sign_ins_total');
  const liveDropped = counter('tillwatch_http_live_dropped_total');
  return {
    registry,
    /** Tells the gauges where to look; may be called again with more. */
    watch: (more: MetricSources): void => {
      sources = { ...sources, ...more };
    },
    connects: (result: string): void => connects({ result }),
    refused: (reason: string): void => refused({ reason }),
    slowed: (limit: string): void => slowed({ limit }),
    batches: (stream: string, result: string, count = 1): void =>
      batches({ stream, result }, count),
    samples: (count: number): void => samples({}, count),
    events: (count: number): void => events({}, count),
    failures: (cause: Cause): void => failures({ cause }),
    /** `reason` is one of a few words, never a sentence: it is a label. */
    deadLetters: (stream: string, reason: string): void => deadLetters({ stream, reason }),
    dropped: (table: string, count: number): void => dropped({ table }, count),
    commitSeconds: histogram('tillwatch_ledger_commit_seconds', COMMIT_SECONDS_BUCKETS),
    /** Of a live batch, when it arrived. */
    deliveryLagSeconds: histogram('tillwatch_delivery_lag_seconds', LAG_SECONDS_BUCKETS),
    commandsFinished: (state: string): void => commandsFinished({ state }),
    bulkTargets: (state: string): void => bulkTargets({ state }),
    logBytes: (bytes: number): void => logBytes({}, bytes),
    logRequests: (state: string): void => logRequests({ state }),
    logMissed: (count: number): void => logMissed({}, count),
    logAutomatic: (result: AutomaticResult): void => logAutomatic({ result }),
    enrolments: (result: EnrolmentResult): void => enrolments({ result }),
    auditEntries: (): void => auditEntries({}),
    backups: (result: 'ok' | 'failed', count: number): void => backups({ result }, count),
    signIns: (result: SignInResult): void => signIns({ result }),
    liveDropped: (reason: LiveDrop): void => liveDropped({ reason }),
    httpRequests: (route: string, status: number): void =>
      httpRequests({ route, status: String(status) }),
  };
}
