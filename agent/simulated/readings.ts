// What a simulated till measures: about a hundred series, made by the agent's own code where it is pure
// (names, labels, budget), from the till's state where a real one would ask /proc or its components.

import type { Labels, Sample } from '../../protocol/metric-body.ts';
import type { MetricName } from '../../protocol/metrics.ts';
import {
  type AgentReading,
  agentSamples,
  type ComponentReading,
  componentSamples,
} from '../telemetry/readings.ts';
import { isUp } from '../watchdog/machine.ts';
import type { ComponentName } from './character.ts';
import { diceFrom } from './dice.ts';
import type { Till } from './model.ts';
import { isWell, leakedBytes, networkOf, suffers } from './till.ts';

const MB = 1024 * 1024;
/** Memory comes in pages, and file systems in blocks of the same size. */
const PAGE_BYTES = 4_096;
const inPages = (bytes: number): number => Math.round(bytes / PAGE_BYTES) * PAGE_BYTES;
/** Resident memory of each process after its start. */
const BASE_BYTES: Readonly<Record<string, number>> = {
  hardware: 62 * MB,
  sale: 84 * MB,
  sync: 58 * MB,
};
const MEMORY_BYTES = 4_096 * MB;
const DISK_BYTES = 64_000 * MB;
const LANE_STATES = ['open', 'closed', 'offline', 'locked', 'training'];
const DEVICE_STATES = ['CLOSED', 'IDLE', 'BUSY', 'ERROR'];
const DEVICES = {
  printer: 'printer',
  scanner: 'scanner',
  scale: 'scale',
  drawer: 'drawer',
} as const;

const sample = (name: MetricName, value: number, labels: Labels = {}): Sample => ({
  name,
  labels,
  value,
});
const oneOf = (
  name: MetricName,
  states: readonly string[],
  current: string,
  labels: Labels = {},
): Sample[] => states.map((state) => sample(name, state === current ? 1 : 0, { ...labels, state }));

function componentReadings(till: Till, now: number, wobble: () => number): ComponentReading[] {
  return till.parts.map((part) => {
    const { name, policy, model, restarts } = part;
    const reading = {
      name,
      version: policy.version,
      state: model.state,
      restartsByCause: restarts,
    };
    if (model.process !== 'alive') return reading;
    const ill = part.ailment !== undefined && part.ailment.kind !== 'failing';
    const grown = name === 'sale' ? leakedBytes(till, now) : 0;
    return {
      ...reading,
      ...(isUp(model) ? { beatAgeMs: ill ? now - model.watch.goodAt : wobble() * 500 } : {}),
      // Components tell it in tenths of a millisecond.
      loopDelayMsMax: Math.round(10 + wobble() * 60) / 10,
      residentBytes: inPages((BASE_BYTES[name] ?? 0) + grown + wobble() * MB),
      descriptors: 25 + name.length,
      workInFlight: 0,
      cpuSeconds: Math.round((till.books.cpuSeconds + (now - part.bornMs) * 1e-5) * 100) / 100,
    };
  });
}

function saleSamples({ books, who }: Till): Sample[] {
  const { version } = { version: who.versions.sale };
  return [
    ...oneOf('pos_lane_state', LANE_STATES, 'open'),
    sample('pos_transactions_total', books.sold, { result: 'completed', version }),
    sample('pos_transactions_total', books.voided, { result: 'voided', version }),
    ...(books.soldAtMs === 0
      ? []
      : [sample('pos_last_transaction_timestamp_seconds', books.soldAtMs / 1_000)]),
    sample('pos_basket_open', books.due > 0.5 ? 1 : 0),
    sample('pos_receipts_pending', books.sold - books.printed),
  ];
}

function syncSamples(till: Till, now: number, wallMs: number): Sample[] {
  const { books, who } = till;
  const depth = books.sold - books.delivered;
  const version = who.versions.sync;
  const prices = { dataset: 'prices' };
  return [
    sample('pos_uplink_up', networkOf(till, now) === 'up' ? 1 : 0),
    sample('pos_outbox_depth', depth),
    sample('pos_outbox_oldest_age_seconds', depth > 0 ? (wallMs - books.soldAtMs) / 1_000 : 0),
    sample('pos_outbox_acked_total', books.delivered, { version }),
    sample('pos_outbox_dead_letter', books.deadLetters),
    sample('pos_dataset_age_seconds', Math.max(0, wallMs - books.pricesAtMs) / 1_000, prices),
    sample('pos_dataset_version_info', 1, { ...prices, version: '2026-11' }),
  ];
}

function hardwareSamples(till: Till, wobble: () => number): Sample[] {
  const { books, who, conditions } = till;
  const version = who.versions.hardware;
  const queue = books.sold - books.printed;
  const errors = Object.entries(books.deviceErrors).map(([key, count]) => {
    const [device = '', code = ''] = key.split(' ');
    return sample('pos_device_errors_total', count, { device, code, version });
  });
  const states = Object.entries(DEVICES).flatMap(([device, effect]) => {
    const ill = conditions.some((condition) => condition.effect === effect);
    return oneOf('pos_device_state', DEVICE_STATES, ill ? 'ERROR' : 'IDLE', { device });
  });
  return [
    ...states,
    ...errors,
    ...['printer', 'scanner'].map((device) =>
      sample('pos_device_probe_seconds', (0.2 + wobble() * 0.8) / 1_000, { device }),
    ),
    sample('pos_device_reopen_total', books.reopened, { device: 'printer' }),
    sample('pos_print_queue_depth', queue, { device: 'printer' }),
    sample('pos_print_jobs_total', books.printed, { device: 'printer', result: 'done', version }),
    sample('pos_print_jobs_total', 0, { device: 'printer', result: 'failed', version }),
  ];
}

function hostSamples(till: Till, now: number, wobble: () => number): Sample[] {
  const { books, bootedMs } = till;
  const load = suffers(till, 'logs') ? 0.7 : 0.08;
  const used = inPages((1_450 + wobble() * 60) * MB + leakedBytes(till, now));
  const filled = suffers(till, 'disk')
    ? DISK_BYTES - 40 * MB
    : 18_000 * MB + books.sold * PAGE_BYTES;
  return [
    sample('pos_host_cpu_ratio', load + wobble() * 0.1),
    sample('pos_host_load1', Math.round((load * 4 + wobble()) * 100) / 100),
    sample('pos_host_memory_bytes', used, { state: 'used' }),
    sample('pos_host_memory_bytes', MEMORY_BYTES - used, { state: 'available' }),
    sample('pos_host_filesystem_bytes', filled, { state: 'used' }),
    sample('pos_host_filesystem_bytes', DISK_BYTES - filled, { state: 'available' }),
    sample('pos_host_network_bytes_total', books.sentBytes * 3, { direction: 'received' }),
    sample('pos_host_network_bytes_total', books.sentBytes, { direction: 'sent' }),
    sample('pos_host_temperature_celsius', Math.round(41 + wobble() * 4)),
    sample('pos_host_uptime_seconds', Math.round((now - bootedMs) / 1_000)),
  ];
}

function configurationSamples({ configuration, trials }: Till): Sample[] {
  const { kept, rolled_back } = trials;
  if (configuration === undefined && kept + rolled_back === 0) return [];
  const { name = '', version = 0 } = configuration ?? {};
  const info = { name, version: `${version}` };
  return [
    ...(configuration === undefined ? [] : [sample('pos_config_info', 1, info)]),
    sample('tillwatch_config_trials_total', kept, { result: 'kept' }),
    sample('tillwatch_config_trials_total', rolled_back, { result: 'rolled_back' }),
  ];
}

/**
 * As they leave a real agent (telemetry/series.ts). Their names are the catalogue's and they are fewer than the budget
 * has room for, so that asking it would only cost: half of what ten thousand terminals take of a core.
 */
const scrapedFrom = (component: ComponentName, samples: readonly Sample[]): Sample[] =>
  samples.map(({ name, labels, value }) => ({ name, labels: { ...labels, component }, value }));

/** One snapshot's worth. `wallMs`: true time, which a till knows once the broker has told it. */
export function samplesOf(till: Till, agent: AgentReading, now: number, wallMs: number): Sample[] {
  const dice = diceFrom(till.random);
  const wobble = dice.next;
  // Drawn whatever is up, so that a component that comes back does not change what the others measure.
  const hardware = hardwareSamples(till, wobble);
  return [
    ...hostSamples(till, now, wobble),
    ...componentReadings(till, now, wobble).flatMap(componentSamples),
    ...agentSamples(agent),
    ...configurationSamples(till),
    ...(isWell(till, 'hardware') ? scrapedFrom('hardware', hardware) : []),
    ...(isWell(till, 'sale') ? scrapedFrom('sale', saleSamples(till)) : []),
    ...(isWell(till, 'sync') ? scrapedFrom('sync', syncSamples(till, now, wallMs)) : []),
  ];
}
