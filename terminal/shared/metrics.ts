// A component's own metrics with prom-client, in a registry of its own and without the default metrics:
// a till has a budget of series, and memory and processor are the agent's to measure. Names and labels
// are copied here and not imported, because a component knows nothing of the wire; a test holds them
// against the catalogue of protocol/metrics.ts.

import { Counter, Gauge, Registry } from 'prom-client';
import type { Route } from './http.ts';

export const NAMES = {
  pos_lane_state: ['gauge', 'state'],
  pos_transactions_total: ['counter', 'result', 'version'],
  pos_last_transaction_timestamp_seconds: ['gauge'],
  pos_basket_open: ['gauge'],
  pos_tender_in_doubt: ['gauge'],
  pos_receipts_pending: ['gauge'],
  pos_uplink_up: ['gauge'],
  pos_outbox_depth: ['gauge'],
  pos_outbox_oldest_age_seconds: ['gauge'],
  pos_outbox_acked_total: ['counter', 'version'],
  pos_outbox_dead_letter: ['gauge'],
  pos_dataset_age_seconds: ['gauge', 'dataset'],
  pos_dataset_version_info: ['gauge', 'dataset', 'version'],
  pos_device_info: ['gauge', 'device', 'model', 'firmware'],
  pos_device_state: ['gauge', 'device', 'state'],
  pos_device_errors_total: ['counter', 'device', 'code', 'version'],
  pos_device_reopen_total: ['counter', 'device'],
  pos_device_power_state: ['gauge', 'device'],
  pos_device_communication_errors_total: ['counter', 'device'],
  pos_device_probe_seconds: ['gauge', 'device'],
  pos_printer_paper: ['gauge', 'device', 'state'],
  pos_printer_cover_open: ['gauge', 'device'],
  pos_drawer_open: ['gauge', 'device'],
  pos_scanner_good_scan_total: ['counter', 'device'],
  pos_scale_unstable_seconds_total: ['counter', 'device'],
  pos_print_queue_depth: ['gauge', 'device'],
  pos_print_jobs_total: ['counter', 'device', 'result', 'version'],
} as const;

const HELP: Readonly<Record<keyof typeof NAMES, string>> = {
  pos_lane_state: '1 for the state that the lane is in, 0 for the others.',
  pos_transactions_total: 'Sales by how they ended.',
  pos_last_transaction_timestamp_seconds: 'When the last sale was completed.',
  pos_basket_open: '1 while a basket with items is open.',
  pos_tender_in_doubt: 'Tenders whose outcome is not known; must return to 0.',
  pos_receipts_pending: 'Receipts that are not printed yet.',
  pos_uplink_up: '1 while the head office answered the last request.',
  pos_outbox_depth: 'Completed sales that the head office has not confirmed.',
  pos_outbox_oldest_age_seconds: 'Age of the oldest unconfirmed sale.',
  pos_outbox_acked_total: 'Sales that the head office confirmed.',
  pos_outbox_dead_letter: 'Sales that the head office refused for good.',
  pos_dataset_age_seconds: 'Time since the dataset was last confirmed.',
  pos_dataset_version_info: 'Always 1; the version in use.',
  pos_device_info: 'Always 1; what the device is.',
  pos_device_state: '1 for the state that the device is in.',
  pos_device_errors_total: 'Errors by UnifiedPOS code.',
  pos_device_reopen_total: 'Times a connection was opened again.',
  pos_device_power_state:
    'UnifiedPOS power state: 2000 unknown, 2001 on, 2003 not ready, 2004 off.',
  pos_device_communication_errors_total: 'Times a device could not be talked to.',
  pos_device_probe_seconds: 'How long the device took to say how it is.',
  pos_printer_paper: '1 while the paper is in this state.',
  pos_printer_cover_open: '1 while the cover is open.',
  pos_drawer_open: '1 while the cash drawer is open.',
  pos_scanner_good_scan_total: 'Bar codes read.',
  pos_scale_unstable_seconds_total: 'Time that the weight did not rest.',
  pos_print_queue_depth: 'Print jobs waiting.',
  pos_print_jobs_total: 'Print jobs by result.',
};

type Labels = Readonly<Record<string, string>>;
/** One sample of a family. */
export type Point = { readonly labels?: Labels; readonly value: number };

/**
 * A registry whose families are read from the component's state at each scrape, so that there is no
 * second copy of a number to go wrong and counters from a database survive a restart.
 */
export function createRegistry(
  families: Partial<Record<keyof typeof NAMES, () => readonly Point[]>>,
): Registry {
  const registry = new Registry();
  for (const [name, read] of Object.entries(families)) {
    const known = name as keyof typeof NAMES;
    const [type, ...labelNames] = NAMES[known];
    const options = { name, help: HELP[known], labelNames, registers: [registry] };
    if (type === 'gauge') {
      const gauge = new Gauge({
        ...options,
        collect() {
          this.reset();
          for (const { labels, value } of read()) gauge.set(labels ?? {}, value);
        },
      });
    } else {
      const counter = new Counter({
        ...options,
        collect() {
          this.reset();
          for (const { labels, value } of read()) counter.inc(labels ?? {}, value);
        },
      });
    }
  }
  return registry;
}

/** 1 for the state that holds and 0 for the others, so that a graph shows each one's time. */
export const stateSet = (
  states: readonly string[],
  current: string,
  labels: Labels = {},
): readonly Point[] =>
  states.map((state) => ({ labels: { ...labels, state }, value: state === current ? 1 : 0 }));

export const metricsRoute = (registry: Registry): Route => ({
  method: 'GET',
  path: '/metrics',
  run: async () => ({
    status: 200,
    text: await registry.metrics(),
    headers: { 'content-type': registry.contentType },
  }),
});
