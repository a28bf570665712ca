// Every metric name of the project with help, type, unit and labels. Exporters, dashboards and alerts
// import this table, so that a renamed metric breaks the build and not a graph. `pos_` is what a
// terminal or store is, `tillwatch_` how this software itself does. `store` and `terminal` labels are
// put on by the broker from session and registry and are therefore not listed on terminal metrics.

import { entry, type MetricEntry, type MetricSource, type MetricType } from './metric-entry.ts';
import { brokerMetrics } from './metrics-broker.ts';

export type { MetricEntry, MetricSource, MetricType } from './metric-entry.ts';

const component = { counter: entry('component', 'counter'), gauge: entry('component', 'gauge') };
const agent = { counter: entry('agent', 'counter'), gauge: entry('agent', 'gauge') };
export const catalogue = {
  // The reference terminal's components.
  pos_lane_state: component.gauge(
    '1 for the state that the lane is in, 0 for the others.',
    'state',
  ),
  pos_transactions_total: component.counter('Sales by how they ended.', 'result', 'version'),
  pos_last_transaction_timestamp_seconds: component.gauge('When the last sale was completed.'),
  pos_basket_open: component.gauge('1 while a basket with items is open.'),
  pos_tender_in_doubt: component.gauge('Tenders whose outcome is not known; must return to 0.'),
  pos_receipts_pending: component.gauge('Receipts that are not printed yet.'),
  pos_uplink_up: component.gauge('1 while the head office answered the last request.'),
  pos_outbox_depth: component.gauge('Completed sales that the head office has not confirmed.'),
  pos_outbox_oldest_age_seconds: component.gauge('Age of the oldest unconfirmed sale.'),
  pos_outbox_acked_total: component.counter('Sales that the head office confirmed.', 'version'),
  pos_outbox_dead_letter: component.gauge('Sales that the head office refused for good.'),
  pos_dataset_age_seconds: component.gauge('Time since the dataset was last confirmed.', 'dataset'),
  pos_dataset_version_info: component.gauge('Always 1; the version in use.', 'dataset', 'version'),
  pos_device_info: component.gauge('Always 1; what the device is.', 'device', 'model', 'firmware'),
  pos_device_state: component.gauge('1 for the state that the device is in.', 'device', 'state'),
  pos_device_errors_total: component.counter(
    'Errors by UnifiedPOS code.',
    'device',
    'code',
    'version',
  ),
  pos_device_reopen_total: component.counter('Times a connection was opened again.', 'device'),
  pos_device_power_state: component.gauge(
    'UnifiedPOS power state: 2000 unknown, 2001 on, 2003 not ready, 2004 off.',
    'device',
  ),
  pos_device_communication_errors_total: component.counter(
    'Times a device could not be talked to.',
    'device',
  ),
  pos_device_probe_seconds: component.gauge('How long the device took to say how it is.', 'device'),
  pos_printer_paper: component.gauge('1 while the paper is in this state.', 'device', 'state'),
  pos_printer_cover_open: component.gauge('1 while the cover is open.', 'device'),
  pos_drawer_open: component.gauge('1 while the cash drawer is open.', 'device'),
  pos_scanner_good_scan_total: component.counter('Bar codes read.', 'device'),
  pos_scale_unstable_seconds_total: component.counter(
    'Time that the weight did not rest.',
    'device',
  ),
  pos_print_queue_depth: component.gauge('Print jobs waiting.', 'device'),
  pos_print_jobs_total: component.counter('Print jobs by result.', 'device', 'result', 'version'),

  // What the agent measures of the terminal and its components.
  pos_host_cpu_ratio: agent.gauge('Share of all processor time in use, 0 to 1.'),
  pos_host_load1: agent.gauge('Load average over one minute.'),
  pos_host_memory_bytes: agent.gauge('Memory of the machine.', 'state'),
  pos_host_filesystem_bytes: agent.gauge('Size of the file system that holds our data.', 'state'),
  pos_host_uptime_seconds: agent.gauge('Time since the machine booted.'),
  pos_host_info: agent.gauge('Always 1; the machine and its system.', 'os', 'kernel', 'model'),
  pos_host_temperature_celsius: agent.gauge('Temperature of the processor.'),
  pos_host_disk_bytes_total: agent.counter('Bytes read from and written to disks.', 'direction'),
  pos_host_filesystem_readonly: agent.gauge('1 while it cannot be written.', 'mount'),
  pos_host_filesystem_free_ratio: agent.gauge('Free part of it, 0 to 1.', 'mount'),
  pos_host_network_errors_total: agent.counter('Errors and drops on the network.', 'direction'),
  pos_host_pressure_ratio: agent.gauge(
    'Share of the last 10 s in which something waited for it (PSI).',
    'resource',
  ),
  pos_host_network_bytes_total: agent.counter('Bytes over the network.', 'direction'),
  pos_config_info: agent.gauge(
    'Always 1; the fleet configuration that runs, by name and version.',
    ...(['name', 'version'] as const),
  ),
  tillwatch_config_trials_total: agent.counter(
    'Versions of the fleet configuration by what became of them.',
    'result',
  ),
  pos_component_up: agent.gauge('1 while the component is ready.', 'component'),
  pos_component_state: agent.gauge(
    '1 for the state that the component is in.',
    'component',
    'state',
  ),
  pos_component_restarts_total: agent.counter(
    'Starts after a failure or on request.',
    'component',
    'cause',
    'version',
  ),
  pos_component_failures_total: agent.counter(
    'Incidents that began, whatever was done about them.',
    'component',
    'cause',
    'version',
  ),
  pos_component_operational_seconds_total: agent.counter(
    'Time that it was ready.',
    'component',
    'version',
  ),
  pos_component_stable_seconds_total: agent.counter(
    'Time that it was ready with no failure in the hour before.',
    'component',
    'version',
  ),
  pos_component_info: agent.gauge('Always 1; the version that runs.', 'component', 'version'),
  pos_component_resident_bytes: agent.gauge(
    'Resident memory of the whole process tree.',
    'component',
  ),
  pos_component_cpu_seconds_total: agent.counter('Processor time of the process.', 'component'),
  pos_component_beat_age_seconds: agent.gauge('Time since the last beat.', 'component'),
  pos_component_loop_delay_max_seconds: agent.gauge(
    'Longest event loop delay since the last sample.',
    'component',
  ),
  pos_component_descriptors: agent.gauge('Open descriptors of the main process.', 'component'),
  pos_component_mode: agent.gauge('1 for the mode it is in: act or observe.', 'component', 'mode'),
  pos_component_work_in_flight: agent.gauge('Work items begun and not ended.', 'component'),
  pos_agent_info: agent.gauge('Always 1; the agent that runs.', 'version', 'node'),
  pos_agent_starts_total: agent.counter('Starts of the agent since the outbox was made.'),
  pos_clock_offset_seconds: agent.gauge('Broker time minus terminal time.'),
  pos_redactions_total: agent.counter('Card data taken out of logs and events.', 'where', 'kind'),
  pos_component_log_records_total: agent.counter(
    'Records that a component printed, by what level they say: error, warn, info, debug or none.',
    'component',
    'level',
    'version',
  ),
  tillwatch_redactions_missed_total: agent.counter(
    'Card data that was found on the way out and had been missed on the way in.',
    'kind',
  ),
  tillwatch_journal_records_dropped_total: agent.counter(
    'Records of the journal given up, by why.',
    'component',
    'reason',
  ),
  tillwatch_journal_behind_bytes: agent.gauge(
    'Output that is not in the journal yet.',
    'component',
  ),
  tillwatch_signatures: agent.gauge('Kinds of errors that the terminal tells apart.'),
  tillwatch_signatures_dropped_total: agent.counter(
    'Warnings and errors of kinds over the bound: counted, not told apart.',
  ),
  tillwatch_tail_dropped_total: agent.counter(
    'Records of live tails left out because the line was too slow.',
  ),
  tillwatch_agent_resident_bytes: agent.gauge('Resident memory of the agent.'),
  tillwatch_agent_cpu_seconds_total: agent.counter('Processor time of the agent.'),
  tillwatch_agent_loop_delay_max_seconds: agent.gauge("Longest delay of the agent's own loop."),
  tillwatch_agent_pauses_total: agent.counter('Times the agent itself did not run for a while.'),
  tillwatch_agent_sign_failures_total: agent.counter(
    'Signs of life that the agent could not give to who watches it: systemd, device or file.',
    'watcher',
  ),
  tillwatch_agent_events_dropped_total: agent.counter(
    "Events that the agent's own queue had no room for.",
  ),
  tillwatch_recovery_total: agent.counter(
    'Rungs of the recovery ladder that were used.',
    'component',
    'cause',
    'rung',
  ),
  tillwatch_recovery_outcome_total: agent.counter(
    'What became of them: held for its stable time, or failed again.',
    'component',
    'rung',
    'outcome',
  ),
  tillwatch_recovery_suppressed_total: agent.counter(
    'Rungs that were decided and not used, in observe or while held.',
    'component',
    'cause',
    'rung',
  ),
  tillwatch_hold: agent.gauge('1 while a technician holds the till.'),
  tillwatch_evidence_bytes: agent.gauge('Size of the ring of evidence on disk.'),
  tillwatch_evidence_dropped_total: agent.counter('Bundles of evidence removed or not written.'),
  tillwatch_journal_bytes: agent.gauge('Disk that component output takes.', 'component'),
  tillwatch_journal_dropped_bytes_total: agent.counter(
    'Bytes of component output given up, because they came too fast or the disk is full.',
    'component',
    'reason',
  ),
  tillwatch_output_unread_bytes_total: agent.counter(
    'Bytes of component output in which nothing was counted, because they came too fast.',
    'component',
  ),
  tillwatch_disk_level: agent.gauge('1 for what is given up for want of disk.', 'level'),
  tillwatch_agent_written_bytes_total: agent.counter('Bytes that the agent wrote (flash wear).'),
  tillwatch_away_seconds_total: agent.counter('Time without the broker, by why.', 'reason'),
  tillwatch_series: agent.gauge('Series in the last sample.'),
  tillwatch_spans_dropped_total: agent.counter('Spans that were not kept.', 'reason'),
  tillwatch_outbox_thinned_total: agent.counter(
    'Samples given up so that a long time offline fits.',
  ),
  tillwatch_outbox_kept_bytes: agent.gauge('Acknowledged and kept in case the ledger goes back.'),
  tillwatch_outbox_bytes: agent.gauge('Size of the outbox on disk.'),
  tillwatch_outbox_batches: agent.gauge('Batches not yet acknowledged.', 'stream'),
  tillwatch_outbox_dropped_total: agent.counter('Batches or samples dropped.', 'stream', 'reason'),
  tillwatch_outbox_refused_total: agent.counter('Batches that the broker refused.', 'stream'),
  tillwatch_outbox_damaged_total: agent.counter('Outbox files set aside as damaged.'),
  tillwatch_outbox_held: agent.gauge('Events and samples in memory because the disk refuses them.'),
  tillwatch_channel_rejected_total: agent.counter(
    'Lines refused on the component channel.',
    'reason',
  ),
  tillwatch_scrape_failures_total: agent.counter('Failed scrapes of a component.', 'component'),
  tillwatch_series_dropped_total: agent.counter(
    'Series over the budget or not understood.',
    'component',
  ),
  tillwatch_link_connects_total: agent.counter('Connections to the broker.'),
  tillwatch_link_failures_total: agent.counter('Connections to the broker that failed or ended.'),
  tillwatch_link_garbage_total: agent.counter('Acknowledgements that could not be read.'),
  tillwatch_certificate_expires_timestamp_seconds: agent.gauge('When the certificate ends.', 'use'),
  tillwatch_link_up: agent.gauge('1 while connected to the broker.'),
  tillwatch_commands_total: agent.counter('Commands by what became of them.', 'state'),

  ...brokerMetrics,
} as const satisfies Record<string, MetricEntry>;

export type MetricName = keyof typeof catalogue;
/** Names of one source and type; `LabelsOf` says which labels each must carry. */
export type MetricNameOf<S extends MetricSource, T extends MetricType> = {
  [K in MetricName]: (typeof catalogue)[K] extends { source: S; type: T } ? K : never;
}[MetricName];
export type LabelsOf<K extends MetricName> = Record<
  (typeof catalogue)[K]['labels'][number],
  string
>;
export const METRIC_NAMES = Object.keys(catalogue) as readonly MetricName[];
export const isMetricName = (name: string): name is MetricName => Object.hasOwn(catalogue, name);
