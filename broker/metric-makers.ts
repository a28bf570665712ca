// How a metric of the catalogue becomes one that prom-client shows: with its help, type and labels by
// type, so that a wrong name or label fails tsc. Gauges and counters that are kept elsewhere are read
// when somebody scrapes.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { catalogue, type LabelsOf, type MetricNameOf } from '../protocol/metrics.ts';

export type CounterName = MetricNameOf<'broker', 'counter'>;
export type GaugeName = MetricNameOf<'broker', 'gauge'>;
export type HistogramName = MetricNameOf<'broker', 'histogram'>;
export type Values<K extends CounterName | GaugeName> = readonly (readonly [LabelsOf<K>, number])[];

export type Makers = ReturnType<typeof createMakers>;

export function createMakers(registry: Registry) {
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
