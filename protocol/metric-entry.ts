// What is said of a metric's name, and how an entry of the catalogue (metrics.ts) is written.

export type MetricType = 'counter' | 'gauge' | 'histogram';
/** Who exposes it: a component's own endpoint, the agent, the broker of itself, or its registry per terminal. */
export type MetricSource = 'component' | 'agent' | 'broker' | 'registry';
export type MetricEntry = {
  readonly help: string;
  readonly type: MetricType;
  readonly source: MetricSource;
  readonly labels: readonly string[];
};

// Source, type and labels stay literal types, so that an exporter that takes the wrong one fails tsc.
export const entry =
  <const S extends MetricSource, const T extends MetricType>(source: S, type: T) =>
  <const L extends readonly string[]>(help: string, ...labels: L) => ({
    help,
    type,
    source,
    labels,
  });
