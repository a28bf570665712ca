// What the agent's own series say of records that components print: how many of which level, and the kinds of errors
// among them. Errors and warnings of the version that runs are there from the beginning, because a series that appears
// with 1 has no increase; of every other level only what was printed.

import type { Labels, Sample } from '../../protocol/metric-body.ts';
import type { MetricName } from '../../protocol/metrics.ts';
import type { RecordCount } from '../logs/intake/types.ts';

export type LogReading = {
  readonly counts: readonly RecordCount[];
  /** Kinds of errors that are told apart, and records of those that are not (logs/kinds). */
  readonly kinds: number;
  readonly kindsDropped: number;
};

const ALWAYS = ['error', 'warn'] as const;
const COUNTED = 'pos_component_log_records_total';

type Running = { readonly name: string; readonly version: string };

/** @param reading undefined where nobody reads what they print. */
export function logSamples(reading: LogReading | undefined, running: readonly Running[]): Sample[] {
  if (reading === undefined) return [];
  const found = reading.counts.filter(({ count }) => count > 0);
  const has = (name: string, version: string, level: string): boolean =>
    found.some((one) => one.component === name && one.version === version && one.level === level);
  const sample = (name: MetricName, value: number, labels: Labels = {}): Sample => ({
    name,
    labels,
    value,
  });
  return [
    ...found.map(({ component, level, version, count }) =>
      sample(COUNTED, count, { component, level, version }),
    ),
    ...running.flatMap(({ name, version }) =>
      ALWAYS.filter((level) => !has(name, version, level)).map((level) =>
        sample(COUNTED, 0, { component: name, level, version }),
      ),
    ),
    sample('tillwatch_signatures', reading.kinds),
    sample('tillwatch_signatures_dropped_total', reading.kindsDropped),
  ];
}
