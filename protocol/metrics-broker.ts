// The part of the catalogue (metrics.ts) that the broker exposes: per-terminal series that its registry
// makes, its own health, and the fleet's roll-ups, the last two of bounded size on /metrics.

import { entry } from './metric-entry.ts';

const registry = { gauge: entry('registry', 'gauge') };
const broker = {
  counter: entry('broker', 'counter'),
  gauge: entry('broker', 'gauge'),
  histogram: entry('broker', 'histogram'),
};

export const brokerMetrics = {
  // What the broker says of each terminal: recorded in the ledger and written by the sinks, never on /metrics.
  pos_terminal_up: registry.gauge('1 while the terminal is online, 0 while it is silent.'),
  pos_terminal_presence: registry.gauge(
    '1 for what it is: never, online, late or lost.',
    'presence',
  ),
  pos_terminal_last_seen_timestamp_seconds: registry.gauge('When it was last heard of.'),
  pos_terminal_clock_skew_seconds: registry.gauge("Terminal's own clock minus the broker's."),
  pos_terminal_maintenance: registry.gauge('1 while a maintenance of it runs, else 0.'),
  pos_terminal_versions_behind: registry.gauge('Components that do not run their target version.'),
  pos_terminal_config_behind: registry.gauge(
    '1 while it does not run the fleet configuration that is meant for it.',
  ),
  // Of stores: the label terminal is empty there.
  pos_store_info: registry.gauge('Always 1; what the store is.', 'region', 'time_zone'),
  pos_store_open: registry.gauge('1 while the store is open by its hours, else 0.'),
  pos_store_lanes_expected: registry.gauge(
    'Lanes that should sell now: none while it is closed, none of those in maintenance.',
  ),
  pos_store_maintenance: registry.gauge('1 while a maintenance of the whole store runs, else 0.'),
  tillwatch_sink_canary: registry.gauge(
    'Written to a sink by its self-test, now and an hour back.',
    'sink',
  ),

  // The broker's own health and the fleet's roll-ups, both of bounded size.
  pos_terminals: broker.gauge(
    'Terminals by presence; those in maintenance (pos_terminals_in_maintenance) are among them.',
    'presence',
  ),
  pos_terminals_by_version: broker.gauge('Terminals that run a version.', 'component', 'version'),
  pos_components: broker.gauge('Components in the fleet by state.', 'component', 'state'),
  pos_fleet_restarts_total: broker.counter(
    'Restarts of components in the fleet.',
    'component',
    'cause',
    'version',
  ),
  pos_rollout_version_role: broker.gauge(
    'Always 1; a version that was set as a target, and whether as candidate or control.',
    ...(['component', 'version', 'role'] as const),
  ),
  pos_terminals_behind: broker.gauge(
    'Terminals that run another version than their target.',
    'component',
  ),
  pos_terminals_config_behind: broker.gauge(
    'Terminals that do not run the fleet configuration meant for them.',
  ),
  pos_stores: broker.gauge('Stores by whether they are open now.', 'state'),
  pos_terminals_in_maintenance: broker.gauge(
    'Terminals of which a maintenance runs, by presence: a service level leaves them out of both its sides.',
    'presence',
  ),
  tillwatch_config_rollouts: broker.gauge('Versions of configurations by state.', 'state'),
  tillwatch_backups_total: broker.counter('Backups by result.', 'result'),
  tillwatch_backup_timestamp_seconds: broker.gauge('When the last backup was complete.'),
  tillwatch_broker_info: broker.gauge('Always 1; the broker that runs.', 'version', 'node'),
  tillwatch_broker_connections: broker.gauge('Open MQTT connections.'),
  tillwatch_broker_connects_total: broker.counter('MQTT connections by result.', 'result'),
  tillwatch_broker_refused_total: broker.counter('Packets and connections refused.', 'reason'),
  tillwatch_broker_slowed_total: broker.counter(
    'Times that a terminal was not read for a while, by the limit that it was above.',
    'limit',
  ),
  tillwatch_broker_certificate_expires_timestamp_seconds: broker.gauge(
    'When the certificate in use ends: of the fleet (authority), of the broker (server), for browsers (http).',
    'use',
  ),
  tillwatch_broker_handshakes: broker.gauge('TLS connections that have not finished theirs.'),
  tillwatch_ingest_batches_total: broker.counter(
    'Batches by stream and result.',
    'stream',
    'result',
  ),
  tillwatch_ingest_samples_total: broker.counter('Metric samples committed.'),
  tillwatch_ingest_events_total: broker.counter('Events committed.'),
  tillwatch_ingest_dead_letters_total: broker.counter(
    'Committed batches whose body could not be read.',
    'stream',
    'reason',
  ),
  tillwatch_ledger_bytes: broker.gauge('Size of the ledger on disk.'),
  tillwatch_ledger_rows: broker.gauge('Batches in the ledger.'),
  tillwatch_registry_dropped_total: broker.counter(
    'Oldest rows of the registry removed for room.',
    'table',
  ),
  tillwatch_registry_behind_batches: broker.gauge('Batches in the ledger not yet applied.'),
  tillwatch_ledger_commit_seconds: broker.histogram('Duration of a group commit.'),
  tillwatch_commands_pending: broker.gauge('Commands that are not finished.'),
  tillwatch_commands_finished_total: broker.counter('Commands by final state.', 'state'),
  tillwatch_bulks: broker.gauge('Bulk actions that are not over.', 'state'),
  tillwatch_bulk_targets_total: broker.counter(
    'Terminals of bulk actions by what became of them.',
    'state',
  ),
  tillwatch_log_bytes_total: broker.counter('Bytes of log lines received from terminals.'),
  tillwatch_log_requests_total: broker.counter('Requests for logs by how they ended.', 'state'),
  tillwatch_log_requests_open: broker.gauge('Requests for logs and live tails that are not over.'),
  tillwatch_log_missed_total: broker.counter(
    'Card data in received logs that the first look had missed: found by the terminal, or here.',
  ),
  tillwatch_log_automatic_total: broker.counter(
    'Requests for the last lines of an incident by what became of them.',
    'result',
  ),
  tillwatch_error_signatures: broker.gauge('Kinds of errors that the fleet has told of.'),
  tillwatch_audit_entries_total: broker.counter('Entries written to the audit log.'),
  tillwatch_http_requests_total: broker.counter(
    'HTTP requests by route and status.',
    'route',
    'status',
  ),
  tillwatch_ledger_oldest_age_seconds: broker.gauge('Age of the oldest batch in the ledger.'),
  tillwatch_ledger_trimmed_total: broker.counter('Batches removed from the ledger.', 'reason'),
  tillwatch_ledger_conflicts_total: broker.counter(
    'Batches with a number that is taken and other bytes.',
    'stream',
  ),
  tillwatch_pace_bytes_per_second: broker.gauge(
    'What all terminals that catch up share; 0: no limit.',
  ),
  tillwatch_pace_terminals: broker.gauge('Terminals that catch up.'),
  tillwatch_sink_up: broker.gauge('1 while it takes what it is sent.', 'sink'),
  tillwatch_sink_behind_batches: broker.gauge(
    'Batches in the ledger that it has not taken.',
    'sink',
  ),
  tillwatch_sink_behind_seconds: broker.gauge('Age of the oldest of them.', 'sink'),
  tillwatch_sink_requests_total: broker.counter('Requests by result.', 'sink', 'result'),
  tillwatch_sink_items_total: broker.counter('Samples or spans that it took.', 'sink'),
  tillwatch_sink_dead_letters_total: broker.counter(
    'Samples or spans that it will never take.',
    'sink',
    'reason',
  ),
  tillwatch_series_over_budget: broker.gauge('Series of terminals over their budget.'),
  tillwatch_http_live_clients: broker.gauge('Clients of the live event stream.'),
  tillwatch_sign_ins_total: broker.counter('Attempts of operators to sign in.', 'result'),
  tillwatch_sessions: broker.gauge('Sessions of operators that have not ended.'),
  tillwatch_http_live_dropped_total: broker.counter(
    'Clients of the live event stream disconnected or not let in.',
    'reason',
  ),

  tillwatch_enrolments_total: broker.counter(
    'Requests for a certificate by what became of them.',
    'result',
  ),
  pos_terminals_by_identity: broker.gauge('Terminals by the state of their identity.', 'state'),
  tillwatch_twins: broker.gauge('Terminals that look like two machines with one identity.'),

  // Roll-ups of the fleet, telemetry's way through the broker, and what it keeps.
  pos_terminals_clock_skewed: broker.gauge('Terminals whose clock is off by a minute or more.'),
  pos_fleet_failures_total: broker.counter('Incidents that began, by cause.', 'cause'),
  pos_incidents_open: broker.gauge('Incidents that are open, by cause.', 'cause'),
  pos_devices_in_trouble: broker.gauge('Devices with something wrong, by state.', 'state'),
  tillwatch_delivery_lag_seconds: broker.histogram(
    'Age of the newest sample of a batch when it arrived; backlog is not counted.',
  ),
  tillwatch_history_bytes: broker.gauge("Size of the history of terminals' samples on disk."),
  tillwatch_history_behind_batches: broker.gauge('Batches in the ledger not yet in the history.'),
  tillwatch_history_written_bytes_total: broker.counter('Bytes of hour blocks written.'),
  tillwatch_history_dropped_total: broker.counter(
    'Samples or hour blocks that the history does not keep.',
    'reason',
  ),
  tillwatch_retention_over_bound: broker.gauge(
    '1 while it takes more than its bound and nothing of it may be deleted.',
    'table',
  ),
} as const;
